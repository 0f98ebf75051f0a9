"""Split names: one name per split, however folders, tables and shards spell it."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final

UNSPLIT: Final = "all"
"""The split name of files that state no split."""
VALIDATION: Final = ("val", "dev", "eval")
"""Splits that serve as validation, the most usual first."""

_SPELLINGS = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation"),
    "test": ("test", "testing"),
    "dev": ("dev", "devel", "development"),
    "eval": ("eval", "evaluation"),
}
_NAMES_BY_SPELLING = {spelling: name for name, spellings in _SPELLINGS.items() for spelling in spellings}
_SHARD = re.compile(
    rf"(.+)-\d{{5}}-of-\d{{5}}|({'|'.join(sorted(_NAMES_BY_SPELLING, key=len, reverse=True))})(?![A-Za-z]).*",
    re.IGNORECASE,
)


def split_name(name: str) -> str:
    """The standard name of a split: train for `Training`, val for `valid` and `validation`. Other names stay."""
    return _NAMES_BY_SPELLING.get(name.strip().lower(), name)


def is_split(name: str) -> bool:
    """Whether the name is a spelling of train, val, test, dev or eval."""
    return name.strip().lower() in _NAMES_BY_SPELLING


def split_of_shard(stem: str) -> str | None:
    """The split at the start of a shard's name, as in `test-00000-of-00004` or `valid_3`; None if it has none."""
    match = _SHARD.fullmatch(stem)
    return split_name(match[1] or match[2]) if match else None


def find_split(name: str, splits: Collection[str]) -> str | None:
    """The split that `name` means, in any spelling; None if missing. If val is missing, `val` means dev or eval."""
    if name in splits:
        return name
    standard = split_name(name)
    wanted = VALIDATION if standard == "val" else (standard,)
    return next((split for split in wanted if split in splits), None)
