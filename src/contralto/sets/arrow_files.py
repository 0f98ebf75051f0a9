"""Pictures in the rows of Parquet and Arrow files, read on demand."""

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
    """A column of pictures, read by row number. Several threads may read it."""

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
        data = cell.get("bytes") if isinstance(cell, dict) else cell
        if not isinstance(data, bytes):
            raise SampleError(str(self), "holds no bytes of a picture")
        return data


class RowGroupCache:
    """The most recent row groups of all files of a data set, in memory, up to `limit` bytes."""

    def __init__(self, limit: int = 512 * 2**20) -> None:
        self._limit, self._groups, self._lock = limit, OrderedDict[tuple[Path, int], Any](), threading.Lock()

    def __len__(self) -> int:
        return len(self._groups)

    @property
    def nbytes(self) -> int:
        """Bytes of the row groups in memory."""
        return sum(array.nbytes for array in self._groups.values())

    def get(self, path: Path, group: int, column: str) -> Any:
        """A column of a row group, as an Arrow array. Raises DataError, SampleError."""
        with self._lock:  # two threads that need the same group read it once
            if (path, group) not in self._groups:
                with open_parquet_file(path) as file:  # closed again: a process has a limit of open files
                    self._groups[path, group] = read_columns(path, file, [column], group).column(column)
                while len(self) > 1 and self.nbytes > self._limit:
                    self._groups.popitem(last=False)
            self._groups.move_to_end((path, group))
            return self._groups[path, group]


class ParquetColumn:
    """A column of a Parquet file, read by row group. sizes: number of rows of each group."""

    def __init__(self, path: Path, name: str, sizes: Sequence[int], groups: RowGroupCache) -> None:
        self._path, self._name, self._groups = path, name, groups
        self._ends = list(itertools.accumulate(sizes))

    def __getitem__(self, row: int) -> Any:
        group = bisect.bisect_right(self._ends, row)
        first = self._ends[group - 1] if group else 0
        return self._groups.get(self._path, group, self._name)[row - first].as_py()


class ArrowColumn:
    """A column of a memory-mapped Arrow table."""

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
    """A `pyarrow.Table` of these columns of a `ParquetFile`, or of one row group. Raises SampleError."""
    import pyarrow

    try:
        if group is None:
            return file.read(columns=list(columns))
        return file.read_row_group(group, columns=list(columns))
    except (pyarrow.ArrowException, OSError) as error:
        place = path if group is None else f"{path} row group {group}"
        raise SampleError(str(place), f"cannot be read: {one_line(str(error))}") from error


def open_arrow_file(path: Path) -> Any:
    """A `pyarrow.Table` on the memory-mapped file. Raises DataError, MissingExtraError."""
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
