"""A folder per class without a published split: EuroSAT, Caltech-101, RESISC45.

The split is our own choice: the pictures of a class are sorted by the SHA-256 of `class/file name`, which depends only
on these names, and each split takes a range of that order.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from contralto.sets.data_set import Class, Item
from contralto.sets.layouts.class_index import check_classes, index_by_folder, labelled_files
from contralto.sets.layouts.locate import MissingPath, first_existing, folder_names, picture_files
from contralto.sets.list_files import read_lines


def eurosat(root: Path, split: str, classes: Sequence[Class]) -> list[Item]:
    """`Forest/Forest_1.jpg`. Per class 500 for test, the next 1,000 for training: the sizes in the CLIP paper."""
    return _cut(root, classes, {"test": slice(500), "train": slice(500, 1500)}[split])


def caltech101(root: Path, split: str, classes: Sequence[Class]) -> list[Item]:
    """`accordion/image_0001.jpg`. Per class 30 for training, the others for test."""
    return _cut(root, classes, {"train": slice(30), "test": slice(30, None)}[split])


def resisc45(root: Path, split: str, classes: Sequence[Class]) -> list[Item]:
    """`airport/airport_001.jpg`. Per class 70 for training, 70 for validation, the others for test.

    resisc45-train.txt, -val.txt and -test.txt (lines such as `airport_001.jpg`) in the folder or next to it take
    precedence.
    """
    folder = first_existing(root, "NWPU-RESISC45", ".")
    list_folder = next((top for top in (folder, folder.parent) if (top / "resisc45-test.txt").exists()), None)
    if list_folder is None:
        return _cut(folder, classes, {"train": slice(70), "val": slice(70, 140), "test": slice(140, None)}[split])
    list_file = first_existing(list_folder, f"resisc45-{split}.txt")
    named = ((line, line.rpartition("_")[0]) for line in read_lines(list_file))
    return labelled_files(folder, ".", ((f"{name}/{line}", name) for line, name in named), classes, list_file)


def _cut(root: Path, classes: Sequence[Class], part: slice) -> list[Item]:
    index_by_name = index_by_folder(classes)
    names = [name for name in folder_names(root) if picture_files(root / name)]
    if not index_by_name.keys() & set(names):
        raise MissingPath(f"{root / next(iter(index_by_name))} is missing")
    check_classes(names, index_by_name, root)
    return [
        Item(f"{name}/{path.name}", path, index_by_name[name])
        for name in names
        for path in sorted(_shuffled(root / name)[part])
    ]


def _shuffled(folder: Path) -> list[Path]:
    """The pictures of a class in a pseudo-random order that is the same on every machine."""
    return sorted(
        picture_files(folder), key=lambda path: hashlib.sha256(f"{folder.name}/{path.name}".encode()).digest()
    )
