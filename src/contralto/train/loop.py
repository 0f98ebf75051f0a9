"""The training loop. Everything in it is exact to repeat: a run that was killed and resumed ends in the same weights
as one that was not (bit for bit on one thread), since batches and random numbers are functions of (seed, step)."""

from __future__ import annotations

import contextlib
import math
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from contralto.contract import FILE_NAME, Contract
from contralto.encoder.native import save
from contralto.errors import ContractError, ContraltoError
from contralto.loss.infonce import clip_scale
from contralto.train import average, checkpoint
from contralto.train.log import Log
from contralto.train.optimiser import adamw, rate_at, set_modes, set_rate
from contralto.train.precision import autocast
from contralto.train.progress import Progress
from contralto.train.recipe import Phase, Recipe

if TYPE_CHECKING:
    from contralto.model.clip import CLIP


def run(recipe: Recipe, out: str | Path, *, progress: bool = True, steps: int | None = None) -> Path:
    """Carries out the recipe, or goes on with it, and returns `out`, which then holds the model in native layout.

    out: folder of this run: checkpoint.pt, log.jsonl (a line a step), and at the end contralto.json and
        model.safetensors with its graphs. If it holds a checkpoint of this recipe, the run goes on from there.
    progress: show rate, loss and time left on stderr.
    steps: stop after so many steps in all; the schedule stays that of the whole recipe, the model is written as it
        stands, `finish` is not called, and a later call goes on.

    Raises ContractError for a checkpoint of another recipe, WeightsError for a damaged one, ContraltoError where the
    loss is no longer finite. On Ctrl-C it saves a checkpoint, says so and raises KeyboardInterrupt.
    """
    out = Path(out)
    model, contract = recipe.build()
    state = State(recipe, model, contract, out)
    for file in recipe.files:
        shutil.copyfile(file, out / file.name)
    last = min(recipe.steps, recipe.steps if steps is None else steps)
    log, show = Log(out / "log.jsonl", state.step), Progress(recipe.name, state.step, last, progress)
    with torch.random.fork_rng(devices=[]), log, show:
        if state.step:
            show.note(f"goes on after step {state.step} of {recipe.steps} from {state.path}")
        try:
            while True:
                if due(recipe.validate_every, state.step, recipe.steps) and log.validated < state.step:
                    log.write({"step": state.step, "validation": validate(recipe, state, show)})
                if state.step >= last:
                    break
                with interrupt_held():
                    figures = train_step(recipe, state)
                    log.write(figures)
                if state.step < last and due(recipe.checkpoint_every, state.step, last):
                    state.save()
                show.step(state.step, figures["loss"])
        except KeyboardInterrupt:
            state.save()
            show.note(f"stopped; saved after step {state.step} of {recipe.steps}, the same command goes on from there")
            raise
        state.save()
        tell_skipped(recipe, show)
    contract = write(out, state)
    if recipe.finish is not None and state.step == recipe.steps:
        recipe.finish(model, contract, out)
    return out


def train_step(recipe: Recipe, state: State) -> dict[str, Any]:
    """One step: batch, forward, backward, clip, step. Returns the figures for the log."""
    began = time.monotonic()
    phase, step = recipe.at(state.step)
    optimiser = state.enter(phase)
    torch.manual_seed(recipe.seed * 1_000_003 + state.step)
    lr = rate_at(phase, step)
    set_rate(optimiser, lr)
    losses = {}
    for task in phase.tasks:  # one graph at a time: the gradients add up
        batch = task.batch(state.step)
        with autocast(phase.precision):
            loss = task.loss(state.model, batch)
        losses[task.name] = finite(loss.item(), task.name, state.step)
        (task.weight * loss).backward()  # type: ignore[no-untyped-call]
    parameters = [parameter for group in optimiser.param_groups for parameter in group["params"]]
    norm = torch.nn.utils.clip_grad_norm_(parameters, phase.clip_norm)
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
    """What a run changes: the model, and within a phase its optimiser and average. `step` counts the steps done."""

    def __init__(self, recipe: Recipe, model: CLIP, contract: Contract, out: Path) -> None:
        """From the checkpoint in `out`, if there is one; else a new run."""
        self.model, self.contract = model, contract
        self.path, self.facts = out / "checkpoint.pt", recipe.facts(contract)
        self.step = 0
        self.optimiser: torch.optim.AdamW | None = None
        self.average: average.Average | None = None
        saved = checkpoint.load(self.path, self.facts)
        if saved is None:
            if (out / FILE_NAME).exists():
                raise ContractError(f"{out} holds a model but no checkpoint of a run: choose another folder")
            out.mkdir(parents=True, exist_ok=True)
            return
        model.load_state_dict(saved.model)
        self.step = saved.step
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
        self.step += 1
        if self.average is not None and phase.ema:
            average.update(self.average, self.model, phase.ema)
            if last:
                self.model.load_state_dict(self.average)
        if last:
            self.optimiser, self.average = None, None

    def save(self) -> None:
        """Writes the checkpoint."""
        optimiser = None if self.optimiser is None else self.optimiser.state_dict()
        saved = checkpoint.Saved(self.step, self.model.state_dict(), optimiser, self.average)
        with interrupt_held():
            checkpoint.save(self.path, saved, self.facts)


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


def finite(loss: float, task: str, step: int) -> float:
    """`loss`, if the run can go on with it."""
    if not math.isfinite(loss):
        raise ContraltoError(f"task {task!r}: the loss is {loss} at step {step}: lower lr or check its data")
    return loss


def tell_skipped(recipe: Recipe, show: Progress) -> None:
    """One note for each task that left out samples."""
    for task in (task for phase in recipe.phases for task in phase.tasks if task.skipped is not None):
        counts = task.skipped() if task.skipped is not None else {}
        if counts:
            listed = "; ".join(f"{count} x {reason}" for reason, count in counts.items())
            show.note(f"task {task.name}: {sum(counts.values())} samples left out: {listed}")


@contextlib.contextmanager
def interrupt_held() -> Iterator[None]:
    """Ctrl-C within the block takes effect at its end, so that nothing is left half done."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    pressed: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, frame: pressed.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if pressed:
        raise KeyboardInterrupt
