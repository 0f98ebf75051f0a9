"""Sets of a folder per class without a published split: EuroSAT, Caltech-101, RESISC45.

Their cut is ours: within a class, pictures are put in the order of the SHA-256 of `class/file name`, which depends on
nothing but these names, and each split takes a stretch of that order.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from contralto.sets.data_set import Class, Item
from contralto.sets.layouts.class_index import agree, by_folder, labelled_files
from contralto.sets.layouts.locate import MissingPath, folders, lines, one_of, pictures


def eurosat(root: Path, split: str, classes: Sequence[Class]) -> list[Item]:
    """`Forest/Forest_1.jpg`: of each class 500 for test, the next 1,000 for training, the sizes of the paper."""
    return _cut(root, classes, {"test": slice(500), "train": slice(500, 1500)}[split])


def caltech101(root: Path, split: str, classes: Sequence[Class]) -> list[Item]:
    """`accordion/image_0001.jpg`: of each class 30 for training, the others for test."""
    return _cut(root, classes, {"train": slice(30), "test": slice(30, None)}[split])


def resisc45(root: Path, split: str, classes: Sequence[Class]) -> list[Item]:
    """`airport/airport_001.jpg`: 70 of each class for training, 70 for validation, the others for test.

    Where resisc45-train.txt, -val.txt and -test.txt (`airport_001.jpg` a line) lie in or beside the folder, they say.
    """
    folder = one_of(root, "NWPU-RESISC45", ".")
    beside = next((top for top in (folder, folder.parent) if (top / "resisc45-test.txt").exists()), None)
    if beside is None:
        return _cut(folder, classes, {"train": slice(70), "val": slice(70, 140), "test": slice(140, None)}[split])
    listed = one_of(beside, f"resisc45-{split}.txt")
    called = ((line, line.rpartition("_")[0]) for line in lines(listed))
    return labelled_files(folder, ".", ((f"{name}/{line}", name) for line, name in called), classes, listed)


def _cut(root: Path, classes: Sequence[Class], part: slice) -> list[Item]:
    place = by_folder(classes)
    there = [name for name in folders(root) if pictures(root / name)]
    if not place.keys() & set(there):
        raise MissingPath(f"{root / next(iter(place))} is not there")
    agree(there, place, root)
    return [
        Item(f"{name}/{path.name}", path, place[name]) for name in there for path in sorted(_drawn(root / name)[part])
    ]


def _drawn(folder: Path) -> list[Path]:
    """The pictures of a class in an order that looks random and is the same everywhere."""
    return sorted(pictures(folder), key=lambda path: hashlib.sha256(f"{folder.name}/{path.name}".encode()).digest())
