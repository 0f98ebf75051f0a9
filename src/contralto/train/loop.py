"""The training loop. Everything in it is exact to repeat: a run that was killed and resumed ends in the same weights
as one that was not (bit for bit on one thread), since batches and random numbers are functions of (seed, step)."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from contralto.contract import FILE_NAME, Contract
from contralto.encoder.torch_model import save
from contralto.errors import ContractError, ContraltoError, one_line
from contralto.files import copy_files
from contralto.loss.infonce import clip_scale
from contralto.train import average, checkpoint
from contralto.train.interruption import Interruption
from contralto.train.log import Log
from contralto.train.optimiser import adamw, rate_at, set_modes, set_rate
from contralto.train.precision import autocast
from contralto.train.progress import Progress
from contralto.train.recipe import Phase, Recipe

if TYPE_CHECKING:
    from contralto.model.clip import CLIP


class Diverged(ContraltoError):
    """The loss or its gradient is no longer finite: the weights are not worth a checkpoint."""


def run(recipe: Recipe, out: str | Path, *, progress: bool = True, steps: int | None = None) -> Path:
    """Carries out the recipe, or goes on with it, and returns `out`, which then holds the model in native layout.

    out: folder of this run: checkpoint.pt, log.jsonl (a line a step), and at the end contralto.json and
        model.safetensors with its graphs. If it holds a checkpoint of this recipe, the run goes on from there.
    progress: show rate, loss and time left on stderr.
    steps: stop after so many steps in all; the schedule stays that of the whole recipe, the model is written as it
        stands, `finish` is not called, and a later call goes on.

    Raises ContractError for a checkpoint of another recipe, WeightsError for a damaged one or one that the disk does
    not take, Diverged where the loss is no longer finite. Whatever else ends the run early, Ctrl-C or an error, it
    saves a checkpoint of the steps done, says so and raises that. So does a signal whose handler raises.
    """
    out = Path(out)
    model, contract = recipe.build()
    state = State(recipe, model, contract, out)
    copy_files(recipe.files, out)
    last = min(recipe.steps, recipe.steps if steps is None else steps)
    log, show = Log(out / "log.jsonl", state.step), Progress(recipe.name, state.step, last, progress)
    with torch.random.fork_rng(devices=[]), log, show, Interruption() as interruption:
        if state.step:
            show.note(f"goes on after step {state.step} of {recipe.steps} from {state.path}")
        try:
            advance(recipe, state, last, log, show, interruption)
            with interruption.held():
                state.save()
        except Diverged:
            raise
        except BaseException:
            with interruption.held():
                keep(recipe, state, show)
            raise
        tell_skipped(recipe, show)
    contract = write(out, state)
    if recipe.finish is not None and state.step == recipe.steps:
        recipe.finish(model, contract, out)
    return out


def advance(recipe: Recipe, state: State, last: int, log: Log, show: Progress, interruption: Interruption) -> None:
    """Does the steps up to `last`, with the validations and checkpoints that are due meanwhile."""
    while True:
        if due(recipe.validate_every, state.step, recipe.steps) and log.validated < state.step:
            log.write({"step": state.step, "validation": validate(recipe, state, show)})
        if state.step >= last:
            return
        with interruption.held():
            figures = train_step(recipe, state)
            log.write(figures)
            if state.step < last and due(recipe.checkpoint_every, state.step, last):
                state.save()
        show.step(state.step, figures["loss"])


def keep(recipe: Recipe, state: State, show: Progress) -> None:
    """After an early end: a checkpoint of the steps done, where one can be written, and a line that tells."""
    try:
        state.save()
    except Exception as error:  # the run's own error is the one to raise
        show.note(one_line(str(error)))
    if state.saved:
        show.note(f"stopped; saved after step {state.saved} of {recipe.steps}, the same command goes on from there")


def train_step(recipe: Recipe, state: State) -> dict[str, Any]:
    """One step: batch, forward, backward, clip, step. Returns the figures for the log."""
    began = time.monotonic()
    phase, step = recipe.at(state.step)
    optimiser = state.enter(phase)
    torch.manual_seed(recipe.seed * 1_000_003 + state.step)
    lr = rate_at(phase, step)
    set_rate(optimiser, lr)
    losses = {}
    with buffers_restored(state.model):
        for task in phase.tasks:  # one graph at a time: the gradients add up
            batch = task.batch(state.step)
            with autocast(phase.precision):
                loss = task.loss(state.model, batch)
            losses[task.name] = finite(loss.item(), f"task {task.name!r}: the loss", state.step)
            (task.weight * loss).backward()  # type: ignore[no-untyped-call]
        parameters = [parameter for group in optimiser.param_groups for parameter in group["params"]]
        norm = torch.nn.utils.clip_grad_norm_(parameters, phase.clip_norm)
        finite(norm.item(), "the gradient's norm", state.step)
    state.whole = False
    optimiser.step()
    optimiser.zero_grad(set_to_none=True)
    if state.model.logit_scale.requires_grad:
        clip_scale(state.model.logit_scale)
    scale = math.exp(state.model.logit_scale.item())
    state.done(phase, last=step == phase.steps - 1)
    total = sum(task.weight * losses[task.name] for task in phase.tasks)
    figures: dict[str, Any] = {"step": state.step, "phase": phase.name, "loss": total, "lr": lr, "scale": scale}
    figures |= {"gradient_norm": norm.item(), "seconds": round(time.monotonic() - began, 4)}
    return figures | ({f"loss/{name}": loss for name, loss in losses.items()} if len(losses) > 1 else {})


class State:
    """What a run changes: the model, and within a phase its optimiser and average.

    step: steps done. saved: those of the checkpoint on the disk, 0 without one. whole: False while a step changes the
    weights; an error leaves it so, and nothing is saved any more.
    """

    def __init__(self, recipe: Recipe, model: CLIP, contract: Contract, out: Path) -> None:
        """From the checkpoint in `out`, if there is one; else a new run."""
        self.model, self.contract = model, contract
        self.path, self.facts = out / checkpoint.FILE_NAME, recipe.facts(contract)
        self.step = self.saved = self._tried = 0
        self.whole = True
        self.optimiser: torch.optim.AdamW | None = None
        self.average: average.Average | None = None
        saved = checkpoint.load(self.path, self.facts)
        if saved is None:
            if (out / FILE_NAME).exists():
                raise ContractError(f"{out} holds a model but no checkpoint of a run: choose another folder")
            out.mkdir(parents=True, exist_ok=True)
            return
        model.load_state_dict(saved.model)
        self.step = self.saved = self._tried = saved.step
        if saved.optimiser is not None:
            self.enter(recipe.at(saved.step)[0]).load_state_dict(saved.optimiser)
            self.average = saved.ema

    def enter(self, phase: Phase) -> torch.optim.AdamW:
        """The phase's optimiser, made at its first step."""
        if self.optimiser is None:
            self.optimiser = adamw(self.model, phase)
            self.average = average.start(self.model) if phase.ema else None
        return self.optimiser

    def done(self, phase: Phase, last: bool) -> None:
        """Counts a step; after the phase's last one the average takes the place of the weights."""
        if self.average is not None and phase.ema:
            average.update(self.average, self.model, phase.ema)
            if last:
                self.model.load_state_dict(self.average)
        if last:
            self.optimiser, self.average = None, None
        self.step += 1
        self.whole = True

    def save(self) -> None:
        """Writes the checkpoint, unless there is one of this step or its writing has failed. Raises WeightsError."""
        if self._tried == self.step or not self.whole:
            return
        self._tried = self.step
        optimiser = None if self.optimiser is None else self.optimiser.state_dict()
        checkpoint.save(
            self.path, checkpoint.Saved(self.step, self.model.state_dict(), optimiser, self.average), self.facts
        )
        self.saved = self.step


def validate(recipe: Recipe, state: State, show: Progress) -> dict[str, float]:
    """The recipe's figures for the weights as they would be written now."""
    if recipe.validate is None:
        return {}
    with average.in_place(state.average, state.model), torch.no_grad():
        state.model.eval()
        figures = recipe.validate(state.model, state.contract)
    set_modes(state.model)
    show.note(f"step {state.step}: " + "  ".join(f"{name} {value:.4g}" for name, value in figures.items()))
    show.pause()
    return figures


def write(out: Path, state: State) -> Contract:
    """The model in native layout, the learned scale in its contract; the model is left in eval mode."""
    with average.in_place(state.average, state.model):
        return save(out, state.model.eval(), state.contract)


def due(every: int, step: int, last: int) -> bool:
    """Whether what is done every `every` steps (0: never), and after the last, is due when `step` steps are done."""
    return every > 0 and (step % every == 0 or step == last)


def finite(value: float, what: str, step: int) -> float:
    """`value`, if the run can go on with it. Raises Diverged."""
    if not math.isfinite(value):
        raise Diverged(f"{what} is {value} at step {step}: lower lr or check the data")
    return value


@contextlib.contextmanager
def buffers_restored(model: CLIP) -> Iterator[None]:
    """If the block fails, the buffers (batch norm's running figures) are as before: the step was not begun."""
    before = [(buffer, buffer.clone()) for buffer in model.buffers()]
    try:
        yield
    except BaseException:
        for buffer, value in before:
            buffer.copy_(value)
        raise


def tell_skipped(recipe: Recipe, show: Progress) -> None:
    """One note for each task that left out samples."""
    for task in (task for phase in recipe.phases for task in phase.tasks if task.skipped is not None):
        counts = task.skipped() if task.skipped is not None else {}
        if counts:
            listed = "; ".join(f"{count} x {reason}" for reason, count in counts.items())
            show.note(f"task {task.name}: {sum(counts.values())} samples left out: {listed}")
