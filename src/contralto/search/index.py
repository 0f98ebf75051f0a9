"""The cache of picture embeddings for searching: one SQLite file per model and settings, in the user's cache folder.

The file is named by a key of everything that decides an embedding besides its picture (`contralto.embedding_cache`):
contract, engine, requested precision, decoding, versions. Its table has a row per absolute path, which is valid while
the file's size and modification time stay the same. Rows are committed every second or every 64 rows: a killed process
loses at most those.

No fault of the index stops the work (see `contralto.database`).
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import Final

from contralto import cache
from contralto.database import CacheDatabase
from contralto.embedding_cache import COLUMNS, EmbeddingSource, Outcome, digest, identity, pack, unpack
from contralto.search.walk import PictureFile

INDEX_FOLDER: Final = "index-2"  # the number changes with the table below
TABLE: Final = f"CREATE TABLE IF NOT EXISTS pictures (path BLOB NOT NULL UNIQUE, stamp TEXT NOT NULL, {COLUMNS})"
PUT: Final = "INSERT OR REPLACE INTO main.pictures VALUES (?, ?, ?, ?, ?)"
GET: Final = "SELECT row, failure, judge FROM pictures WHERE path = ? AND stamp = ?"
MAX_INDEX_FILES: Final = 50  # of all models and versions together; the least recently used go first
MAX_INDEX_BYTES: Final = 8 * 2**30


class Index:
    """Cached picture embeddings of one model. A context manager, for one thread. warn: takes one line."""

    def __init__(self, source: EmbeddingSource, *, warn: Callable[[str], None]) -> None:
        name = f"{digest(identity(source, 'image')).hex()}.sqlite"
        path = cache.database(INDEX_FOLDER, name, MAX_INDEX_FILES, MAX_INDEX_BYTES)
        self._database = CacheDatabase(path, TABLE, "the index", warn)
        self._width = source.contract.embedding

    def get(self, files: Sequence[PictureFile]) -> dict[int, Outcome]:
        """The cached outcomes of `files` by position: the embedding of an unchanged file, or why it has none."""

        def read(connection: sqlite3.Connection) -> dict[int, Outcome]:
            known: dict[int, Outcome] = {}
            for i, file in enumerate(files):
                for columns in connection.execute(GET, (file.key, _stamp(file))):
                    if (outcome := unpack(columns, self._width)) is not None:
                        known[i] = outcome
            return known

        return self._database.run(read)

    def put(self, file: PictureFile, outcome: Outcome) -> None:
        """Caches an embedding or a lasting failure; it is on disk after a second, after 64 rows, or after `flush`."""
        self._database.put(PUT, (file.key, _stamp(file), *pack(outcome)))

    def flush(self) -> None:
        """Commits pending rows."""
        self._database.flush()

    def prune(self, folder: str, files: Iterable[PictureFile]) -> int:
        """Deletes the rows of paths below `folder` that are not in `files` and no longer exist. Returns how many."""
        prefix = os.path.join(os.fsencode(os.path.abspath(folder)), b"")
        query = "SELECT path FROM pictures WHERE path >= ? AND path < ?"
        bounds = (prefix, prefix[:-1] + b"0")  # "0" follows "/"
        known = self._database.run(lambda db: db.execute(query, bounds).fetchall())
        present = {file.key for file in files}
        gone = [(path,) for (path,) in known if path not in present and _is_gone(path)]
        if gone:
            self._database.run(lambda db: db.executemany("DELETE FROM main.pictures WHERE path = ?", gone))
        return len(gone)

    def __enter__(self) -> Index:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._database.close()


def _stamp(file: PictureFile) -> str:
    """A text, because nanoseconds after the year 2262 exceed an SQLite integer."""
    return f"{file.size} {file.mtime_ns}"


def _is_gone(path: bytes) -> bool:
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:  # it may still exist: the folder is unreadable, or the network is down
        return False
    return False
