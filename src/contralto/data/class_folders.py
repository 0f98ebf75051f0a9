"""A folder per class, on the disk or within a tar: `[split/]class/picture.jpg`. Captions come from templates."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from contralto.data.class_tree import ClassTree, LabelledPicture, pictures_of
from contralto.data.omissions import Omissions
from contralto.data.sample import Sample
from contralto.data.splits import UNSPLIT, among
from contralto.data.tar import Member, contents
from contralto.errors import DataError


class ClassFolders:
    """Pictures labelled by the folder they lie in. A `Source`; its samples' captions are the templates with the name.

    path: a folder, or an uncompressed tar. split: the folder above the classes, in any spelling (`train` finds
    `Training`); None if there is none. Pictures in deeper folders are of the class that they lie in.
    A JSON file of the same stem beside `path` may state `templates` and `classes`: by index, names (whose folders may
    have _ for space) or objects with `dir` and `name`. Else classes are the sorted folder names, _ read as space.
    templates: texts with {} for the class name; they go before the JSON's, the default is "a photo of a {}.".
    `names` lists the classes' names by index. Raises DataError.
    """

    def __init__(self, path: str | Path, split: str | None = None, templates: Sequence[str] | None = None) -> None:
        path = Path(path)
        self.name = f"{path.stem}:{split}" if split else path.stem
        said = stated(path)
        self.templates = tuple(templates or said.get("templates") or ("a photo of a {}.",))
        if wrong := next((template for template in self.templates if "{}" not in template), None):
            raise DataError(f"{self.name}: template {wrong!r} has no {{}} for the class name")
        left_out = Omissions()
        found = _pictures(path, split, left_out)
        folders, self.names = _classes(said, sorted({one.folder for one in found}))
        index = {folder: number for number, folder in enumerate(folders)}
        if unknown := sorted({one.folder for one in found} - set(index)):
            raise DataError(f"{path}: folder {unknown[0]!r} is no class that {path.with_suffix('.json')} states")
        self._samples = [(index[one.folder], one.picture) for one in found]
        self.skipped = left_out.counts()
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


def _pictures(path: Path, split: str | None, left_out: Omissions) -> list[LabelledPicture]:
    """The pictures below a split, which may be any folder that its classes lie in."""
    tree = ClassTree(path, None if path.is_dir() else contents(path))
    if split is None:
        if UNSPLIT not in tree.splits:
            raise DataError(f"{path} has splits, name one of them: {', '.join(tree.splits)}")
        return tree.pictures(UNSPLIT, left_out)
    if (named := among(split, tree.splits)) is not None:
        return tree.pictures(named, left_out)
    if (folder := tree.root.listing.folders.get(split)) is not None:
        return pictures_of(folder, left_out)
    return []


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
