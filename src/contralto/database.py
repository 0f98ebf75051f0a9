"""A small SQLite file in the cache folder. Its failures never stop the work.

A damaged file is moved aside and replaced by a new one. A file that cannot be written is still read: a container image
may have its cache on a read-only disk, and a full disk still holds older entries. New entries then stay in memory, as
all entries do if the file cannot be used at all. Each failure is reported once, in one line, when entries are lost.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Callable, Iterable
from enum import Enum
from pathlib import Path
from typing import Any, Final, TypeVar

T = TypeVar("T")

BUSY_SECONDS: Final = 30.0
COMMIT_ROWS: Final = 64
COMMIT_SECONDS: Final = 1.0
DAMAGED: Final = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
NOT_WRITABLE: Final = (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM)
# Tried in this order. "immutable" works on a read-only disk, where SQLite cannot write a log, and no process writes.
READ_ONLY_URIS: Final = ("mode=ro", "immutable=1")


class _Access(Enum):
    """How the file is used, best first. When one fails, the next is tried."""

    READ_WRITE = 1
    READ_ONLY = 2  # with a database in memory for new entries
    MEMORY = 3  # the file is not used


class CacheDatabase:
    """The file with its tables, for one thread. what: the name in messages, such as "the index".

    Queries read from TABLE, and write to main.TABLE.
    """

    def __init__(self, file: Path, tables: str, what: str, warn: Callable[[str], None]) -> None:
        self._file, self._tables, self._what, self._warn = file, tables, what, warn
        self._access, self._moved_aside = _Access.READ_WRITE, False
        self._reason, self._warned = "", True  # why new entries are not cached
        self._connection = self._open()
        self._queue: dict[str, list[tuple[Any, ...]]] = {}  # query -> its values
        self._committed = time.monotonic()

    def put(self, query: str, values: tuple[Any, ...]) -> None:
        """Queues the query with these values. A killed process loses up to 1 s or 64 entries."""
        self._queue.setdefault(query, []).append(values)
        due = sum(map(len, self._queue.values())) >= COMMIT_ROWS
        if due or time.monotonic() - self._committed >= COMMIT_SECONDS:
            self.flush()

    def put_all(self, query: str, several: Iterable[tuple[Any, ...]]) -> None:
        """Runs the query with each of these values, and commits."""
        self._queue.setdefault(query, []).extend(several)
        self.flush()

    def flush(self) -> None:
        """Commits the queue."""
        queue = self._queue
        if any(queue.values()):
            self.run(lambda db: [db.executemany(query, several) for query, several in queue.items()])
            if not self._warned:
                self._warn(f"{self._what} {self._file} {self._reason}: new embeddings are not cached")
                self._warned = True
        self._queue = {}
        self._committed = time.monotonic()

    def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Does `work` in a transaction. If the file fails, repeats it with the next way to use the file."""
        while True:
            try:
                with self._connection as connection:
                    return work(connection)
            except sqlite3.DatabaseError as error:
                self._connection.close()
                self._recover(error)
                self._connection = self._open()

    def close(self) -> None:
        """Commits the queue and closes the file."""
        try:
            self.flush()
        finally:
            self._connection.close()

    def _open(self) -> sqlite3.Connection:
        while True:
            try:
                return self._connect()
            except (sqlite3.DatabaseError, OSError) as error:
                self._recover(error)

    def _connect(self) -> sqlite3.Connection:
        if self._access is _Access.READ_WRITE:
            return _writable(self._file, self._tables)
        connection = sqlite3.connect(":memory:", uri=True)
        try:
            connection.executescript(self._tables)
            if self._access is _Access.READ_ONLY:
                _attach(connection, self._file)
        except BaseException:
            connection.close()
            raise
        return connection

    def _recover(self, error: sqlite3.DatabaseError | OSError) -> None:
        """Decides how to use the file after this error. Raises the error if nothing is left to try."""
        if self._access is _Access.MEMORY:
            raise error
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in DAMAGED and self._access is _Access.READ_WRITE and not self._moved_aside and _move_aside(self._file):
            self._moved_aside = True
            self._warn(f"{self._what} {self._file} was damaged: moved aside, pictures are embedded again")
            return
        reason = "" if code in NOT_WRITABLE else f" ({getattr(error, 'strerror', None) or error})"
        if self._access is _Access.READ_WRITE and code not in DAMAGED:
            self._access, self._reason = _Access.READ_ONLY, f"cannot be written{reason}"
        else:
            self._access = _Access.MEMORY
            self._reason = self._reason or f"cannot be used{reason}"  # an earlier failure is the true reason
        self._warned = False


def _writable(file: Path, tables: str) -> sqlite3.Connection:
    file.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(file, timeout=BUSY_SECONDS)
    try:
        connection.execute("PRAGMA journal_mode = WAL")  # readers and the writer do not block each other
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.executescript(tables)
    except BaseException:
        connection.close()
        raise
    return connection


def _attach(memory: sqlite3.Connection, file: Path) -> None:
    """For each table of the file, adds a view that joins it with the table of the same name in memory.

    Raises sqlite3.DatabaseError if the file cannot be read.
    """
    for option in READ_ONLY_URIS:
        try:
            memory.execute("ATTACH ? AS disk", (f"{file.absolute().as_uri()}?{option}",))
            tables = memory.execute("SELECT name FROM disk.sqlite_master WHERE type = 'table'").fetchall()
            break
        except sqlite3.DatabaseError:
            if option == READ_ONLY_URIS[-1]:
                raise
            with contextlib.suppress(sqlite3.DatabaseError):
                memory.execute("DETACH disk")
    for (name,) in tables:
        memory.execute(
            f'CREATE TEMP VIEW "{name}" AS SELECT * FROM disk."{name}" UNION ALL SELECT * FROM main."{name}"'
        )


def _move_aside(file: Path) -> bool:
    """Renames FILE to FILE.damaged, replacing an older one, and deletes its write-ahead log. False if that fails."""
    try:
        os.replace(file, f"{file}.damaged")
    except OSError:
        return False
    for suffix in ("-wal", "-shm"):
        with contextlib.suppress(OSError):
            os.unlink(f"{file}{suffix}")
    return True
