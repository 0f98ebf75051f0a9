"""Downloaded JSON, JSON Lines and CSV files: their size is limited, and any fault raises DataError."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from contralto.errors import DataError, one_line
from contralto.sets.list_files import check_size, read_lines

JSON_BYTES = 1 << 30
"""Size limit of a JSON file. The largest published one has the scenes of CLEVR's training split."""


def read_json(path: Path, reduce: Callable[[dict[str, Any]], Any] | None = None) -> Any:
    """The value of a JSON file. reduce: replaces each object, inner ones first, to save memory. Raises DataError."""
    check_size(path, JSON_BYTES)
    try:
        with open(path, "rb") as file:
            return json.load(file, object_hook=reduce)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is not JSON: {error}") from error


def json_rows(path: Path) -> Iterator[Mapping[str, Any]]:
    """The objects of a JSON Lines file. Raises DataError."""
    for number, line in enumerate(read_lines(path), 1):
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise DataError(f"{path} line {number} is not JSON: {error}") from error
        if not isinstance(row, dict):
            raise DataError(f"{path} line {number} is not a JSON object")
        yield row


def csv_columns(path: Path, *columns: str, delimiter: Literal[",", ";", "\t"] = ",") -> Iterator[tuple[str, ...]]:
    """Yields these columns of each row of a table with a header, with cells stripped. Raises DataError.

    With tabs as delimiter, quotation marks are literal.
    """
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            quoting: Literal[0, 3] = csv.QUOTE_NONE if delimiter == "\t" else csv.QUOTE_MINIMAL
            rows = csv.reader(file, delimiter=delimiter, quoting=quoting, strict=True)
            header = [name.strip() for name in next(rows, [])]
            if absent := [column for column in columns if column not in header]:
                raise DataError(f"{path} has no column {absent[0]!r} (available: {one_line(', '.join(header), 120)})")
            places = [header.index(column) for column in columns]
            for row in filter(None, rows):
                if len(row) <= max(places):
                    raise DataError(f"{path} line {rows.line_num} has {len(row)} columns, too few")
                yield tuple(row[place].strip() for place in places)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} cannot be read as a table: {error}") from error
