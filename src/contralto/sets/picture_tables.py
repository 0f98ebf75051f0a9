"""Tables beside pictures: CSV, TSV or JSON Lines, with a row a picture, or a row for each caption of a picture."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from contralto.data.class_tree import pictures_below
from contralto.data.omissions import Omissions
from contralto.data.sample import SampleError
from contralto.data.splits import UNSPLIT, is_split, split_name
from contralto.data.table_files import Columns, captions_of, described, picture_path
from contralto.errors import DataError
from contralto.sets.table_entries import TableEntry, is_nothing, items_from_entries, named_classes
from contralto.sets.user_set import UserSet, build_data_set, visible

NO_ROW = "left out, pictures that no row of the table names"
METADATA = ("metadata.csv", "metadata.jsonl")
"""What Hugging Face's `imagefolder` calls the table beside the pictures."""


@dataclass(eq=False)
class _Rows:
    """What tables say: split -> key -> entry, and the rows that cannot be used."""

    by_split: dict[str, dict[str, TableEntry]] = field(default_factory=dict)
    left_out: Omissions = field(default_factory=Omissions)


def open_table(path: Path) -> UserSet:
    """`path.csv`, `.tsv` or `.jsonl`: a column of paths, relative to the table or absolute, and label or class (a name
    or an index), caption, or both; maybe split. Raises DataError for another layout."""
    found = _Rows()
    _read(path, path.parent, UNSPLIT, found, anywhere=True)
    return _found(path, found)


def open_image_folder(path: Path) -> UserSet:
    """A folder with a `metadata.csv` or `.jsonl` in it, or in each folder of a split; its pictures lie beside it or
    below, and those that no row names are left out. Raises DataError."""
    found = _Rows()
    for table in metadata(path):
        own = table.parent.name if table.parent != path and is_split(table.parent.name) else UNSPLIT
        _read(table, path, own, found, anywhere=False)
    named = {entry.picture for entries in found.by_split.values() for entry in entries.values()}
    for key, picture in pictures_below(path):
        if picture not in named:
            found.left_out.ignore(NO_ROW, key)
    return _found(path, found)


def metadata(path: Path) -> list[Path]:
    """The tables in the folder, else in its folders; of one kind, where there are two."""
    for name in METADATA:
        if listed := [path / name] if (path / name).is_file() else sorted(visible(path, f"*/{name}")):
            return listed
    return []


def _found(path: Path, rows: _Rows) -> UserSet:
    if not rows.by_split:
        raise DataError(
            f"{path} holds no rows" + (f" that can be used: {rows.left_out.first()}" if rows.left_out.failed else "")
        )
    labels = (entry.label for entries in rows.by_split.values() for entry in entries.values())
    classes = named_classes(_flat(labels))

    def read(split: str) -> Any:
        left_out = Omissions()
        left_out.take(rows.left_out)
        found = items_from_entries(rows.by_split[split].values(), classes, left_out)
        return build_data_set(path, split, found, classes, left_out=left_out)

    return UserSet(tuple(rows.by_split), read)


def _flat(labels: Iterator[Any]) -> Iterator[Any]:
    for label in labels:
        yield from label if isinstance(label, list) else (label,)


def _read(table: Path, root: Path, split: str, found: _Rows, *, anywhere: bool) -> None:
    """Adds what the rows say. A second row for a picture fails, unless it is for another caption."""
    within = "" if table.parent == root else f"{table.parent.relative_to(root).as_posix()}/"
    for line, names in described(table):
        where = f"{table} line {line.number}"
        try:
            if line.fault:
                raise SampleError(where, line.fault)
            entry = _entry(where, table.parent, within, line.cells, names, anywhere)
            named = line.cells.get(names.split) if names.split else split
            if not isinstance(named, str) or not named.strip():
                raise SampleError(where, "names no split")
            entries = found.by_split.setdefault(split_name(named), {})
            if (known := entries.get(entry.key)) is not None:
                if not entry.captions or known.label != entry.label:
                    raise SampleError(where, "is a second row for the same picture")
                entry = entry._replace(captions=known.captions + entry.captions)
            entries[entry.key] = entry
        except SampleError as error:
            found.left_out.fail(where, error.reason)


def _entry(where: str, folder: Path, within: str, row: Mapping[str, Any], names: Columns, anywhere: bool) -> TableEntry:
    name = row.get(names.picture)
    picture = picture_path(folder, name, where, anywhere=anywhere)
    label = row.get(names.label) if names.label else None
    captions = captions_of(row.get(names.caption)) if names.caption else ()
    if (names.label and is_nothing(label)) or (names.label is None and not captions):
        raise SampleError(where, f"has no {names.label or names.caption}")
    return TableEntry(f"{within}{name}", picture, label, captions)
