"""A folder per class, on disk or in an uncompressed tar: `[split/]class/picture` (see `data/class_tree.py`).

A JSON file of the same stem may state `classes` (names, or objects with `dir`, `name` and optionally `coarse`) and
`templates`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from contralto.data.class_folders import read_description
from contralto.data.class_tree import ClassTree
from contralto.data.omissions import Omissions
from contralto.data.tar import Contents
from contralto.errors import DataError, one_line
from contralto.sets.data_set import Class, DataSet, Item
from contralto.sets.user_set import UserSet, build_data_set


def open_folders(path: Path, contents: Contents | None = None) -> UserSet:
    """Opens class folders. The classes by index are those of the JSON file, else the sorted folder names, with _ read
    as space.

    path: a folder, or a tar with these contents. Raises DataError, also for a folder that the JSON file does not state.
    """
    tree, description = ClassTree(path, contents), read_description(path)
    classes = _classes(path, description, frozenset(tree.classes()))
    templates = tuple(description.get("templates", ()))
    index = {class_.folder: number for number, class_ in enumerate(classes)}

    def read(split: str) -> DataSet:
        left_out = Omissions()
        items = [Item(key, picture, index[folder]) for folder, key, picture in tree.pictures(split, left_out)]
        return build_data_set(path, split, items, classes, templates, task="classes", left_out=left_out)

    return UserSet(tuple(tree.splits), read)


def _classes(path: Path, description: Mapping[str, Any], folders: frozenset[str]) -> tuple[Class, ...]:
    """Raises DataError if `classes` in the JSON file has another layout, or does not cover the folders."""
    if "classes" not in description:
        if not folders:
            raise DataError(f"{path} holds no pictures in folders per class: expected [split/]class/picture")
        return tuple(Class(folder.replace("_", " "), folder=folder) for folder in sorted(folders))
    file = path.with_suffix(".json")
    if not isinstance(description["classes"], list):
        raise DataError(f"{file}: `classes` must be a list")
    classes = tuple(_class(file, number, entry, folders) for number, entry in enumerate(description["classes"]))
    stated_folders = {class_.folder for class_ in classes}
    if len(stated_folders) < len(classes):
        raise DataError(f"{file}: two classes have the same folder")
    if unknown := sorted(folders - stated_folders):
        raise DataError(
            f"{path} has {len(folders)} class folders, {file.name} states {len(classes)} classes: "
            f"{one_line(unknown[0], 80)!r} is none of them"
        )
    return classes


def _class(file: Path, number: int, entry: object, folders: frozenset[str]) -> Class:
    """The class of one entry of `classes`. The default folder is the name, or the name with _ for space."""
    fields: Mapping[str, Any] = {"name": entry} if isinstance(entry, str) else entry if isinstance(entry, dict) else {}
    name, folder = fields.get("name"), fields.get("dir", fields.get("name"))
    if not isinstance(name, str) or not isinstance(folder, str) or fields.get("index", number) != number:
        raise DataError(f"{file}: class {number} must be a name, or an object with name, dir and, in order, index")
    folder = folder if folder in folders else folder.replace(" ", "_")
    return Class(name, folder=folder, group=str(fields.get("coarse", "")))
