"""What was embedded, kept between runs: one SQLite file for each way of making rows, in the user's cache folder.

A way of making rows is a contract (its hash, which covers what becomes of transparency) and a decode mode; the file is
named after them. In it a picture is keyed by its absolute path, and counts as known while its size and time of change
are the same. Rows are committed every second or 64 rows: a process that is killed loses at most those.

The index is a convenience: nothing that happens to it stops the work (see `contralto.kept`).
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
from contralto.contract import Contract
from contralto.kept import Kept
from contralto.search.files import File

Row = NDArray[np.float32]

FOLDER: Final = "index-1"  # the number changes with the table below
TABLE: Final = """CREATE TABLE IF NOT EXISTS pictures (
    path BLOB NOT NULL UNIQUE, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, embedding BLOB, failure TEXT)"""
PUT: Final = "INSERT OR REPLACE INTO pictures VALUES (?, ?, ?, ?, ?)"


class Index:
    """Known rows of one contract and decode mode. Use as a context; of one thread only. warn: takes one line."""

    def __init__(self, contract: Contract, *, decode: str = "exact", warn: Callable[[str], None]) -> None:
        file = cache.folder() / FOLDER / f"{contract.hash}-{decode}.sqlite"
        self._kept = Kept(file, TABLE, "the index", warn)
        self._bytes = 4 * contract.embedding

    def get(self, files: Sequence[File]) -> dict[int, Row | str]:
        """What is known of `files`, by position: the row of an unchanged file, or the reason why it has none."""
        query = "SELECT embedding, failure FROM pictures WHERE path = ? AND size = ? AND mtime_ns = ?"

        def read(connection: sqlite3.Connection) -> dict[int, Row | str]:
            known: dict[int, Row | str] = {}
            for i, file in enumerate(files):
                for embedding, failure in connection.execute(query, (file.key, file.size, file.mtime_ns)):
                    if embedding is None:
                        known[i] = str(failure)
                    elif len(embedding) == self._bytes:
                        known[i] = np.frombuffer(embedding, np.float32)
            return known

        return self._kept.run(read)

    def put(self, file: File, outcome: Row | str) -> None:
        """Keeps a row or the reason of a failure; on the disk after a second, 64 rows, or `flush`."""
        known = (None, outcome) if isinstance(outcome, str) else (outcome.tobytes(), None)
        self._kept.put(PUT, (file.key, file.size, file.mtime_ns, *known))

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
            self._kept.run(lambda db: db.executemany("DELETE FROM pictures WHERE path = ?", gone))
        return len(gone)

    def __enter__(self) -> Index:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._kept.close()


def _is_gone(path: bytes) -> bool:
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:  # it may well be there: an unreadable folder, a network that is down
        return False
    return False
