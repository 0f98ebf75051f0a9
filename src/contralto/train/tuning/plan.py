"""How many steps fit in the time: measured once, then written down, so that a resumed run has the same schedule."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from contralto.errors import ContractError
from contralto.files import written_whole
from contralto.train import average
from contralto.train.loop import RunState, train_step
from contralto.train.recipe import Recipe

if TYPE_CHECKING:
    from contralto.model.clip import CLIP

PLAN_FILE = "plan.json"
FEWEST = 10  # fewer change nothing, however long they take


def stated_steps(work: Path, key: str) -> int | None:
    """The steps of the plan in `work`; None if there is none. Raises ContractError for the plan of another tuning."""
    path = work / PLAN_FILE
    try:
        plan = json.loads(path.read_text(encoding="utf-8"))
        steps, theirs = int(plan["steps"]), plan["key"]
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ContractError(f"{path} cannot be read; delete it to start again") from error
    if theirs != key:
        raise ContractError(f"{path} belongs to another tuning (other examples or settings): choose another folder")
    return steps


def write(work: Path, key: str, steps: int) -> None:
    """Writes the plan. Raises OSError."""
    work.mkdir(parents=True, exist_ok=True)
    with written_whole(work / PLAN_FILE) as file:
        file.write(json.dumps({"steps": steps, "key": key}).encode())


def steps_within(seconds: float, model: CLIP, recipe_of: Callable[[int], Recipe], inputs: int, batch: int) -> int:
    """The number of steps that `seconds` allow, at least `FEWEST`: the second of two steps is measured, then undone.

    recipe_of: number of steps -> the recipe. inputs: pictures and their views, which are prepared once each, at first.
    """
    start = time.monotonic()
    recipe = recipe_of(2)
    state = RunState(model, recipe.build()[1], Path(), {})
    with torch.random.fork_rng(devices=[]), weights_restored(model):
        train_step(recipe, state)
        figures = train_step(recipe, state)
    preparation = figures["data_seconds"] / batch
    compute = max(figures["seconds"] - figures["data_seconds"], 1e-4)
    left = seconds - (time.monotonic() - start)
    steps = left / (compute + batch * preparation)
    if steps * batch > inputs:
        steps = (left - inputs * preparation) / compute
    return max(FEWEST, int(steps))


@contextlib.contextmanager
def weights_restored(model: CLIP) -> Iterator[None]:
    """Puts the model's weights and modes back after the block."""
    before = average.start(model)
    try:
        yield
    finally:
        model.load_state_dict(before)
        model.eval()
