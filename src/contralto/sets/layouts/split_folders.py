"""Sets of a folder per class below a folder per split: Country211, Rendered SST2. ImageNet's are listed so, too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from contralto.sets.data_set import Class, Item
from contralto.sets.layouts.class_index import agree, by_folder
from contralto.sets.layouts.locate import MissingPath, folders, one_of, pictures


def per_class(root: Path, folder: Path, place: Mapping[str, int]) -> list[Item]:
    """All pictures in `folder`'s folders, which are just those of `place`: what the data call a class -> its index.

    Sorted by folder, then by file; keys are relative to `root`. Raises DataError, and MissingPath if no class is there.
    """
    there = folders(folder)
    if place.keys().isdisjoint(there):
        raise MissingPath(f"{folder / next(iter(place))} is not there")
    agree(there, place, folder)
    return [
        Item(path.relative_to(root).as_posix(), path, place[name]) for name in there for path in pictures(folder / name)
    ]


def country211(root: Path, split: str, classes: Sequence[Class]) -> list[Item]:
    """train, valid and test, each with a folder per country by its ISO code."""
    return per_class(root, one_of(root, {"val": "valid"}.get(split, split)), by_folder(classes))


def sst2(root: Path, split: str, classes: Sequence[Class]) -> list[Item]:
    """train, valid and test, each with the folders negative and positive."""
    return per_class(root, one_of(root, {"val": "valid"}.get(split, split)), by_folder(classes))
