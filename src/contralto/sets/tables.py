"""Tables beside pictures: CSV, TSV or JSON Lines, with a row a picture, or a row for each caption of a picture."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TextIO

from contralto.errors import DataError, one_line
from contralto.sets.columns import Columns, Entry, columns, inside, items, named_classes, texts
from contralto.sets.found import ALL, Found, data_set, is_split, split_name

METADATA = ("metadata.csv", "metadata.jsonl")
"""What Hugging Face's `imagefolder` calls the table beside the pictures."""


def open_table(path: Path) -> Found:
    """`path.csv`, `.tsv` or `.jsonl`: a column of paths, relative to the table and within its folder, and label or
    class (a name or an index), caption, or both; maybe split. Raises DataError for another layout."""
    return _found(path, _entries(path, path.parent, ALL))


def open_image_folder(path: Path) -> Found:
    """A folder with a `metadata.csv` or `.jsonl` in it, or in each folder of a split. Raises DataError."""
    found: dict[str, dict[str, Entry]] = {}
    for table in metadata(path):
        own = table.parent.name if table.parent != path and is_split(table.parent.name) else ALL
        for split, entries in _entries(table, path, own).items():
            found.setdefault(split, {}).update(entries)
    return _found(path, found)


def metadata(path: Path) -> list[Path]:
    """The tables in the folder, else in its folders; of one kind, where there are two."""
    for name in METADATA:
        if listed := [path / name] if (path / name).is_file() else sorted(path.glob(f"*/{name}")):
            return listed
    return []


def _found(path: Path, by_split: Mapping[str, Mapping[str, Entry]]) -> Found:
    labels = (entry.label for entries in by_split.values() for entry in entries.values())
    classes = named_classes(_flat(labels))
    return Found(
        tuple(by_split),
        lambda split: data_set(path, split, items(by_split[split].values(), classes), classes),
    )


def _flat(labels: Iterator[Any]) -> Iterator[Any]:
    for label in labels:
        yield from label if isinstance(label, list) else (label,)


def _entries(table: Path, root: Path, split: str) -> dict[str, dict[str, Entry]]:
    """Split -> key -> what its rows say together. Raises DataError for a picture twice, unless with captions."""
    found: dict[str, dict[str, Entry]] = {}
    names: Columns | None = None
    within = "" if table.parent == root else f"{table.parent.relative_to(root).as_posix()}/"
    for line, row in rows(table):
        names = names or columns(str(table), list(row))
        where = f"{table} line {line}"
        entry = _entry(where, table.parent, within, row, names)
        named = row.get(names.split) if names.split else split
        if not isinstance(named, str) or not named:
            raise DataError(f"{where}: the row names no split")
        entries = found.setdefault(split_name(named), {})
        if (known := entries.get(entry.key)) is not None:
            if not entry.captions or known.label != entry.label:
                raise DataError(f"{where}: a second row for {one_line(entry.key, 120)!r}")
            entry = entry._replace(captions=known.captions + entry.captions)
        entries[entry.key] = entry
    if not found:
        raise DataError(f"{table} holds no rows")
    return found


def _entry(where: str, folder: Path, within: str, row: Mapping[str, Any], names: Columns) -> Entry:
    picture = inside(folder, name := row.get(names.picture), where)
    label = row.get(names.label) if names.label else None
    captions = texts(row.get(names.caption)) if names.caption else ()
    if (names.label and label in (None, "")) or (names.label is None and not captions):
        raise DataError(f"{where}: the row has no {names.label or names.caption}")
    return Entry(f"{within}{name}", picture, label, captions)


def rows(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Line and cells of each row of a CSV, TSV or JSON Lines file. Raises DataError."""
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            if path.suffix.lower() == ".jsonl":
                yield from _json_lines(path, file)
                return
            reader = csv.DictReader(file, strict=True, dialect="excel-tab" if _tabbed(path, file) else "excel")
            for row in reader:
                if None in row or None in row.values():
                    raise DataError(f"{path} line {reader.line_num}: the row has too many or too few columns")
                yield reader.line_num, row
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise DataError(f"{path} is not a table in UTF-8: {error}") from error


def _tabbed(path: Path, file: TextIO) -> bool:
    """Whether tabs part the cells: in `.tsv`, and where a header has tabs alone."""
    header = file.readline()
    file.seek(0)
    return path.suffix.lower() == ".tsv" or ("\t" in header and "," not in header)


def _json_lines(path: Path, file: TextIO) -> Iterator[tuple[int, Mapping[str, Any]]]:
    for number, line in enumerate(file, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise DataError(f"{path} line {number} is not JSON: {error}") from error
        if not isinstance(row, dict):
            raise DataError(f"{path} line {number} must be an object")
        yield number, row
