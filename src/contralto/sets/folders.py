"""A folder per class, on the disk or in an uncompressed tar: `[split/]class/picture` (see `data/class_tree.py`).

A JSON of the same stem may state `classes` (names, or objects with `dir`, `name` and maybe `coarse`) and `templates`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from contralto.data.class_folders import stated
from contralto.data.class_tree import ClassTree
from contralto.data.omissions import Omissions
from contralto.data.tar import Contents
from contralto.errors import DataError, one_line
from contralto.sets.data_set import Class, DataSet, Item
from contralto.sets.user_set import UserSet, build_data_set


def open_folders(path: Path, contents: Contents | None = None) -> UserSet:
    """The classes by index: as the JSON beside it states them, else the folders sorted by name, _ read as space.

    path: a folder, or a tar whose contents these are. Raises DataError, also for a folder that the JSON does not state.
    """
    tree, said = ClassTree(path, contents), stated(path)
    classes = _classes(path, said, frozenset(tree.classes()))
    templates = tuple(said.get("templates", ()))
    index = {known.folder: number for number, known in enumerate(classes)}

    def read(split: str) -> DataSet:
        left_out = Omissions()
        items = [Item(key, picture, index[folder]) for folder, key, picture in tree.pictures(split, left_out)]
        return build_data_set(path, split, items, classes, templates, task="classes", left_out=left_out)

    return UserSet(tuple(tree.splits), read)


def _classes(path: Path, said: Mapping[str, Any], folders: frozenset[str]) -> tuple[Class, ...]:
    """Raises DataError if what the JSON states is not laid out so, or does not cover the folders."""
    if "classes" not in said:
        if not folders:
            raise DataError(f"{path} holds no pictures in folders per class: expected [split/]class/picture")
        return tuple(Class(folder.replace("_", " "), folder=folder) for folder in sorted(folders))
    beside = path.with_suffix(".json")
    if not isinstance(said["classes"], list):
        raise DataError(f"{beside}: `classes` must be a list")
    classes = tuple(_class(beside, number, entry, folders) for number, entry in enumerate(said["classes"]))
    known = {stated_class.folder for stated_class in classes}
    if len(known) < len(classes):
        raise DataError(f"{beside}: two classes have the same folder")
    if unknown := sorted(folders - known):
        raise DataError(
            f"{path} has {len(folders)} class folders, {beside.name} states {len(classes)} classes: "
            f"{one_line(unknown[0], 80)!r} is none of them"
        )
    return classes


def _class(beside: Path, number: int, entry: object, folders: frozenset[str]) -> Class:
    """One entry of `classes`: its folder is its name, maybe with _ for space, if none is stated."""
    given: Mapping[str, Any] = {"name": entry} if isinstance(entry, str) else entry if isinstance(entry, dict) else {}
    name, folder = given.get("name"), given.get("dir", given.get("name"))
    if not isinstance(name, str) or not isinstance(folder, str) or given.get("index", number) != number:
        raise DataError(f"{beside}: class {number} must be a name, or an object with name, dir and, in order, index")
    folder = folder if folder in folders else folder.replace(" ", "_")
    return Class(name, folder=folder, group=str(given.get("coarse", "")))
