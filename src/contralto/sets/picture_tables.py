"""Tables of pictures in CSV, TSV or JSON Lines: one row per picture, or one row per caption of a picture."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from contralto.data.class_tree import pictures_below
from contralto.data.omissions import Omissions
from contralto.data.sample import SampleError
from contralto.data.splits import UNSPLIT, is_split, split_name
from contralto.data.table_files import Columns, captions_of, picture_path, read_table
from contralto.errors import DataError
from contralto.sets.data_set import DataSet
from contralto.sets.table_entries import TableEntry, classes_from_labels, is_empty, items_from_entries
from contralto.sets.user_set import UserSet, build_data_set, visible_paths

NO_ROW = "left out, pictures that no row of the table names"
METADATA_FILES = ("metadata.csv", "metadata.jsonl")
"""Names of the table in the `imagefolder` layout of Hugging Face."""


@dataclass(eq=False)
class _Tables:
    """The entries of all tables, split -> key -> entry, and the unusable rows."""

    by_split: dict[str, dict[str, TableEntry]] = field(default_factory=dict)
    left_out: Omissions = field(default_factory=Omissions)


def open_table(path: Path) -> UserSet:
    """A table `path.csv`, `.tsv` or `.jsonl`. Raises DataError for another layout.

    Columns: paths, relative to the table or absolute; label or class (a name or an index), caption, or both;
    optionally split.
    """
    tables = _Tables()
    _read(path, path.parent, UNSPLIT, tables, anywhere=True)
    return _user_set(path, tables)


def open_image_folder(path: Path) -> UserSet:
    """A folder with `metadata.csv` or `metadata.jsonl` in it, or in each of its split folders. Raises DataError.

    Its pictures are in the table's folder or below. Pictures without a row are left out.
    """
    tables = _Tables()
    for table in metadata_tables(path):
        split = table.parent.name if table.parent != path and is_split(table.parent.name) else UNSPLIT
        _read(table, path, split, tables, anywhere=False)
    listed = {entry.picture for entries in tables.by_split.values() for entry in entries.values()}
    for key, picture in pictures_below(path):
        if picture not in listed:
            tables.left_out.ignore(NO_ROW, key)
    return _user_set(path, tables)


def metadata_tables(path: Path) -> list[Path]:
    """The table in the folder, else the tables in its folders. CSV tables take precedence over JSON Lines."""
    for name in METADATA_FILES:
        if tables := [path / name] if (path / name).is_file() else sorted(visible_paths(path, f"*/{name}")):
            return tables
    return []


def _user_set(path: Path, tables: _Tables) -> UserSet:
    if not tables.by_split:
        why = f" that can be used: {tables.left_out.first()}" if tables.left_out.failed else ""
        raise DataError(f"{path} holds no rows{why}")
    labels = (entry.label for entries in tables.by_split.values() for entry in entries.values())
    classes = classes_from_labels(_flat(labels))

    def read(split: str) -> DataSet:
        left_out = Omissions()
        left_out.add(tables.left_out)
        items = items_from_entries(tables.by_split[split].values(), classes, left_out)
        return build_data_set(path, split, items, classes, left_out=left_out)

    return UserSet(tuple(tables.by_split), read)


def _flat(labels: Iterator[Any]) -> Iterator[Any]:
    for label in labels:
        yield from label if isinstance(label, list) else (label,)


def _read(table: Path, root: Path, split: str, tables: _Tables, *, anywhere: bool) -> None:
    """Adds the rows of a table. A second row for a picture fails, unless it has another caption."""
    prefix = "" if table.parent == root else f"{table.parent.relative_to(root).as_posix()}/"
    for row, names in read_table(table):
        where = f"{table} line {row.line}"
        try:
            if row.fault:
                raise SampleError(where, row.fault)
            entry = _entry(where, table.parent, prefix, row.cells, names, anywhere)
            stated_split = row.cells.get(names.split) if names.split else split
            if not isinstance(stated_split, str) or not stated_split.strip():
                raise SampleError(where, "names no split")
            entries = tables.by_split.setdefault(split_name(stated_split), {})
            if (first := entries.get(entry.key)) is not None:
                if not entry.captions or first.label != entry.label:
                    raise SampleError(where, "is a second row for the same picture")
                entry = entry._replace(captions=first.captions + entry.captions)
            entries[entry.key] = entry
        except SampleError as error:
            tables.left_out.fail(where, error.reason)


def _entry(
    where: str, folder: Path, prefix: str, cells: Mapping[str, Any], names: Columns, anywhere: bool
) -> TableEntry:
    name = cells.get(names.picture)
    picture = picture_path(folder, name, where, anywhere=anywhere)
    label = cells.get(names.label) if names.label else None
    captions = captions_of(cells.get(names.caption)) if names.caption else ()
    if (names.label and is_empty(label)) or (names.label is None and not captions):
        raise SampleError(where, f"has no {names.label or names.caption}")
    return TableEntry(f"{prefix}{name}", picture, label, captions)
