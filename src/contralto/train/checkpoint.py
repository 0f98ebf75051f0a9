"""The state of a run in one file, written whole or not at all: kill -9 at any time leaves the previous one.

Random state needs no place in it: every step seeds torch's generator with (recipe.seed, step).
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

FILE_NAME = "checkpoint.pt"
VERSION = 1


@dataclass
class Saved:
    """step: steps done. model: its state_dict. optimiser: its state_dict, None between phases. ema: the averages, if
    the phase has them."""

    step: int
    model: dict[str, Tensor]
    optimiser: dict[str, object] | None
    ema: dict[str, Tensor] | None


def save(path: Path, state: Saved, facts: dict[str, object]) -> None:
    """Writes atomically, and removes what a process killed while writing left beside. `facts`: `Recipe.facts`.

    Raises WeightsError where the disk does not take it; the former file then stays as it was.
    """
    for stray in path.parent.glob(f".{path.name}.*.tmp"):
        stray.unlink(missing_ok=True)
    failures: list[OSError] = []
    try:
        with written_whole(path) as file:
            output = cast(BinaryIO, _Output(file, failures))
            torch.save({"version": VERSION, "facts": json.dumps(facts), **vars(state)}, output)
    except (OSError, RuntimeError) as error:
        failure = error if isinstance(error, OSError) else failures[0] if failures else None
        if failure is None:
            raise
        raise WeightsError(f"{path} cannot be written: {(failure.strerror or str(failure)).lower()}") from error


class _Output:
    """The file that torch.save writes to. torch makes a full disk a RuntimeError of its own: `failures` keeps what the
    disk said."""

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


def load(path: Path, facts: dict[str, object]) -> Saved | None:
    """The state in `path`, or None if there is no such file. No code of the file is executed.

    Raises ContractError where the file is of another recipe, naming the first fact that differs; WeightsError where
    it is damaged.
    """
    if not path.exists():
        return None
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        version, saved_facts = content.pop("version"), json.loads(content.pop("facts"))
        state = Saved(**content)
    except Exception as error:  # torch.load raises whatever the damage led to
        reason = f"not a readable checkpoint ({type(error).__name__}); delete it to begin anew"
        raise WeightsError(f"{path} is {reason}") from error
    if version != VERSION:
        raise WeightsError(f"{path} is of checkpoint version {version}, this contralto reads {VERSION}")
    for name in [*facts, *saved_facts]:
        here, there = facts.get(name), saved_facts.get(name)
        if here != there:
            raise ContractError(
                f"{path} is of another recipe: {name} is {there!r} there and {here!r} here; choose another folder"
            )
    return state
