"""Reads an adaptation together with its base: which model that is, where it lies, and whether it is the right one."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from contralto.errors import ContraltoError, MissingExtraError, WeightsError, one_line
from contralto.weights import adaptation, peft
from contralto.weights.adaptation import StoredAdaptation
from contralto.weights.checkpoint import Checkpoint
from contralto.weights.registry import REPOSITORY_NAME, find

Source = str | os.PathLike[str]
Reader = Callable[[Source], Checkpoint]
"""The name or path of a model -> its checkpoint, as `contralto.load` reads it."""

HASH_SHOWN = 12  # digits of a contract's hash in messages


@dataclass(frozen=True)
class OnBase:
    """An adaptation and the checkpoint of its base, which `source` names."""

    stored: StoredAdaptation
    checkpoint: Checkpoint
    source: Source


def is_adaptation(source: Source) -> bool:
    """Whether the path is a folder with an adaptation, as Contralto or PEFT writes it; "nano" is always a model."""
    return source != "nano" and (adaptation.is_adaptation(source) or peft.is_peft(source))


def read(source: Source, base: Source | None, read_model: Reader) -> OnBase:
    """The adaptation in a folder, and its base: `base` if it is given, else the one that the folder names.

    Raises ContraltoError if no base is named, if it cannot be read or is an adaptation itself; WeightsError if it is
    another model than the adaptation was made for.
    """
    path = Path(os.fsdecode(source))
    shown = one_line(str(path), 200)
    if not adaptation.is_adaptation(source):
        named = base or _peft_base(path)
        checkpoint = _base(named, shown, read_model)
        return OnBase(peft.read(path, checkpoint.contract), checkpoint, named)
    stored = adaptation.read(source)
    stated = stored.description.base
    named = base or located(stated.source or stated.name, stored.folder)
    checkpoint = _base(named, shown, read_model)
    contract = checkpoint.contract
    if contract.hash != stated.contract:
        made = f"{shown} was made for {one_line(stated.name, 80)!r} (contract {stated.contract[:HASH_SHOWN]})"
        given = f"{one_line(os.fsdecode(named), 200)} is {contract.name!r} (contract {contract.hash[:HASH_SHOWN]})"
        raise WeightsError(f"{made}, but {given}: name the model that it was made for as its base (--base)")
    return OnBase(stored, checkpoint, named)


def located(source: str, folder: Path) -> Source:
    """Where a base is: the path that `source` is, seen from the adaptation's folder, if there is one; else a name."""
    path = folder / source
    return path if source != "nano" and os.path.exists(path) else source


def _peft_base(folder: Path) -> Source:
    name = peft.base_name(folder)
    if name is None:
        raise ContraltoError(f"{one_line(str(folder), 200)} names no base: give one (--base)")
    where = located(name, folder)
    if isinstance(where, Path) or not REPOSITORY_NAME.fullmatch(name):
        return where
    try:
        return find(name).name
    except ContraltoError:
        return f"hf:{name}"  # the hub's name of a model that the registry does not list


def _base(named: Source, shown: str, read_model: Reader) -> Checkpoint:
    if is_adaptation(named):
        base = one_line(os.fsdecode(named), 200)
        raise ContraltoError(f"{shown} cannot be put on {base}, which is an adaptation too: convert that one first")
    try:
        return read_model(named)
    except MissingExtraError:
        raise
    except ContraltoError as error:
        raise WeightsError(f"the base of {shown} cannot be read, name it (--base): {error}") from error
