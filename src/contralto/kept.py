"""A small SQLite file in the cache folder: a convenience whose failures never stop the work.

A damaged file is moved aside and made anew; one that cannot be written is replaced by memory. Either is told once, in
one line that says what is lost.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

T = TypeVar("T")

BUSY_SECONDS: Final = 30.0
COMMIT_ROWS: Final = 64
COMMIT_SECONDS: Final = 1.0
DAMAGED: Final = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


class Kept:
    """The file with its tables; of one thread only. what: how messages call it, such as "the index"."""

    def __init__(self, file: Path, tables: str, what: str, warn: Callable[[str], None]) -> None:
        self._file: Path | None = file
        self._tables, self._what, self._warn = tables, what, warn
        self._connection = self._open()
        self._waiting: dict[str, list[tuple[Any, ...]]] = {}  # query -> what it is to be done with
        self._committed = time.monotonic()

    def put(self, query: str, values: tuple[Any, ...]) -> None:
        """Does the query with these values, after a second, 64 of them, or `flush`: who is killed loses those."""
        self._waiting.setdefault(query, []).append(values)
        due = sum(map(len, self._waiting.values())) >= COMMIT_ROWS
        if due or time.monotonic() - self._committed >= COMMIT_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Commits what waits."""
        waiting = self._waiting
        if waiting:
            self.run(lambda db: [db.executemany(query, several) for query, several in waiting.items()])
        self._waiting = {}
        self._committed = time.monotonic()

    def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Does `work` in a transaction; if the file fails, mends or leaves it and does the work again."""
        for _ in range(2):
            try:
                with self._connection as connection:
                    return work(connection)
            except sqlite3.DatabaseError as error:
                self._connection.close()
                self._recover(error)
                self._connection = self._open()
        with self._connection as connection:
            return work(connection)

    def close(self) -> None:
        """Commits what waits; no more work after this."""
        try:
            self.flush()
        finally:
            self._connection.close()

    def _recover(self, error: sqlite3.DatabaseError | OSError) -> None:
        """After a failure: a damaged file is moved aside, any other is given up for memory; told in one line."""
        if self._file is not None and (getattr(error, "sqlite_errorcode", 0) & 0xFF) in DAMAGED:
            _move_aside(self._file)
            self._warn(f"{self._what} {self._file} was damaged: moved aside, pictures are embedded again")
        elif self._file is not None:
            self._warn(f"{self._what} {self._file} cannot be used ({error}): what is embedded now is not kept")
            self._file = None

    def _open(self) -> sqlite3.Connection:
        for _ in range(2):
            try:
                return _connect(self._file, self._tables)
            except (sqlite3.DatabaseError, OSError) as error:
                self._recover(error)
        self._file = None
        return _connect(None, self._tables)


def _connect(file: Path | None, tables: str) -> sqlite3.Connection:
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(file or ":memory:", timeout=BUSY_SECONDS)
    try:
        connection.execute("PRAGMA journal_mode = WAL")  # readers and a writer do not wait for each other
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.executescript(tables)
    except BaseException:
        connection.close()
        raise
    return connection


def _move_aside(file: Path) -> None:
    """FILE becomes FILE.damaged (an older one is replaced); its write-ahead log belongs to it and goes."""
    with contextlib.suppress(OSError):
        os.replace(file, f"{file}.damaged")
    for suffix in ("-wal", "-shm"):
        with contextlib.suppress(OSError):
            os.unlink(f"{file}{suffix}")
