"""A training run as data: consecutive phases, each with tasks whose losses are added in every step.

A recipe file defines `recipe() -> Recipe`; `contralto.train.loop.run` executes it. Every batch is a function of the
step alone, so a resumed run equals an uninterrupted one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from contralto.contract import Contract
from contralto.errors import ContractError

if TYPE_CHECKING:
    from torch import Tensor

    from contralto.model.clip import CLIP

Precision = Literal["auto", "fp32", "bf16"]


@dataclass(frozen=True)
class Task:
    """One objective. A step descends the gradient of the sum of weight * loss over the phase's tasks.

    batch: step (counted from 0 through the whole run) -> any value; must be a pure function for an exact resume.
    loss: (model, batch) -> scalar tensor. It runs under autocast if the phase computes in bf16, and after
        `torch.manual_seed` of (recipe.seed, step), so dropout and noise may use torch's default generator.
    skipped: reason -> number of samples that `batch` has skipped so far; reported at the end of the run.
    batch_size: samples in a batch. If every task of a phase states it, the log has samples_per_second.
    """

    name: str
    weight: float
    batch: Callable[[int], Any]
    loss: Callable[[CLIP, Any], Tensor]
    skipped: Callable[[], Mapping[str, int]] | None = None
    batch_size: int | None = None

    def __post_init__(self) -> None:
        _require(bool(self.name), "Task.name must not be empty")
        _positive(f"task {self.name!r}: weight", self.weight)
        _require(callable(self.batch), f"task {self.name!r}: batch must be callable (step -> batch)")
        _require(callable(self.loss), f"task {self.name!r}: loss must be callable (model, batch -> scalar)")


@dataclass(frozen=True)
class Phase:
    """`steps` steps of AdamW from fresh moments: warm-up to `lr`, then cosine to 0. Defaults: Radford et al. 2021.

    warmup: steps of linear rise. clip_norm: maximum norm of all gradients together.
    precision: "auto" is bf16 if the processor computes it natively, else fp32.
    rates: prefix of parameter names ("image", "text.blocks.0", "logit_scale") -> factor on lr. The longest prefix that
        fits counts; no prefix means 1. 0 locks a tensor: no bit of it changes, nor of batch norm's running statistics
        below the prefix.
    ema: decay of a moving average of the weights, or None. The average is validated, and replaces the weights when the
        phase ends.
    """

    name: str
    tasks: tuple[Task, ...]
    steps: int
    lr: float
    warmup: int = 0
    weight_decay: float = 0.2
    betas: tuple[float, float] = (0.9, 0.98)
    eps: float = 1e-6
    clip_norm: float = 1.0
    precision: Precision = "auto"
    rates: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    ema: float | None = None

    def __post_init__(self) -> None:
        where = f"phase {self.name!r}:"
        _require(bool(self.name), "Phase.name must not be empty")
        _require(bool(self.tasks), f"{where} tasks must not be empty")
        _unique(f"{where} tasks", [task.name for task in self.tasks])
        _whole(f"{where} steps", self.steps, 1)
        _whole(f"{where} warmup", self.warmup, 0)
        _require(self.warmup <= self.steps, f"{where} warmup ({self.warmup}) must not exceed steps ({self.steps})")
        for name in ("lr", "eps", "clip_norm"):
            _positive(f"{where} {name}", getattr(self, name))
        _finite(f"{where} weight_decay", self.weight_decay)
        _require(len(self.betas) == 2 and all(0 <= b < 1 for b in self.betas), f"{where} betas must be two of [0, 1)")
        _require(self.precision in ("auto", "fp32", "bf16"), f"{where} precision must be auto, fp32 or bf16")
        for prefix, rate in self.rates.items():
            _finite(f"{where} rates[{prefix!r}]", rate)
        _require(self.ema is None or 0 < self.ema < 1, f"{where} ema must be between 0 and 1, got {self.ema}")


@dataclass(frozen=True)
class Recipe:
    """A whole run.

    build: makes the model and its contract; called once at the start, also of a resumed run.
    validate: (model, contract) -> values by name; called with the model in eval mode and without gradients before the
        first step, every `validate_every` steps (0: never) and after the last step.
    checkpoint_every: steps between checkpoints (0: only at the end and on Ctrl-C).
    files: copied into the run's folder at the start, such as the vocabulary file that the contract names.
    finish: called last, with the folder that holds the trained model in native layout.
    saves_locked: whether checkpoints hold the tensors that all phases lock. False if `build` certainly makes the same
        ones on a resume: checkpoints are then as small as what is trained.
    """

    name: str
    build: Callable[[], tuple[CLIP, Contract]]
    phases: tuple[Phase, ...]
    validate: Callable[[CLIP, Contract], dict[str, float]] | None = None
    validate_every: int = 0
    checkpoint_every: int = 0
    seed: int = 0
    files: tuple[Path, ...] = ()
    finish: Callable[[CLIP, Contract, Path], None] | None = None
    saves_locked: bool = True

    def __post_init__(self) -> None:
        where = f"recipe {self.name!r}:"
        _require(bool(self.name), "Recipe.name must not be empty")
        _require(callable(self.build), f"{where} build must be callable (-> model, contract)")
        _require(bool(self.phases), f"{where} phases must not be empty")
        _unique(f"{where} phases", [phase.name for phase in self.phases])
        for name in ("validate_every", "checkpoint_every", "seed"):
            _whole(f"{where} {name}", getattr(self, name), 0)
        _require(not self.validate_every or self.validate is not None, f"{where} validate_every is set, validate not")

    @property
    def steps(self) -> int:
        """Steps of all phases together."""
        return sum(phase.steps for phase in self.phases)

    def at(self, step: int) -> tuple[Phase, int]:
        """The phase of step `step` (0 <= step < steps), and the step counted from the phase's start."""
        for phase in self.phases:
            if step < phase.steps:
                return phase, step
            step -= phase.steps
        raise IndexError(step)

    def facts(self, contract: Contract) -> dict[str, object]:
        """The comparable settings that decide the weights, as JSON values by name. A checkpoint with other facts is
        refused.

        The code inside a task's functions cannot be compared: rename the task or the recipe when it changes.
        """
        facts: dict[str, object] = {"name": self.name, "seed": self.seed, "contract": contract.hash}
        for phase in self.phases:
            numbers = {name: value for name, value in vars(phase).items() if name not in ("name", "tasks", "rates")}
            numbers["betas"] = list(phase.betas)
            numbers["tasks"] = [[task.name, task.weight] for task in phase.tasks]
            numbers["rates"] = dict(sorted(phase.rates.items()))
            facts |= {f"phase {phase.name!r}: {name}": value for name, value in numbers.items()}
        return facts | {"phases": [phase.name for phase in self.phases]}


def _require(holds: bool, rule: str) -> None:
    if not holds:
        raise ContractError(rule)


def _finite(what: str, value: float) -> None:
    fits = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value) and value >= 0
    _require(fits, f"{what} must be a number >= 0, got {value!r}")


def _positive(what: str, value: float) -> None:
    _finite(what, value)
    _require(value > 0, f"{what} must be above 0, got {value!r}")


def _whole(what: str, value: int, minimum: int) -> None:
    fits = isinstance(value, int) and not isinstance(value, bool) and value >= minimum
    _require(fits, f"{what} must be a whole number >= {minimum}, got {value!r}")


def _unique(what: str, names: list[str]) -> None:
    _require(len(set(names)) == len(names), f"{what} must have different names, got {', '.join(names)}")
