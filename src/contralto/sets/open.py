"""A set by its name or by the path of one's own files, with one's own class names and templates if wished."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from contralto.data.shards import checked, expanded, is_pattern
from contralto.errors import DataError, one_line
from contralto.sets import declaration, drawn
from contralto.sets.choice_sets import choice_files, open_choices, open_pairs
from contralto.sets.classes_file import ClassNames, renamed
from contralto.sets.data_set import DataSet
from contralto.sets.folders import open_folders
from contralto.sets.huggingface import open_parquet, open_saved
from contralto.sets.picture_tables import metadata, open_image_folder, open_table
from contralto.sets.tars import open_shards, open_tar
from contralto.sets.user_set import UserSet, check_labels, pick, visible
from contralto.zeroshot import prompts

_READERS: Mapping[str, Callable[[Path], UserSet]] = {
    ".tar": open_tar,
    ".parquet": open_parquet,
    ".csv": open_table,
    ".tsv": open_table,
    ".jsonl": open_table,
    ".json": open_choices,
}
"""For files, by their suffix."""


def open_set(
    given: str | Path,
    data: Path | None = None,
    *,
    classes: ClassNames | None = None,
    templates: str | Iterable[str] | None = None,
) -> DataSet:
    """One split of a named set or of one's own files; no picture is read.

    given: a name, of the registry (looked for under `data`, default: the current folder) or of what is drawn; or a
    path: a folder per class, also in a tar; WebDataset tars (a folder of them, or a pattern such as
    `x-{000..005}.tar`, see `data.shards`); CSV; Parquet; a Hugging Face folder; SugarCrepe's or Winoground's files. A
    name goes before a file of that name, which is `./name`; a `Path` is never a name.
    `given:split` names the split; none named: test, else val, else the only one there is.
    classes: go before the set's own names, see `classes_file.renamed`. templates: a set of them by its name, or texts
    with {}; they go before the set's own.
    Raises DataError: nothing there, another layout, an empty or unknown split, labels and names that do not agree.
    """
    named, path, split = _parted(given) if isinstance(given, str) else (str(given), given, None)
    if path is None:
        found = _known(named, data or Path(), split)
    else:
        opened = _found(path)
        found = opened.open(pick(opened.splits, split, named))
    return _worded(found, classes, templates if templates is None or isinstance(templates, str) else tuple(templates))


def _known(name: str, data: Path, split: str | None) -> DataSet:
    """A set of the registry, from its files, or one that the code draws."""
    if name not in drawn.DRAWN_SETS:
        return declaration.declared(name).open(data, split)
    if split not in (None, "test"):
        raise DataError(f"{name} has no split {split!r}: what is drawn is all test")
    return drawn.drawn(name)


def _parted(given: str) -> tuple[str, Path | None, str | None]:
    """What was named, its path unless it is a known name, and the split. The whole goes before a part of it."""
    name, _, split = given.rpartition(":")
    candidates = [(given, None), (name, split)] if name and split else [(given, None)]
    known = {*declaration.names(), *drawn.DRAWN_SETS}
    for enough in (all, any):  # of a pattern with a split behind it, a part of the whole may be there by chance
        for named, asked in candidates:
            if named in known:
                return named, None, asked
            if (files := expanded(named)) and enough(file.exists() for file in files):
                return named, Path(named), asked
    named, asked = candidates[-1]
    is_path = is_pattern(named) or "/" in named or "\\" in named or Path(named).suffix
    return named, Path(named) if is_path else None, asked


def _found(path: Path) -> UserSet:
    """Which reader a path is for shows by what lies there."""
    if is_pattern(str(path)) and not path.exists():
        files = checked(str(path))
        if any(file.is_absolute() for file in files):  # as they must all be, or none
            files = [file.absolute() for file in files]
        return open_shards(path, files) if len(files) > 1 else _found(files[0])
    if not path.exists():
        raise DataError(f"{one_line(str(path), 200)} is not there: no such file or folder")
    if path.is_dir():
        return _in_folder(path)
    if (reader := _READERS.get(path.suffix.lower())) is None:
        raise DataError(f"{path} is no folder and no {', '.join(_READERS)} file: convert it to one of them")
    return reader(path)


def _in_folder(path: Path) -> UserSet:
    if (path / "state.json").is_file() or (path / "dataset_dict.json").is_file():
        return open_saved(path)
    if (path / "examples.jsonl").is_file():
        return open_pairs(path)
    if choice_files(path):
        return open_choices(path)
    if tars := [*visible(path, "*.tar"), *visible(path, "*/*.tar")]:
        return open_shards(path, tars)
    if tables := [*visible(path, "*.parquet"), *visible(path, "*/*.parquet")]:
        return open_parquet(path, tables)
    if metadata(path):
        return open_image_folder(path)
    return open_folders(path)


def _worded(found: DataSet, classes: ClassNames | None, templates: str | tuple[str, ...] | None) -> DataSet:
    """The set with the names and templates that were given, in its other splits too."""
    worded = found if classes is None else _renamed(found, classes)
    if templates is not None:
        named = templates if isinstance(templates, str) else "given"
        worded = dataclasses.replace(worded, templates=prompts.templates(templates), template_set=named)
    if worded.task in ("classes", "labels") and not worded.classes:
        raise DataError(f"{found.origin} has classes but no names of them: give --classes, or a classnames.txt beside")
    if (other := found.open_split) is None:
        return worded
    return dataclasses.replace(worded, open_split=lambda split: _worded(other(split), classes, templates))


def _renamed(found: DataSet, given: ClassNames) -> DataSet:
    if found.task not in ("classes", "labels"):
        raise DataError(f"{found.name} has no classes that could be named: its task is {found.task}")
    classes, are_texts = renamed(found.classes, given, found.name)
    if not found.classes:
        check_labels(found.name, found.items, len(classes))
    if are_texts:  # prompts as they stand
        found = dataclasses.replace(found, templates=prompts.PLAIN, template_set="the classes' own texts")
    return dataclasses.replace(found, classes=classes)
