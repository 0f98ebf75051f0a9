"""What a table says of a picture: which column is which, and rows made into items."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from contralto.data.source import SampleError
from contralto.errors import DataError, one_line
from contralto.sets.items import Class, Item, Picture

_PICTURE = ("image", "img", "picture", "jpg", "png", "webp", "path", "filename", "file_name", "filepath", "file")
_LABEL = ("label", "class", "cls", "fine_label", "labels")
_CAPTION = ("captions", "caption", "texts", "text", "txt", "title")


class Entry(NamedTuple):
    """A row. label: a class by name or index, or a list of them."""

    key: str
    picture: Picture
    label: Any
    captions: tuple[str, ...]


@dataclass(frozen=True)
class Columns:
    """Names of the columns; None for what a table does not have."""

    picture: str
    label: str | None
    caption: str | None
    split: str | None


def columns(where: str, names: Sequence[str], pictures: Sequence[str] | None = None) -> Columns:
    """Finds them by their names, of which case is ignored. pictures: those that may hold pictures (default: any).

    Raises DataError, which lists the columns, for a table without pictures, or without both labels and captions.
    """
    picture = _first(_PICTURE, names if pictures is None else pictures)
    found = _first(_LABEL, names), _first(_CAPTION, names), _first(("split",), names)
    there = one_line(", ".join(names), 200) or "none"
    if picture is None:
        raise DataError(f"{where} has no column of pictures ({', '.join(_PICTURE)}); its columns: {there}")
    if found[:2] == (None, None):
        raise DataError(f"{where} has no column label, class or caption; its columns: {there}")
    return Columns(picture, *found)


def texts(value: object) -> tuple[str, ...]:
    """The captions in a cell: a text or a list of them; none for anything else."""
    listed = value if isinstance(value, list) else [value]
    return tuple(text.strip() for text in listed if isinstance(text, str) and text.strip())


def inside(folder: Path, name: object, where: str) -> Path:
    """The file of that name in the folder. Raises DataError for a name that leads out of it."""
    if not isinstance(name, str) or not name or name.startswith("/") or ".." in name.split("/"):
        raise DataError(f"{where}: path {one_line(str(name), 120)!r} must lie within {folder}")
    return folder / name


def named_classes(labels: Iterable[object]) -> tuple[Class, ...]:
    """The classes that labels name, sorted; none if the labels are whole numbers, which index the names of others."""
    values = {label for label in labels if label is not None}
    if all(_index(value) is not None for value in values):
        return ()
    return tuple(class_named(str(value)) for value in sorted(values, key=str))


def class_named(raw: str) -> Class:
    """The class as data call it, with _ read as space."""
    return Class(raw.replace("_", " "), folder=raw)


def items(entries: Iterable[Entry], classes: Sequence[Class]) -> list[Item]:
    """Items with the labels as indices of `classes`. Raises SampleError for a label that is none."""
    index = {known.folder: number for number, known in enumerate(classes)}
    return [_item(entry, index) for entry in entries]


def _item(entry: Entry, index: Mapping[str, int]) -> Item:
    if isinstance(entry.label, list):
        labels = tuple(_label(entry.key, label, index) for label in entry.label)
        return Item(entry.key, entry.picture, labels=labels, captions=entry.captions)
    label = None if entry.label is None else _label(entry.key, entry.label, index)
    return Item(entry.key, entry.picture, label, captions=entry.captions)


def _label(key: str, value: object, index: Mapping[str, int]) -> int:
    found = index.get(value, _index(value)) if isinstance(value, str) else _index(value)
    if found is None:
        raise SampleError(key, f"{one_line(str(value), 80)!r} is neither a class that the set names nor an index")
    return found


def _index(value: object) -> int | None:
    if isinstance(value, str) and value.strip().isascii() and value.strip().isdigit():
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _first(wanted: Sequence[str], names: Sequence[str]) -> str | None:
    lower = {name.lower(): name for name in names}
    return next((lower[name] for name in wanted if name in lower), None)
