"""The training loop.

Batches and random numbers are functions of (seed, step). A run that was killed and resumed therefore ends in the same
weights as an uninterrupted one, bit for bit on one thread. tests/train/test_loop.py compares the steps with a plain
loop that computes AdamW from its formulas.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from contralto.contract import FILE_NAME, Contract
from contralto.encoder.torch_model import save
from contralto.errors import ContractError, ContraltoError, one_line
from contralto.files import copy_files
from contralto.loss.infonce import clip_scale
from contralto.train import average, run_checkpoint
from contralto.train.autocast import autocast
from contralto.train.interruption import Interruption
from contralto.train.log import Log
from contralto.train.optimiser import adamw, rate_at, rate_of, set_modes, set_rate
from contralto.train.progress_bar import RunDisplay, display
from contralto.train.recipe import Phase, Recipe

if TYPE_CHECKING:
    from contralto.model.clip import CLIP


class Diverged(ContraltoError):
    """The loss or its gradient is not finite, so no checkpoint is written."""


def run(recipe: Recipe, out: str | Path, *, progress: bool = True, steps: int | None = None) -> Path:
    """Runs the recipe, or resumes it, and returns `out`, which then holds the model in native layout.

    out: folder of this run: checkpoint.pt, log.jsonl (one line per step), and at the end contralto.json and
        model.safetensors with its graphs. If it holds a checkpoint of this recipe, the run resumes there.
    progress: show rate, loss and time left on stderr.
    steps: stop after this many steps in all. The schedule stays that of the whole recipe, the current model is written,
        `finish` is not called, and a later call resumes.

    Raises ContractError for a checkpoint of another recipe, WeightsError for a damaged checkpoint or one that cannot be
    written, Diverged if the loss is not finite. If anything else ends the run early (Ctrl-C, an error, a signal whose
    handler raises), it saves a checkpoint of the completed steps, prints a note and raises again.
    """
    out = Path(out)
    state = train(recipe, out, progress=progress, steps=steps)
    contract = write(out, state)
    if recipe.finish is not None and state.step == recipe.steps:
        recipe.finish(state.model, contract, out)
    return out


def train(
    recipe: Recipe,
    out: Path,
    *,
    progress: bool | Callable[[int, int], object] = True,
    steps: int | None = None,
) -> RunState:
    """Runs or resumes the recipe as `run` does, but writes no model: `out` gets checkpoint.pt and log.jsonl.

    progress: a function is called with (completed steps, last step) instead, at the start and after each step, and
    nothing is printed. Returns the state after the last step, whose model holds the trained weights.
    """
    model, contract = recipe.build()
    state = start_or_resume(recipe, model, contract, out)
    copy_files(recipe.files, out)
    last = min(recipe.steps, recipe.steps if steps is None else steps)
    log, show = Log(out / "log.jsonl", state.step), display(recipe.name, state.step, last, progress)
    with torch.random.fork_rng(devices=[]), log, show, Interruption() as interruption:
        if state.step:
            show.note(f"resumes after step {state.step} of {recipe.steps} from {state.path}")
        try:
            advance(recipe, state, last, log, show, interruption)
            with interruption.held():
                state.save()
        except Diverged:
            raise
        except BaseException:
            with interruption.held():
                save_after_error(recipe, state, show)
            raise
        note_skipped(recipe, show)
    return state


def advance(recipe: Recipe, state: RunState, last: int, log: Log, show: RunDisplay, interruption: Interruption) -> None:
    """Does the steps up to `last`, with the validations and checkpoints that are due."""
    while True:
        if is_due(recipe.validate_every, state.step, recipe.steps) and log.validated < state.step:
            log.write({"step": state.step, "validation": validate(recipe, state, show)})
        if state.step >= last:
            return
        with interruption.held():
            figures = train_step(recipe, state)
            log.write(figures)
            if state.step < last and is_due(recipe.checkpoint_every, state.step, last):
                state.save()
        show.step(state.step, figures["loss"])


def save_after_error(recipe: Recipe, state: RunState, show: RunDisplay) -> None:
    """Saves a checkpoint after an early end, if one can be written, and prints a note."""
    try:
        state.save()
    except Exception as error:  # the caller raises the error that ended the run
        show.note(one_line(str(error)))
    if state.saved:
        show.note(f"stopped; saved after step {state.saved} of {recipe.steps}, the same command resumes there")


def train_step(recipe: Recipe, state: RunState) -> dict[str, Any]:
    """One step: batch, forward, backward, clip, step. Returns the line for the log.

    seconds: the time of the whole step; data_seconds: the part that waited for batches.
    """
    start, data_seconds = time.monotonic(), 0.0
    phase, step = recipe.at(state.step)
    optimiser = state.enter(phase)
    torch.manual_seed(recipe.seed * 1_000_003 + state.step)
    lr = rate_at(phase, step)
    set_rate(optimiser, lr)
    losses = {}
    with buffers_restored(state.model):
        for task in phase.tasks:  # one graph at a time: the gradients add up
            before = time.monotonic()
            batch = task.batch(state.step)
            data_seconds += time.monotonic() - before
            with autocast(phase.precision):
                loss = task.loss(state.model, batch)
            losses[task.name] = require_finite(loss.item(), f"task {task.name!r}: the loss", state.step)
            (task.weight * loss).backward()  # type: ignore[no-untyped-call]
        parameters = [parameter for group in optimiser.param_groups for parameter in group["params"]]
        norm = torch.nn.utils.clip_grad_norm_(parameters, phase.clip_norm)
        require_finite(norm.item(), "the gradient's norm", state.step)
    state.consistent = False
    optimiser.step()
    optimiser.zero_grad(set_to_none=True)
    if state.model.logit_scale.requires_grad:
        clip_scale(state.model.logit_scale)
    scale = math.exp(state.model.logit_scale.item())
    state.done(phase, last=step == phase.steps - 1)
    total = sum(task.weight * losses[task.name] for task in phase.tasks)
    figures: dict[str, Any] = {"step": state.step, "phase": phase.name, "loss": total, "lr": lr, "scale": scale}
    figures |= {"gradient_norm": norm.item()} | speed(phase, time.monotonic() - start, data_seconds)
    return figures | ({f"loss/{name}": loss for name, loss in losses.items()} if len(losses) > 1 else {})


def speed(phase: Phase, seconds: float, data_seconds: float) -> dict[str, float]:
    """The times of a step for the log, and samples per second if every task states its batch size."""
    times = {"seconds": round(seconds, 4), "data_seconds": round(data_seconds, 4)}
    sizes = [task.batch_size for task in phase.tasks if task.batch_size is not None]
    if len(sizes) < len(phase.tasks):
        return times
    return times | {"samples_per_second": round(sum(sizes) / max(seconds, 1e-9), 1)}


def start_or_resume(recipe: Recipe, model: CLIP, contract: Contract, out: Path) -> RunState:
    """The state that the run starts from; loads a checkpoint into `model`, or makes the folder `out`.

    Raises ContractError, WeightsError.
    """
    # Precedence, the first that applies:
    # 1. a checkpoint of this recipe in `out`: resume it (ContractError for another recipe's);
    # 2. a model in `out` without a checkpoint: ContractError, since the run would overwrite it;
    # 3. weights that `recipe.build` put into the model (load_tower, a checkpoint of another model): start from them;
    # 4. else the random weights of `create`: start from scratch.
    path, from_build = out / run_checkpoint.CHECKPOINT_FILE, frozenset[str]()
    if not recipe.saves_locked:
        from_build = always_locked(recipe, model)
    state = RunState(model, contract, path, recipe.facts(contract), from_build)
    checkpoint = run_checkpoint.load(state.path, state.facts)
    if checkpoint is not None:
        state.restore(checkpoint, recipe)
    elif (out / FILE_NAME).exists():
        raise ContractError(f"{out} holds a model but no checkpoint of a run: choose another folder")
    else:
        out.mkdir(parents=True, exist_ok=True)
    return state


def always_locked(recipe: Recipe, model: CLIP) -> frozenset[str]:
    """The names of the parameters that every phase of the recipe locks."""
    by_phase = [rate_of(model, phase.rates) for phase in recipe.phases]
    return frozenset(name for name in by_phase[0] if not any(rates[name] for rates in by_phase))


class RunState:
    """What a run changes: the model and, within a phase, its optimiser and average.

    step: completed steps. saved: the step of the checkpoint on the disk, 0 without one. consistent: False while a step
    changes the weights; if an error leaves it False, no checkpoint is written any more.
    """

    def __init__(
        self,
        model: CLIP,
        contract: Contract,
        path: Path,
        facts: dict[str, object],
        from_build: frozenset[str] = frozenset(),
    ) -> None:
        """A new run. path: the path of the checkpoint. facts: `Recipe.facts`. from_build: names of the tensors that
        checkpoints leave out, because `Recipe.build` makes them and no step changes them."""
        self.model, self.contract, self.path, self.facts = model, contract, path, facts
        self._from_build = from_build
        self.step = self.saved = self._tried = 0
        self.consistent = True
        self.optimiser: torch.optim.AdamW | None = None
        self.average: average.Average | None = None

    def restore(self, checkpoint: run_checkpoint.RunCheckpoint, recipe: Recipe) -> None:
        """Continues from a checkpoint of the recipe."""
        kept = {name: tensor for name, tensor in self.model.state_dict().items() if name in self._from_build}
        self.model.load_state_dict(kept | checkpoint.model)
        self.step = self.saved = self._tried = checkpoint.step
        if checkpoint.optimiser is not None:
            self.enter(recipe.at(checkpoint.step)[0]).load_state_dict(checkpoint.optimiser)
            self.average = checkpoint.ema

    def enter(self, phase: Phase) -> torch.optim.AdamW:
        """The phase's optimiser, created at its first step."""
        if self.optimiser is None:
            self.optimiser = adamw(self.model, phase)
            self.average = average.start(self.model) if phase.ema else None
        return self.optimiser

    def done(self, phase: Phase, last: bool) -> None:
        """Counts a step; after the last step of a phase the average replaces the weights."""
        if self.average is not None and phase.ema:
            average.update(self.average, self.model, phase.ema)
            if last:
                self.model.load_state_dict(self.average)
        if last:
            self.optimiser, self.average = None, None
        self.step += 1
        self.consistent = True

    def save(self) -> None:
        """Writes the checkpoint, unless this step was saved or tried before. Raises WeightsError."""
        if self._tried == self.step or not self.consistent:
            return
        self._tried = self.step
        optimiser = None if self.optimiser is None else self.optimiser.state_dict()
        weights = {name: tensor for name, tensor in self.model.state_dict().items() if name not in self._from_build}
        checkpoint = run_checkpoint.RunCheckpoint(self.step, weights, optimiser, self.average)
        run_checkpoint.save(self.path, checkpoint, self.facts)
        self.saved = self.step


def validate(recipe: Recipe, state: RunState, show: RunDisplay) -> dict[str, float]:
    """The recipe's validation of the weights that would be written now."""
    if recipe.validate is None:
        return {}
    with average.in_place(state.average, state.model), torch.no_grad():
        state.model.eval()
        figures = recipe.validate(state.model, state.contract)
    set_modes(state.model)
    show.note(f"step {state.step}: " + "  ".join(f"{name} {value:.4g}" for name, value in figures.items()))
    show.pause()
    return figures


def write(out: Path, state: RunState) -> Contract:
    """Writes the model in native layout with the learned scale in its contract. Leaves the model in eval mode."""
    with average.in_place(state.average, state.model):
        return save(out, state.model.eval(), state.contract)


def is_due(every: int, step: int, last: int) -> bool:
    """Whether an action of every `every` steps (0: never) and of the last step is due after `step` steps."""
    return every > 0 and (step % every == 0 or step == last)


def require_finite(value: float, what: str, step: int) -> float:
    """`value`, if it is finite. Raises Diverged."""
    if not math.isfinite(value):
        raise Diverged(f"{what} is {value} at step {step}: lower lr or check the data")
    return value


@contextlib.contextmanager
def buffers_restored(model: CLIP) -> Iterator[None]:
    """Restores the buffers (batch norm's running statistics) if the block fails, as if the step had not started."""
    before = [(buffer, buffer.clone()) for buffer in model.buffers()]
    try:
        yield
    except BaseException:
        for buffer, value in before:
            buffer.copy_(value)
        raise


def note_skipped(recipe: Recipe, show: RunDisplay) -> None:
    """Prints one note for each task that skipped samples."""
    for task in (task for phase in recipe.phases for task in phase.tasks if task.skipped is not None):
        counts = task.skipped() if task.skipped is not None else {}
        if counts:
            listed = "; ".join(f"{count} x {reason}" for reason, count in counts.items())
            show.note(f"task {task.name}: {sum(counts.values())} samples left out: {listed}")
