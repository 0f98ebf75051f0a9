"""Tables of pictures, for measuring and for training: CSV, TSV and JSON Lines, a row a picture or a row a caption."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TextIO

from contralto.data.sample import SampleError
from contralto.errors import DataError, one_line

_PICTURE = ("image", "img", "picture", "jpg", "png", "webp", "path", "filename", "file_name", "filepath", "file")
_LABEL = ("label", "class", "cls", "fine_label", "labels")
_OBJECTS = (".jsonl", ".ndjson")
_CAPTION = ("captions", "caption", "texts", "text", "txt", "title")


@dataclass(frozen=True)
class Columns:
    """Names of the columns; None for what a table does not have."""

    picture: str
    label: str | None
    caption: str | None
    split: str | None


NO_COLUMNS = Columns("", None, None, None)


class TableRow(NamedTuple):
    """A row of a table: the line that it ends in, its cells by column, and why it cannot be used, where it cannot."""

    number: int
    cells: Mapping[str, Any]
    fault: str = ""


def columns(where: str, names: Iterable[object], pictures: Sequence[str] | None = None) -> Columns:
    """Finds them by their names, of which case is ignored. pictures: those that may hold pictures (default: any).

    Raises DataError, which lists the columns, for a table without pictures, or without both labels and captions.
    """
    named = [name for name in names if isinstance(name, str)]
    picture = _first(_PICTURE, named if pictures is None else pictures)
    found = _first(_LABEL, named), _first(_CAPTION, named), _first(("split",), named)
    there = one_line(", ".join(named), 200) or "none"
    if picture is None:
        raise DataError(f"{where} has no column of pictures ({', '.join(_PICTURE)}); its columns: {there}")
    if found[:2] == (None, None):
        raise DataError(f"{where} has no column label, class or caption; its columns: {there}")
    return Columns(picture, *found)


def captions_of(value: object) -> tuple[str, ...]:
    """The captions in a cell or a JSON value: a text, or a list of them, each stripped.

    Whatever else is there is no caption: null, NaN, numbers, empty texts, and texts that are no valid Unicode.
    """
    listed = value if isinstance(value, list | tuple) else [value]
    return tuple(text.strip() for text in listed if isinstance(text, str) and text.strip() and _is_unicode(text))


def picture_path(folder: Path, name: object, where: str, *, anywhere: bool) -> Path:
    """The file that a row names, relative to the table's folder. anywhere: it may also lie outside of that folder.

    Raises SampleError for a row that names none, or one that it may not name.
    """
    if not isinstance(name, str) or not name.strip() or "\0" in name:
        raise SampleError(where, "names no picture")
    if not anywhere and (name.startswith("/") or ".." in name.split("/")):
        raise SampleError(where, f"path {one_line(name, 120)!r} must lie within {folder}")
    return folder / name


def described(path: Path) -> Iterator[tuple[TableRow, Columns]]:
    """The rows, each with the names of its columns, which JSON Lines may change from row to row. Raises DataError."""
    known: dict[tuple[str, ...], Columns | None] = {}
    for line in rows(path):
        keys = tuple(line.cells)
        if keys not in known:
            known[keys] = _columns_of(path, keys)
        names = known[keys] or NO_COLUMNS
        said = (line.cells.get(name) for name in (names.label, names.caption) if name)
        if names is NO_COLUMNS:
            line = line._replace(fault=line.fault or "has no picture, or neither label nor caption")
        elif not all(_is_unicode(cell) for cell in said if isinstance(cell, str)):
            line = line._replace(fault=line.fault or "is not UTF-8 text")
        yield line, names


def _columns_of(path: Path, keys: Sequence[str]) -> Columns | None:
    """Raises DataError for a table whose header lacks a column; a single object of JSON Lines may."""
    try:
        return columns(str(path), keys)
    except DataError:
        if path.suffix.lower() in _OBJECTS:
            return None
        raise


def rows(path: Path) -> Iterator[TableRow]:
    """The rows of a CSV, TSV or JSON Lines file in UTF-8 with the names of its columns.

    A row that is odd comes with its fault, and the others after it. Raises DataError for a file that is no such table.
    """
    try:
        with open(path, encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            yield from _json_lines(file) if path.suffix.lower() in _OBJECTS else _separated(path, file)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error


def _separated(path: Path, file: TextIO) -> Iterator[TableRow]:
    reader = csv.reader(file, strict=True, delimiter=_separator(file))
    header: list[str] | None = None
    start = 1
    while True:
        try:
            cells = next(reader, None)
        except csv.Error as error:
            if header is None or _is_unclosed(error):
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


def _header(path: Path, cells: list[str]) -> list[str] | None:
    """The names of the columns; None for an empty line above them. Raises DataError."""
    if not _is_unicode("".join(cells)) or "\0" in "".join(cells):
        raise DataError(f"{path} is not a table in UTF-8: save it as UTF-8 text")
    return [name.strip() for name in cells] or None


def _is_unclosed(error: csv.Error) -> bool:
    """Whether a quotation mark was not closed: all the rows after it were taken for one cell."""
    return "unexpected end" in str(error) or "field larger" in str(error)


def _separator(file: TextIO) -> str:
    """What parts the cells: of tab, comma and semicolon the one that the header has most of."""
    header = next((line for line in iter(file.readline, "") if line.strip()), "")
    file.seek(0)
    return max("\t,;", key=header.count) if any(sign in header for sign in "\t,;") else ","


def _json_lines(file: TextIO) -> Iterator[TableRow]:
    for number, line in enumerate(file, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            yield TableRow(number, {}, "is not JSON")
            continue
        yield TableRow(number, row) if isinstance(row, dict) else TableRow(number, {}, "must be an object")


def _is_unicode(text: str) -> bool:
    """Whether it is UTF-8: bytes that are not come as halves of surrogate pairs."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _first(wanted: Sequence[str], names: Sequence[str]) -> str | None:
    lower = {name.strip().lower(): name for name in names}
    return next((lower[name] for name in wanted if name in lower), None)
