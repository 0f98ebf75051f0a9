"""A folder per class, on disk or in a tar: `[split/]class/picture.jpg`. Captions are made from templates."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from contralto.data.class_tree import ClassTree, LabelledPicture, pictures_of
from contralto.data.omissions import Omissions
from contralto.data.sample import Sample
from contralto.data.splits import UNSPLIT, find_split
from contralto.data.tar import Member, contents
from contralto.errors import DataError


class ClassFolders:
    """Pictures labelled by their folder. A `Source`; captions are the templates with the class name.

    path: a folder, or an uncompressed tar. split: the folder above the classes, in any spelling (`train` means
    `Training` too); None if there is none. A picture in a deeper folder belongs to the class folder above it. A JSON
    file of the same stem next to `path` may state `templates` and `classes`: a list by index of names (the folder may
    have _ for space), or of objects with `dir` and `name`. Otherwise the classes are the sorted folder names, with _
    read as space. templates: texts with {} for the class name. They replace the JSON's templates; the default is "a
    photo of a {}.". `names`: class names by index. Raises DataError.
    """

    def __init__(self, path: str | Path, split: str | None = None, templates: Sequence[str] | None = None) -> None:
        path = Path(path)
        self.name = f"{path.stem}:{split}" if split else path.stem
        description = read_description(path)
        self.templates = tuple(templates or description.get("templates") or ("a photo of a {}.",))
        if wrong := next((template for template in self.templates if "{}" not in template), None):
            raise DataError(f"{self.name}: template {wrong!r} has no {{}} for the class name")
        left_out = Omissions()
        pictures = _pictures(path, split, left_out)
        folders, self.names = _classes(description, sorted({picture.folder for picture in pictures}))
        index = {folder: number for number, folder in enumerate(folders)}
        if unknown := sorted({picture.folder for picture in pictures} - set(index)):
            raise DataError(f"{path}: folder {unknown[0]!r} is no class that {path.with_suffix('.json')} states")
        self._samples = [(index[picture.folder], picture.picture) for picture in pictures]
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
    """The pictures of a split. Any folder that holds class folders may serve as a split."""
    tree = ClassTree(path, None if path.is_dir() else contents(path))
    if split is None:
        if UNSPLIT not in tree.splits:
            raise DataError(f"{path} has splits, name one of them: {', '.join(tree.splits)}")
        return tree.pictures(UNSPLIT, left_out)
    if (name := find_split(split, tree.splits)) is not None:
        return tree.pictures(name, left_out)
    if (folder := tree.root.listing.folders.get(split)) is not None:
        return pictures_of(folder, left_out)
    return []


def read_description(path: Path) -> dict[str, Any]:
    """The content of the JSON file next to `path`; empty if there is no such file. Raises DataError."""
    file = path.with_suffix(".json")
    try:
        value = json.loads(file.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{file} cannot be read as JSON: {error}") from error
    if not isinstance(value, dict):
        raise DataError(f"{file} must be an object with `classes` and maybe `templates`")
    templates = value.get("templates", [])
    if not isinstance(templates, list) or not all(isinstance(template, str) for template in templates):
        raise DataError(f"{file}: `templates` must be a list of strings")
    return value


def _classes(description: dict[str, Any], folders: list[str]) -> tuple[list[str], list[str]]:
    """Folder and name of each class, by index."""
    classes = description.get("classes")
    if classes is None:
        return folders, [folder.replace("_", " ") for folder in folders]
    try:
        names = [c if isinstance(c, str) else str(c["name"]) for c in classes]
        stated_folders = [c if isinstance(c, str) else str(c["dir"]) for c in classes]
    except (TypeError, KeyError) as error:
        raise DataError("`classes` must be a list of names or of objects with `dir` and `name`") from error
    existing = set(folders)
    return [folder if folder in existing else folder.replace(" ", "_") for folder in stated_folders], names
