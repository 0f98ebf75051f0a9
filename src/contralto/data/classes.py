"""A folder per class, on the disk or within a tar: `[split/]class/picture.jpg`. Captions come from templates."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from contralto.data.source import Sample
from contralto.data.tar import Member, members
from contralto.errors import DataError
from contralto.image.formats import is_picture


class ClassFolders:
    """Pictures labelled by the folder they lie in. A `Source`; its samples' captions are the templates with the name.

    path: a folder, or an uncompressed tar. split: name of the folder above the classes, None if there is none.
    A JSON file of the same stem beside `path` may state `templates` and `classes`: by index, names (whose folders may
    have _ for space) or objects with `dir` and `name`. Else classes are the sorted folder names, _ read as space.
    templates: texts with {} for the class name; they go before the JSON's, the default is "a photo of a {}.".
    `names` lists the classes' names by index. Raises DataError.
    """

    def __init__(self, path: str | Path, split: str | None = None, templates: Sequence[str] | None = None) -> None:
        path = Path(path)
        self.name = f"{path.stem}:{split}" if split else path.stem
        self.skipped: dict[str, int] = {}
        said = stated(path)
        self.templates = tuple(templates or said.get("templates") or ("a photo of a {}.",))
        if wrong := next((template for template in self.templates if "{}" not in template), None):
            raise DataError(f"{self.name}: template {wrong!r} has no {{}} for the class name")
        found = _pictures(path, split)
        folders, self.names = _classes(said, sorted({folder for folder, _ in found}))
        index = {folder: number for number, folder in enumerate(folders)}
        if unknown := sorted({folder for folder, _ in found} - set(index)):
            raise DataError(f"{path}: folder {unknown[0]!r} is no class that {path.with_suffix('.json')} states")
        self._samples = [(index[folder], picture) for folder, picture in found]
        if not self._samples:
            where = f"under {split!r} " if split else ""
            raise DataError(f"{path} holds no pictures {where}in folders per class")

    def __len__(self) -> int:
        return len(self._samples)

    def __getitem__(self, index: int) -> Sample:
        label, picture = self._samples[index]
        captions = tuple(template.replace("{}", self.names[label]) for template in self.templates)
        if isinstance(picture, Member):
            return Sample(picture.read(), captions, picture.name, label)
        return Sample(picture, captions, str(picture), label)


def _pictures(path: Path, split: str | None) -> list[tuple[str, Path | Member]]:
    """(class folder, picture) of all pictures exactly one folder below the split, in a fixed order."""
    if path.is_dir():
        root = path / split if split else path
        try:
            folders = sorted(entry.name for entry in os.scandir(root) if entry.is_dir())
            return [(f, root / f / n) for f in folders for n in sorted(os.listdir(root / f)) if is_picture(n)]
        except OSError as error:
            raise DataError(f"{error.filename or root} cannot be read: {error.strerror or error}") from error
    parts = [(member.name.removeprefix("./").split("/"), member) for member in members(path) if is_picture(member.name)]
    above = [split] if split else []
    return [(names[-2], member) for names, member in parts if len(names) >= 2 and names[:-2] == above]


def stated(path: Path) -> dict[str, Any]:
    """What the JSON beside `path` says, or nothing."""
    beside = path.with_suffix(".json")
    try:
        value = json.loads(beside.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{beside} cannot be read as JSON: {error}") from error
    if not isinstance(value, dict):
        raise DataError(f"{beside} must be an object with `classes` and maybe `templates`")
    templates = value.get("templates", [])
    if not isinstance(templates, list) or not all(isinstance(template, str) for template in templates):
        raise DataError(f"{beside}: `templates` must be a list of strings")
    return value


def _classes(said: dict[str, Any], folders: list[str]) -> tuple[list[str], list[str]]:
    """Folder and name of each class, by index."""
    listed = said.get("classes")
    if listed is None:
        return folders, [folder.replace("_", " ") for folder in folders]
    try:
        names = [c if isinstance(c, str) else str(c["name"]) for c in listed]
        stated_folders = [c if isinstance(c, str) else str(c["dir"]) for c in listed]
    except (TypeError, KeyError) as error:
        raise DataError("`classes` must be a list of names or of objects with `dir` and `name`") from error
    there = set(folders)
    return [f if f in there else f.replace(" ", "_") for f in stated_folders], names
