"""Pictures that lie in the rows of a Parquet or Arrow file, read when they are asked for."""

from __future__ import annotations

import bisect
import threading
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from contralto.data.source import SampleError
from contralto.errors import DataError, MissingExtraError


class Column(Protocol):
    """Column of pictures: cells by row. Safe to read from several threads."""

    def __getitem__(self, row: int) -> Any: ...


@dataclass(frozen=True, eq=False)
class Row:
    """The picture in a row of `file`: bytes, or a structure with a field `bytes`."""

    file: Path
    number: int
    column: Column

    def __str__(self) -> str:
        return f"{self.file} row {self.number}"

    def read(self) -> bytes:
        """The picture's bytes. Raises SampleError."""
        cell = self.column[self.number]
        given = cell.get("bytes") if isinstance(cell, dict) else cell
        if not isinstance(given, bytes):
            raise SampleError(str(self), "holds no bytes of a picture")
        return given


class ParquetColumn:
    """A column of a Parquet file, a row group at a time; the last ones read are kept, up to `cache_bytes`."""

    def __init__(self, path: Path, file: Any, name: str, cache_bytes: int = 256 * 2**20) -> None:
        self._path, self._file, self._name, self._cache_bytes = path, file, name, cache_bytes
        self._ends: list[int] = []  # rows up to the end of each group
        for group in range(file.num_row_groups):
            self._ends.append((self._ends or [0])[-1] + file.metadata.row_group(group).num_rows)
        self._cache: OrderedDict[int, Any] = OrderedDict()
        self._lock = threading.Lock()

    def __getitem__(self, row: int) -> Any:
        group = bisect.bisect_right(self._ends, row)
        return self._read(group)[row - (self._ends[group - 1] if group else 0)].as_py()

    def _read(self, group: int) -> Any:
        import pyarrow

        with self._lock:  # a ParquetFile must not be read by two threads at once
            if group not in self._cache:
                try:
                    self._cache[group] = self._file.read_row_group(group, columns=[self._name]).column(self._name)
                except (pyarrow.ArrowException, OSError) as error:
                    raise SampleError(f"{self._path} row group {group}", f"cannot be read: {error}") from error
                while len(self._cache) > 1 and sum(c.nbytes for c in self._cache.values()) > self._cache_bytes:
                    self._cache.popitem(last=False)
            self._cache.move_to_end(group)
            return self._cache[group]


class ArrowColumn:
    """A column of an Arrow table that is mapped into memory."""

    def __init__(self, column: Any) -> None:
        self._column = column

    def __getitem__(self, row: int) -> Any:
        return self._column[row].as_py()


def open_parquet_file(path: Path) -> Any:
    """A `pyarrow.parquet.ParquetFile`. Raises DataError, MissingExtraError."""
    pyarrow = _pyarrow("reading Parquet")
    from pyarrow import parquet

    try:
        return parquet.ParquetFile(path)
    except (pyarrow.ArrowException, OSError) as error:
        raise DataError(f"{path} is not a readable Parquet file: {error}") from error


def open_arrow_file(path: Path) -> Any:
    """A `pyarrow.Table` whose columns lie in the mapped file. Raises DataError, MissingExtraError."""
    pyarrow = _pyarrow("reading Arrow files")
    try:
        return pyarrow.ipc.open_stream(pyarrow.memory_map(str(path))).read_all()
    except (pyarrow.ArrowException, OSError) as error:
        raise DataError(f"{path} is not a readable Arrow stream: {error}") from error


def _pyarrow(what: str) -> Any:
    try:
        import pyarrow
    except ImportError as error:
        raise MissingExtraError(what, "evaluate") from error
    return pyarrow
