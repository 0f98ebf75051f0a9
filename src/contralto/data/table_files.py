"""Tables of pictures in CSV, TSV or JSON Lines files, for evaluation and training: one row per picture or per caption.

Read `read_table` (rows with their columns), `find_columns` (columns by name), then `read_rows` (the file formats).
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TextIO

from contralto.data.sample import SampleError
from contralto.errors import DataError, one_line

_PICTURE_COLUMNS = (
    "image", "img", "picture", "jpg", "png", "webp", "path", "filename", "file_name", "filepath", "file",
)  # fmt: skip
_LABEL_COLUMNS = ("label", "class", "cls", "fine_label", "labels")
_CAPTION_COLUMNS = ("captions", "caption", "texts", "text", "txt", "title")
_JSON_LINES = (".jsonl", ".ndjson")


@dataclass(frozen=True)
class Columns:
    """Names of the columns; None for a column that the table lacks."""

    picture: str
    label: str | None
    caption: str | None
    split: str | None


_NO_COLUMNS = Columns("", None, None, None)


class TableRow(NamedTuple):
    """A row of a table: the number of its last line in the file, and its cells by column.

    fault: why the row cannot be used, "" if it can.
    """

    line: int
    cells: Mapping[str, Any]
    fault: str = ""


def read_table(path: Path) -> Iterator[tuple[TableRow, Columns]]:
    """The rows of a table of pictures, each with its columns, as rows of JSON Lines may differ. Raises DataError."""
    columns_by_keys: dict[tuple[str, ...], Columns | None] = {}
    for row in read_rows(path):
        keys = tuple(row.cells)
        if keys not in columns_by_keys:
            columns_by_keys[keys] = _columns_or_none(path, keys)
        names = columns_by_keys[keys] or _NO_COLUMNS
        texts = (row.cells.get(name) for name in (names.label, names.caption) if name)
        if names is _NO_COLUMNS:
            row = row._replace(fault=row.fault or "has no picture, or neither label nor caption")
        elif not all(_is_unicode(cell) for cell in texts if isinstance(cell, str)):
            row = row._replace(fault=row.fault or "is not UTF-8 text")
        yield row, names


def _columns_or_none(path: Path, keys: Sequence[str]) -> Columns | None:
    """None for an object of JSON Lines that lacks a column. Raises DataError for a CSV header that lacks one."""
    try:
        return find_columns(str(path), keys)
    except DataError:
        if path.suffix.lower() in _JSON_LINES:
            return None
        raise


def find_columns(where: str, names: Iterable[object], pictures: Sequence[str] | None = None) -> Columns:
    """Finds the columns by name, in upper or lower case. pictures: columns that may hold pictures (default: all).

    Raises DataError, which lists the columns, for a table without pictures, or without both labels and captions.
    """
    texts = [name for name in names if isinstance(name, str)]
    picture = _first(_PICTURE_COLUMNS, texts if pictures is None else pictures)
    label, caption, split = _first(_LABEL_COLUMNS, texts), _first(_CAPTION_COLUMNS, texts), _first(("split",), texts)
    listed = one_line(", ".join(texts), 200) or "none"
    if picture is None:
        raise DataError(f"{where} has no column of pictures ({', '.join(_PICTURE_COLUMNS)}); its columns: {listed}")
    if label is None and caption is None:
        raise DataError(f"{where} has no column label, class or caption; its columns: {listed}")
    return Columns(picture, label, caption, split)


def _first(wanted: Sequence[str], names: Sequence[str]) -> str | None:
    lower = {name.strip().lower(): name for name in names}
    return next((lower[name] for name in wanted if name in lower), None)


def captions_of(value: object) -> tuple[str, ...]:
    """The captions in a cell or a JSON value: a text, or a list of texts, each stripped.

    Other values are not captions: null, NaN, numbers, empty texts, and texts that are not valid Unicode.
    """
    listed = value if isinstance(value, list | tuple) else [value]
    return tuple(text.strip() for text in listed if isinstance(text, str) and text.strip() and _is_unicode(text))


def picture_path(folder: Path, name: object, where: str, *, anywhere: bool) -> Path:
    """The path of the picture `name` in a table in `folder`. anywhere: the picture may lie outside this folder.

    Raises SampleError if the row names no picture, or a forbidden path.
    """
    if not isinstance(name, str) or not name.strip() or "\0" in name:
        raise SampleError(where, "names no picture")
    if not anywhere and (name.startswith("/") or ".." in name.split("/")):
        raise SampleError(where, f"path {one_line(name, 120)!r} must lie within {folder}")
    return folder / name


def read_rows(path: Path) -> Iterator[TableRow]:
    """The rows of a CSV, TSV or JSON Lines file in UTF-8.

    A malformed row has a fault, and reading goes on with the next. Raises DataError if the file is not such a table.
    """
    try:
        with open(path, encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            yield from _json_rows(file) if path.suffix.lower() in _JSON_LINES else _csv_rows(path, file)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error


def _json_rows(file: TextIO) -> Iterator[TableRow]:
    for number, line in enumerate(file, 1):
        if not line.strip():
            continue
        try:
            cells = json.loads(line)
        except (ValueError, RecursionError):
            yield TableRow(number, {}, "is not JSON")
            continue
        yield TableRow(number, cells) if isinstance(cells, dict) else TableRow(number, {}, "must be an object")


def _csv_rows(path: Path, file: TextIO) -> Iterator[TableRow]:
    reader = csv.reader(file, strict=True, delimiter=_separator(file))
    header: list[str] | None = None
    start = 1
    while True:
        try:
            cells = next(reader, None)
        except csv.Error as error:
            if header is None or _is_unclosed_quote(error):
                raise DataError(f"{path} is not a table in UTF-8: {error}") from error
            lines = "" if start == reader.line_num else f", with the lines from {start} on"
            yield TableRow(reader.line_num, dict.fromkeys(header), f"is no row of a table{lines}: {error}")
        else:
            if cells is None:
                return
            if header is None:
                header = _header(path, cells)
            elif cells:
                few = len(cells) < len(header)
                fault = "" if len(cells) == len(header) else f"has too {'few' if few else 'many'} columns"
                yield TableRow(reader.line_num, dict.fromkeys(header) | dict(zip(header, cells, strict=False)), fault)
        start = reader.line_num + 1


def _separator(file: TextIO) -> str:
    """The separator of cells: the most frequent one in the header, of tab, comma and semicolon."""
    header = next((line for line in iter(file.readline, "") if line.strip()), "")
    file.seek(0)
    return max("\t,;", key=header.count) if any(sign in header for sign in "\t,;") else ","


def _header(path: Path, cells: list[str]) -> list[str] | None:
    """The names of the columns; None for an empty line above them. Raises DataError."""
    if not _is_unicode("".join(cells)) or "\0" in "".join(cells):
        raise DataError(f"{path} is not a table in UTF-8: save it as UTF-8 text")
    return [name.strip() for name in cells] or None


def _is_unclosed_quote(error: csv.Error) -> bool:
    """Whether a quotation mark was not closed, so that all later rows were read as one cell."""
    return "unexpected end" in str(error) or "field larger" in str(error)


def _is_unicode(text: str) -> bool:
    """Whether the text was valid UTF-8: invalid bytes are decoded to halves of surrogate pairs."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
