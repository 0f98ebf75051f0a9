"""A folder per class, on the disk or in an uncompressed tar: `[split/]class/picture`.

A JSON of the same stem may state `classes` (names, or objects with `dir`, `name` and maybe `coarse`) and `templates`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

from contralto.data.classes import stated
from contralto.data.tar import Member
from contralto.errors import DataError, one_line
from contralto.image.formats import is_picture
from contralto.sets.found import ALL, Found, data_set, is_split, split_name
from contralto.sets.items import Class, DataSet, Item

Labelled: TypeAlias = tuple[str, str, Path | Member]
"""Class folder, key, picture."""


@dataclass(frozen=True)
class _Tree:
    """The class folders of all splits, and what lists the pictures of one split."""

    folders: frozenset[str]
    splits: Mapping[str, Callable[[], Sequence[Labelled]]]


def open_folders(path: Path) -> Found:
    """The folder's classes by index: as the JSON beside it states them, else sorted by name, _ read as space.

    Raises DataError, also for a folder that the JSON does not state.
    """
    return _found(path, _on_disk(path))


def open_tar_of_folders(path: Path, files: Sequence[Member]) -> Found:
    """As `open_folders`, of the members of a tar. Raises DataError."""
    return _found(path, _in_tar(files))


def _found(path: Path, tree: _Tree) -> Found:
    said = stated(path)
    classes = _classes(path, said, tree.folders)
    templates = tuple(said.get("templates", ()))
    index = {known.folder: number for number, known in enumerate(classes)}

    def read(split: str) -> DataSet:
        items = [Item(key, picture, index[folder]) for folder, key, picture in tree.splits[split]()]
        return data_set(path, split, items, classes, templates)

    return Found(tuple(tree.splits), read)


def _on_disk(path: Path) -> _Tree:
    roots = {name: path / name for name in _folders(path) if is_split(name) and _folders(path / name)} or {ALL: path}
    folders = {split: _folders(root) for split, root in roots.items()}

    def pictures(split: str) -> list[Labelled]:
        root = roots[split]
        return [
            (folder, (root / folder / name).relative_to(path).as_posix(), root / folder / name)
            for folder in folders[split]
            for name in sorted(os.listdir(root / folder))
            if is_picture(name) and not name.startswith(".")
        ]

    splits = {split_name(split): partial(pictures, split) for split in roots}
    if len(splits) < len(roots):
        raise DataError(f"{path} has more than one of the folders val, valid and validation: rename or remove one")
    return _Tree(frozenset(folder for listed in folders.values() for folder in listed), splits)


def _folders(path: Path) -> list[str]:
    try:
        with os.scandir(path) as entries:
            return sorted(entry.name for entry in entries if entry.is_dir() and not entry.name.startswith("."))
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error


def _in_tar(files: Sequence[Member]) -> _Tree:
    found: dict[str, list[Labelled]] = {}
    for parts, member in _below_common_folder(files):
        key = "/".join(parts)
        if len(parts) == 2:
            found.setdefault(ALL, []).append((parts[0], key, member))
        elif len(parts) == 3 and is_split(parts[0]):
            found.setdefault(split_name(parts[0]), []).append((parts[1], key, member))
    if len(found) > 1:
        found.pop(ALL, None)  # as on the disk: what lies beside folders of splits is none
    folders = frozenset(folder for listed in found.values() for folder, _, _ in listed)
    return _Tree(folders, {split: partial(tuple, listed) for split, listed in found.items()})


def _below_common_folder(files: Sequence[Member]) -> list[tuple[list[str], Member]]:
    """The parts of each picture's name, without a folder that all lie in and that is no split: `set/` of `set.tar`."""
    split = [(member.name.removeprefix("./").split("/"), member) for member in files if is_picture(member.name)]
    named = [(parts, member) for parts, member in split if not parts[-1].startswith(".")]
    first = {parts[0] for parts, _ in named}
    within = len(first) == 1 and not is_split(*first) and all(len(parts) > 2 for parts, _ in named)
    return [(parts[1:], member) for parts, member in named] if within else named


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
