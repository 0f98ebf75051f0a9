"""What a table says of its pictures, made into items. Which column is which: `data/tables.py`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from contralto.data.omissions import Omissions
from contralto.data.sample import SampleError
from contralto.errors import one_line
from contralto.sets.data_set import Class, Item, Picture

_INDEX = re.compile(r"\s*(\d{1,9})(?:\.0+)?\s*", re.ASCII)
"""A class index as a text; 3.0 is what spreadsheets make of 3."""


class TableEntry(NamedTuple):
    """A row. label: a class by name or index, or a list of them."""

    key: str
    picture: Picture
    label: Any
    captions: tuple[str, ...]


def is_nothing(label: object) -> bool:
    """Whether a cell for a label is empty: null, NaN, or a text of nothing but spaces."""
    return label is None or label != label or (isinstance(label, str) and not label.strip())


def named_classes(labels: Iterable[object]) -> tuple[Class, ...]:
    """The classes that labels name, sorted; none if the labels are whole numbers, which index the names of others."""
    values = {label for label in labels if isinstance(label, str) and label.strip()}
    if all(_index(value) is not None for value in values):
        return ()
    return tuple(class_named(value) for value in sorted(values))


def class_named(raw: str) -> Class:
    """The class as data call it, with _ read as space."""
    return Class(raw.replace("_", " "), folder=raw)


def items_from_entries(entries: Iterable[TableEntry], classes: Sequence[Class], left_out: Omissions) -> list[Item]:
    """Items with the labels as indices of `classes`. An entry whose label is none of them is left out."""
    index = {known.folder: number for number, known in enumerate(classes)}
    found = []
    for entry in entries:
        try:
            found.append(_item(entry, index))
        except SampleError as error:
            left_out.fail(error.item, error.reason)
    return found


def _item(entry: TableEntry, index: Mapping[str, int]) -> Item:
    if isinstance(entry.label, list):
        labels = tuple(_label(entry.key, label, index) for label in entry.label if not is_nothing(label))
        return Item(entry.key, entry.picture, labels=labels, captions=entry.captions)
    label = None if is_nothing(entry.label) else _label(entry.key, entry.label, index)
    return Item(entry.key, entry.picture, label, captions=entry.captions)


def _label(key: str, value: object, index: Mapping[str, int]) -> int:
    found = index.get(value, _index(value)) if isinstance(value, str) else _index(value)
    if found is None:
        raise SampleError(key, f"{one_line(str(value), 80)!r} is neither a class that the set names nor an index")
    return found


def _index(value: object) -> int | None:
    if isinstance(value, str):
        return int(found[1]) if (found := _INDEX.fullmatch(value)) else None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
