"""What was embedded, kept between runs: one SQLite file for each way of making rows, in the user's cache folder.

The file is named after all that decides a row besides its picture (`contralto.encoder.keeping`): the contract, engine
and precision as they were asked for, decoding, versions. In it a picture is keyed by its absolute path, and counts as
known while its size and time of change are the same. Rows are committed every second or 64 rows: a process that is
killed loses at most those.

The index is a convenience: nothing that happens to it stops the work (see `contralto.database`).
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from contralto import cache
from contralto.database import CacheDatabase
from contralto.encoder import Clip
from contralto.encoder.keeping import COLUMNS, digest, identity, packed, unpacked
from contralto.search.files import File

Row = NDArray[np.float32]

FOLDER: Final = "index-2"  # the number changes with the table below
TABLE: Final = f"CREATE TABLE IF NOT EXISTS pictures (path BLOB NOT NULL UNIQUE, stamp TEXT NOT NULL, {COLUMNS})"
PUT: Final = "INSERT OR REPLACE INTO main.pictures VALUES (?, ?, ?, ?, ?)"
GET: Final = "SELECT row, failure, judge FROM pictures WHERE path = ? AND stamp = ?"
MOST_FILES: Final = 50  # of all models and versions together; those that were not used for the longest time go
MOST_BYTES: Final = 8 * 2**30


class Index:
    """Known rows of one Clip. Use as a context; of one thread only. warn: takes one line."""

    def __init__(self, clip: Clip, *, warn: Callable[[str], None]) -> None:
        name = f"{digest(identity(clip, 'image')).hex()}.sqlite"
        self._kept = CacheDatabase(cache.database(FOLDER, name, MOST_FILES, MOST_BYTES), TABLE, "the index", warn)
        self._width = clip.contract.embedding

    def get(self, files: Sequence[File]) -> dict[int, Row | str]:
        """What is known of `files`, by position: the row of an unchanged file, or the reason why it has none."""

        def read(connection: sqlite3.Connection) -> dict[int, Row | str]:
            known: dict[int, Row | str] = {}
            for i, file in enumerate(files):
                for kept in connection.execute(GET, (file.key, _stamp(file))):
                    if (outcome := unpacked(kept, self._width)) is not None:
                        known[i] = outcome
            return known

        return self._kept.run(read)

    def put(self, file: File, outcome: Row | str) -> None:
        """Keeps a row, or the reason of a failure that lasts; on the disk after a second, 64 rows, or `flush`."""
        self._kept.put(PUT, (file.key, _stamp(file), *packed(outcome)))

    def flush(self) -> None:
        """Commits what waits."""
        self._kept.flush()

    def prune(self, folder: str, files: Iterable[File]) -> int:
        """Forgets what lies below `folder`, is not among `files` and is gone from the disk. Returns how many."""
        prefix = os.path.join(os.fsencode(os.path.abspath(folder)), b"")
        query = "SELECT path FROM pictures WHERE path >= ? AND path < ?"
        known = self._kept.run(lambda db: db.execute(query, (prefix, prefix[:-1] + b"0")).fetchall())  # "0" follows "/"
        present = {file.key for file in files}
        gone = [(path,) for (path,) in known if path not in present and _is_gone(path)]
        if gone:
            self._kept.run(lambda db: db.executemany("DELETE FROM main.pictures WHERE path = ?", gone))
        return len(gone)

    def __enter__(self) -> Index:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._kept.close()


def _stamp(file: File) -> str:
    """A text, because nanoseconds beyond the year 2262 are more than an SQLite integer holds."""
    return f"{file.size} {file.mtime_ns}"


def _is_gone(path: bytes) -> bool:
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:  # it may well be there: an unreadable folder, a network that is down
        return False
    return False
