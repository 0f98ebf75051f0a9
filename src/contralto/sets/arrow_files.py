"""Pictures that lie in the rows of a Parquet or Arrow file, read when they are asked for."""

from __future__ import annotations

import bisect
import itertools
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from contralto.data.sample import SampleError
from contralto.errors import DataError, MissingExtraError, one_line


class PictureColumn(Protocol):
    """PictureColumn of pictures: cells by row. Safe to read from several threads."""

    def __getitem__(self, row: int) -> Any: ...


@dataclass(frozen=True, eq=False)
class RowPicture:
    """The picture in a row of `file`: bytes, or a structure with a field `bytes`."""

    file: Path
    number: int
    column: PictureColumn

    def __str__(self) -> str:
        return f"{self.file} row {self.number}"

    def read(self) -> bytes:
        """The picture's bytes. Raises SampleError."""
        cell = self.column[self.number]
        given = cell.get("bytes") if isinstance(cell, dict) else cell
        if not isinstance(given, bytes):
            raise SampleError(str(self), "holds no bytes of a picture")
        return given


class RowGroupCache:
    """The row groups that were read last, of all files of a set together, up to `limit` bytes."""

    def __init__(self, limit: int = 512 * 2**20) -> None:
        self._limit, self._kept, self._lock = limit, OrderedDict[tuple[Path, int], Any](), threading.Lock()

    def get(self, path: Path, group: int, column: str) -> Any:
        """That column of a row group, an Arrow array. Raises DataError, SampleError."""
        with self._lock:  # so that what two threads want is read once
            if (path, group) not in self._kept:
                with open_parquet_file(path) as file:  # not kept open: a set may have more files than a process may
                    self._kept[path, group] = read_columns(path, file, [column], group).column(column)
                while len(self._kept) > 1 and sum(kept.nbytes for kept in self._kept.values()) > self._limit:
                    self._kept.popitem(last=False)
            self._kept.move_to_end((path, group))
            return self._kept[path, group]


class ParquetColumn:
    """A column of a Parquet file, read a row group at a time. sizes: rows of each group."""

    def __init__(self, path: Path, name: str, sizes: Sequence[int], groups: RowGroupCache) -> None:
        self._path, self._name, self._groups = path, name, groups
        self._ends = list(itertools.accumulate(sizes))

    def __getitem__(self, row: int) -> Any:
        group = bisect.bisect_right(self._ends, row)
        first = self._ends[group - 1] if group else 0
        return self._groups.get(self._path, group, self._name)[row - first].as_py()


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
        raise DataError(f"{path} is not a readable Parquet file: {one_line(str(error))}") from error


def read_columns(path: Path, file: Any, columns: Sequence[str], group: int | None = None) -> Any:
    """A `pyarrow.Table` of these columns of a `ParquetFile`, or of a row group of it. Raises SampleError."""
    import pyarrow

    try:
        if group is None:
            return file.read(columns=list(columns))
        return file.read_row_group(group, columns=list(columns))
    except (pyarrow.ArrowException, OSError) as error:
        place = path if group is None else f"{path} row group {group}"
        raise SampleError(str(place), f"cannot be read: {one_line(str(error))}") from error


def open_arrow_file(path: Path) -> Any:
    """A `pyarrow.Table` whose columns lie in the mapped file. Raises DataError, MissingExtraError."""
    pyarrow = _pyarrow("reading Arrow files")
    try:
        return pyarrow.ipc.open_stream(pyarrow.memory_map(str(path))).read_all()
    except (pyarrow.ArrowException, OSError) as error:
        raise DataError(f"{path} is not a readable Arrow stream: {one_line(str(error))}") from error


def _pyarrow(what: str) -> Any:
    try:
        import pyarrow
    except ImportError as error:
        raise MissingExtraError(what, "evaluate") from error
    return pyarrow
