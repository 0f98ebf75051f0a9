"""Parquet files with the bytes of pictures in a column, a usual format of data sets on model hubs."""

from __future__ import annotations

import bisect
import threading
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from contralto.data.sample import Sample, SampleError
from contralto.data.shards import shard_files
from contralto.data.table_files import captions_of
from contralto.errors import DataError, MissingExtraError


class Parquet:
    """One file or several, also by a pattern (see `data.shards`). A `Source`; needs the extra `train`.

    image: column of bytes, or of structures with a field `bytes`. caption: column of strings or of lists of strings.
    A whole row group is read at once; the most recent groups stay in memory, up to `cache_bytes`. In random order
    each sample may cost a whole group, so the file should fit into this memory, or have small groups (some MB).
    Raises DataError for a damaged file or another layout.
    """

    def __init__(
        self,
        files: str | Path | Sequence[str | Path],
        image: str = "image",
        caption: str = "caption",
        cache_bytes: int = 512 * 2**20,
    ) -> None:
        paths = shard_files(files)
        if not paths:
            raise DataError("Parquet was given no file")
        self.name, self.skipped = paths[0].stem, dict[str, int]()
        self._columns, self._cache_bytes = (image, caption), cache_bytes
        self._groups: list[tuple[Path, Any, int]] = []  # a row group: path, open file, its number there
        self._ends: list[int] = []  # rows up to the end of each group
        for path in paths:
            file = _open(path, image, caption)
            for group in range(file.num_row_groups):
                self._groups.append((path, file, group))
                self._ends.append((self._ends or [0])[-1] + file.metadata.row_group(group).num_rows)
        if not self._ends or not self._ends[-1]:
            raise DataError(f"{paths[0]} holds no rows")
        self._cache: OrderedDict[int, Any] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return self._ends[-1]

    def __getitem__(self, index: int) -> Sample:
        if not 0 <= index < len(self):
            raise IndexError(index)
        group = bisect.bisect_right(self._ends, index)
        path, row = self._groups[group][0], index - (self._ends[group - 1] if group else 0)
        table, key = self._read(group), f"{path} row {index}"
        picture, captions = (table.column(name)[row].as_py() for name in self._columns)
        picture = picture.get("bytes") if isinstance(picture, dict) else picture
        if not isinstance(picture, bytes):
            raise SampleError(key, f"has no bytes in column {self._columns[0]!r}")
        if not (texts := captions_of(captions)):
            raise SampleError(key, f"has no caption in column {self._columns[1]!r}")
        return Sample(picture, texts, key)

    def _read(self, group: int) -> Any:
        """The row group, from memory if it was read recently."""
        import pyarrow

        with self._lock:  # a ParquetFile must not be read by two threads at once
            if group not in self._cache:
                path, file, number = self._groups[group]
                try:
                    self._cache[group] = file.read_row_group(number, columns=list(self._columns))
                except (pyarrow.ArrowException, OSError) as error:
                    raise SampleError(f"{path} row group {number}", f"cannot be read: {error}") from error
                while len(self._cache) > 1 and sum(t.nbytes for t in self._cache.values()) > self._cache_bytes:
                    self._cache.popitem(last=False)
            self._cache.move_to_end(group)
            return self._cache[group]


def _open(path: Path, image: str, caption: str) -> Any:
    """The open file. Raises DataError if it is damaged or lacks a column."""
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise MissingExtraError("reading Parquet", "train") from error
    try:
        file = parquet.ParquetFile(path)
    except (pyarrow.ArrowException, OSError) as error:
        raise DataError(f"{path} is not a readable Parquet file: {error}") from error
    names = file.schema_arrow.names
    if missing := [name for name in (image, caption) if name not in names]:
        raise DataError(f"{path} has no column {' and no '.join(missing)} (its columns: {', '.join(names)})")
    return file
