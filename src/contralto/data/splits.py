"""What splits are called: one name for each of them, however folders, tables and the names of shards spell it."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final

UNSPLIT: Final = "all"
"""The split of files that know of none."""
VALIDATION: Final = ("val", "dev", "eval")
"""Splits that serve as validation, the usual one first."""

_SPELLINGS = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation"),
    "test": ("test", "testing"),
    "dev": ("dev", "devel", "development"),
    "eval": ("eval", "evaluation"),
}
_KNOWN = {spelling: name for name, spellings in _SPELLINGS.items() for spelling in spellings}
_SHARD = re.compile(
    rf"(.+)-\d{{5}}-of-\d{{5}}|({'|'.join(sorted(_KNOWN, key=len, reverse=True))})(?![A-Za-z]).*", re.IGNORECASE
)


def split_name(name: str) -> str:
    """The one name of a split: `Training` is train, `valid` and `validation` are val. Other names stay as they are."""
    return _KNOWN.get(name.strip().lower(), name)


def is_split(name: str) -> bool:
    """Whether a folder of that name is taken for a split: train, val, test, dev or eval in any of their spellings."""
    return name.strip().lower() in _KNOWN


def split_of_shard(stem: str) -> str | None:
    """The split that a shard's name begins with: `test-00000-of-00004`, `valid_3`. None if it begins with none."""
    named = _SHARD.fullmatch(stem)
    return split_name(named[1] or named[2]) if named else None


def among(asked: str, splits: Collection[str]) -> str | None:
    """The split that is meant by `asked`: under any spelling; for validation also dev or eval, where there is no val.
    None if there is none."""
    if asked in splits:
        return asked
    name = split_name(asked)
    wanted = VALIDATION if name == "val" else (name,)
    return next((one for one in wanted if one in splits), None)
