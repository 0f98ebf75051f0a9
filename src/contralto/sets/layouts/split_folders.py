"""A folder per class below a folder per split: Country211, Rendered SST2. `imagenet.py` uses `per_class` too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from contralto.sets.data_set import Class, Item
from contralto.sets.layouts.class_index import check_classes, index_by_folder
from contralto.sets.layouts.locate import MissingPath, first_existing, folder_names, picture_files


def class_folder_items(root: Path, folder: Path, index_by_name: Mapping[str, int]) -> list[Item]:
    """All pictures in the class folders of `folder`, sorted by folder and file; keys are relative to `root`.

    index_by_name: class folder -> class index. Raises DataError if the folders differ from these, MissingPath if none
    of them exists.
    """
    names = folder_names(folder)
    if index_by_name.keys().isdisjoint(names):
        raise MissingPath(f"{folder / next(iter(index_by_name))} is missing")
    check_classes(names, index_by_name, folder)
    return [
        Item(path.relative_to(root).as_posix(), path, index_by_name[name])
        for name in names
        for path in picture_files(folder / name)
    ]


def country211(root: Path, split: str, classes: Sequence[Class]) -> list[Item]:
    """train, valid and test, each with a folder per country by its ISO code."""
    return class_folder_items(root, first_existing(root, {"val": "valid"}.get(split, split)), index_by_folder(classes))


def sst2(root: Path, split: str, classes: Sequence[Class]) -> list[Item]:
    """train, valid and test, each with the folders negative and positive."""
    return class_folder_items(root, first_existing(root, {"val": "valid"}.get(split, split)), index_by_folder(classes))
