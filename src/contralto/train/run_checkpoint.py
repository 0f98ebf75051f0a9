"""The state of a run in one file, written whole or not at all: kill -9 at any time leaves the previous checkpoint.

It holds no random state: every step seeds torch's generator with (recipe.seed, step).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

import torch
from torch import Tensor

from contralto.errors import ContractError, WeightsError
from contralto.files import written_whole

CHECKPOINT_FILE = "checkpoint.pt"
CHECKPOINT_VERSION = 1


@dataclass
class RunCheckpoint:
    """step: completed steps. model: its state_dict. optimiser: its state_dict, None between phases. ema: the averaged
    weights, None in a phase without them."""

    step: int
    model: dict[str, Tensor]
    optimiser: dict[str, object] | None
    ema: dict[str, Tensor] | None


def save(path: Path, state: RunCheckpoint, facts: dict[str, object]) -> None:
    """Writes atomically, and removes temporary files of killed processes. `facts`: `Recipe.facts`.

    Raises WeightsError if the file cannot be written; the previous file is then unchanged.
    """
    for stray in path.parent.glob(f".{path.name}.*.tmp"):
        stray.unlink(missing_ok=True)
    failures: list[OSError] = []
    try:
        with written_whole(path) as file:
            output = cast(BinaryIO, _Output(file, failures))
            torch.save({"version": CHECKPOINT_VERSION, "facts": json.dumps(facts), **vars(state)}, output)
    except (OSError, RuntimeError) as error:
        failure = error if isinstance(error, OSError) else failures[0] if failures else None
        if failure is None:
            raise
        raise WeightsError(f"{path} cannot be written: {(failure.strerror or str(failure)).lower()}") from error


class _Output:
    """The file that torch.save writes to. torch replaces the OSError of a full disk by a RuntimeError, so `failures`
    keeps the original."""

    def __init__(self, file: BinaryIO, failures: list[OSError]) -> None:
        self._file, self._failures = file, failures

    def write(self, data: bytes) -> int:
        try:
            return self._file.write(data)
        except OSError as error:
            self._failures.append(error)
            raise

    def flush(self) -> None:
        self._file.flush()


def load(path: Path, facts: dict[str, object]) -> RunCheckpoint | None:
    """Reads the state in `path`; None if no such file exists. Executes no code from the file.

    Raises ContractError if the file belongs to another recipe, with the first fact that differs; WeightsError if it is
    damaged.
    """
    if not path.exists():
        return None
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        version, saved_facts = content.pop("version"), json.loads(content.pop("facts"))
        state = RunCheckpoint(**content)
    except Exception as error:  # torch.load raises many types for damaged files
        reason = f"not a readable checkpoint ({type(error).__name__}); delete it to start again"
        raise WeightsError(f"{path} is {reason}") from error
    if version != CHECKPOINT_VERSION:
        raise WeightsError(f"{path} has checkpoint version {version}; this contralto reads {CHECKPOINT_VERSION}")
    for name in [*facts, *saved_facts]:
        here, there = facts.get(name), saved_facts.get(name)
        if here != there:
            raise ContractError(
                f"{path} belongs to another recipe: {name} is {there!r} there and {here!r} here; choose another folder"
            )
    return state
