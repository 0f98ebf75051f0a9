"""Opens a data set by its name or by the path of user files, optionally with other class names and templates."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from contralto.data.shards import existing_files, expand, is_pattern
from contralto.errors import DataError, one_line
from contralto.sets import declaration, drawn
from contralto.sets.box_annotations import holds_boxes, open_boxes
from contralto.sets.choice_sets import choice_files, open_choices, open_pairs
from contralto.sets.classes_file import ClassNames, rename_classes
from contralto.sets.data_set import DataSet
from contralto.sets.folders import open_folders
from contralto.sets.huggingface import open_parquet, open_saved
from contralto.sets.picture_tables import metadata_tables, open_image_folder, open_table
from contralto.sets.tars import open_shards, open_tar
from contralto.sets.user_set import UserSet, check_labels, pick_split, visible_paths
from contralto.zeroshot import prompts


def open_json(path: Path) -> UserSet:
    """True boxes in COCO's format, else SugarCrepe's choices. Raises DataError."""
    return open_boxes(path) if holds_boxes(path) else open_choices(path)


_READERS: Mapping[str, Callable[[Path], UserSet]] = {
    ".tar": open_tar,
    ".parquet": open_parquet,
    ".csv": open_table,
    ".tsv": open_table,
    ".jsonl": open_table,
    ".json": open_json,
}
"""Readers of single files, by suffix."""


def open_set(
    name: str | Path,
    folder: Path | None = None,
    *,
    classes: ClassNames | None = None,
    templates: str | Iterable[str] | None = None,
) -> DataSet:
    """Opens one split of a named data set or of user files. No picture is read.

    name: the name of a published data set (with files in `folder`, default: the current folder) or of a drawn one; or a
    path: a folder per class, also in a tar; WebDataset tars (a folder of them, or a pattern such as
    `x-{000..005}.tar`, see `data.shards`); CSV; Parquet; a Hugging Face folder; SugarCrepe or Winoground files;
    COCO's JSON of boxes. A data set's name takes precedence over a file of the same name (write `./name`); a `Path` is
    never a name.
    `name:split` selects the split; by default test, else val, else the only split.
    classes: replace the class names, see `classes_file.rename_classes`. templates: the name of a template set, or texts
    with {}; they replace the data set's templates.
    Raises DataError for a missing file, another layout, an empty or unknown split, and class names that do not match.
    """
    if isinstance(name, str):
        base, path, split = _parse_name(name)
    else:
        base, path, split = str(name), name, None
    if path is None:
        opened = _open_named(base, folder or Path(), split)
    else:
        user_set = _open_path(path)
        opened = user_set.open(pick_split(user_set.splits, split, base))
    given = templates if templates is None or isinstance(templates, str) else tuple(templates)
    return _with_texts(opened, classes, given)


def _open_named(name: str, folder: Path, split: str | None) -> DataSet:
    """A published data set from its files, or a drawn one."""
    if name not in drawn.DRAWN_SETS:
        return declaration.load_declaration(name).open(folder, split)
    if split not in (None, "test"):
        raise DataError(f"{name} has no split {split!r}: drawn data sets have only the split test")
    return drawn.drawn_set(name)


def _parse_name(text: str) -> tuple[str, Path | None, str | None]:
    """`name:split` or a path -> the part without the split, its path (None for a data set's name), and the split.

    A colon may be part of a path: the whole text takes precedence over its parts.
    """
    base, _, split = text.rpartition(":")
    candidates = [(text, None), (base, split)] if base and split else [(text, None)]
    names = {*declaration.set_names(), *drawn.DRAWN_SETS}
    for enough in (all, any):  # the whole text as a pattern, with the split, may match a few files by chance
        for candidate, part in candidates:
            if candidate in names:
                return candidate, None, part
            if (files := expand(candidate)) and enough(file.exists() for file in files):
                return candidate, Path(candidate), part
    candidate, part = candidates[-1]
    is_path = is_pattern(candidate) or "/" in candidate or "\\" in candidate or Path(candidate).suffix
    return candidate, Path(candidate) if is_path else None, part


def _open_path(path: Path) -> UserSet:
    """Chooses the reader by the files at the path. Raises DataError."""
    if is_pattern(str(path)) and not path.exists():
        files = existing_files(str(path))
        if any(file.is_absolute() for file in files):  # then all must be absolute
            files = [file.absolute() for file in files]
        return open_shards(path, files) if len(files) > 1 else _open_path(files[0])
    if not path.exists():
        raise DataError(f"{one_line(str(path), 200)}: no such file or folder")
    if path.is_dir():
        return _open_folder(path)
    if (reader := _READERS.get(path.suffix.lower())) is None:
        raise DataError(f"{path} is no folder and no {', '.join(_READERS)} file: convert it to one of them")
    return reader(path)


def _open_folder(path: Path) -> UserSet:
    if (path / "state.json").is_file() or (path / "dataset_dict.json").is_file():
        return open_saved(path)
    if (path / "examples.jsonl").is_file():
        return open_pairs(path)
    if choice_files(path):
        return open_choices(path)
    if tars := [*visible_paths(path, "*.tar"), *visible_paths(path, "*/*.tar")]:
        return open_shards(path, tars)
    if tables := [*visible_paths(path, "*.parquet"), *visible_paths(path, "*/*.parquet")]:
        return open_parquet(path, tables)
    if metadata_tables(path):
        return open_image_folder(path)
    return open_folders(path)


def _with_texts(data_set: DataSet, classes: ClassNames | None, templates: str | tuple[str, ...] | None) -> DataSet:
    """The data set with the given class names and templates, also in its other splits."""
    changed = data_set if classes is None else _with_classes(data_set, classes)
    if templates is not None:
        template_set = templates if isinstance(templates, str) else "given"
        changed = dataclasses.replace(changed, templates=prompts.templates(templates), template_set=template_set)
    if changed.task in ("classes", "labels") and not changed.classes:
        raise DataError(f"{data_set.origin} has classes but no names of them: give --classes, or add a classnames.txt")
    if (open_split := data_set.open_split) is None:
        return changed
    return dataclasses.replace(changed, open_split=lambda split: _with_texts(open_split(split), classes, templates))


def _with_classes(data_set: DataSet, names: ClassNames) -> DataSet:
    if data_set.task not in ("classes", "labels"):
        raise DataError(f"{data_set.name} has no classes that could be named: its task is {data_set.task}")
    classes, are_texts = rename_classes(data_set.classes, names, data_set.name)
    if not data_set.classes:
        check_labels(data_set.name, data_set.items, len(classes))
    if are_texts:  # the texts are whole prompts
        data_set = dataclasses.replace(data_set, templates=prompts.PLAIN, template_set="the classes' own texts")
    return dataclasses.replace(data_set, classes=classes)
