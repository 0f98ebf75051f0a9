"""Rows of tables -> items with class indices. `data/table_files.py` finds the columns."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from contralto.data.omissions import Omissions
from contralto.data.sample import SampleError
from contralto.errors import one_line
from contralto.sets.data_set import Class, Item, Picture

_INDEX = re.compile(r"\s*(\d{1,9})(?:\.0+)?\s*", re.ASCII)
"""A class index as a text; spreadsheets may turn 3 into 3.0."""


class TableEntry(NamedTuple):
    """A row of a table. label: a class by name or index, or a list of these."""

    key: str
    picture: Picture
    label: Any
    captions: tuple[str, ...]


def is_empty(label: object) -> bool:
    """Whether the cell of a label is empty: null, NaN, or a text of only spaces."""
    return label is None or label != label or (isinstance(label, str) and not label.strip())


def classes_from_labels(labels: Iterable[object]) -> tuple[Class, ...]:
    """The classes that the labels name, sorted.

    Empty if the labels are whole numbers: these are indices of names in another file.
    """
    values = {label for label in labels if isinstance(label, str) and label.strip()}
    if all(_index(value) is not None for value in values):
        return ()
    return tuple(class_from_name(value) for value in sorted(values))


def class_from_name(raw: str) -> Class:
    """The class with this name in the data; _ is read as space."""
    return Class(raw.replace("_", " "), folder=raw)


def items_from_entries(entries: Iterable[TableEntry], classes: Sequence[Class], left_out: Omissions) -> list[Item]:
    """Items whose labels are indices of `classes`. An entry with another label is added to `left_out`."""
    index = {class_.folder: number for number, class_ in enumerate(classes)}
    items = []
    for entry in entries:
        try:
            items.append(_item(entry, index))
        except SampleError as error:
            left_out.fail(error.item, error.reason)
    return items


def _item(entry: TableEntry, index: Mapping[str, int]) -> Item:
    if isinstance(entry.label, list):
        labels = tuple(_label(entry.key, label, index) for label in entry.label if not is_empty(label))
        return Item(entry.key, entry.picture, labels=labels, captions=entry.captions)
    label = None if is_empty(entry.label) else _label(entry.key, entry.label, index)
    return Item(entry.key, entry.picture, label, captions=entry.captions)


def _label(key: str, value: object, index: Mapping[str, int]) -> int:
    label = index.get(value, _index(value)) if isinstance(value, str) else _index(value)
    if label is None:
        raise SampleError(key, f"{one_line(str(value), 80)!r} is neither a class that the set names nor an index")
    return label


def _index(value: object) -> int | None:
    if isinstance(value, str):
        return int(match[1]) if (match := _INDEX.fullmatch(value)) else None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
