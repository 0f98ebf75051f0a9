"""A small SQLite file in the cache folder: a convenience whose failures never stop the work.

A damaged file is moved aside and made anew. One that cannot be written is still read: a container's image has its cache
on a read-only disk, and a full disk holds what was kept before. What is new is then held in memory, as everything is
where there is no file at all. Each is told once, in one line that says what is lost, when there is something to lose.
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
# As it is; else, as it is on a disk where no log can be written beside it, and nobody else writes it either.
READ_ONLY: Final = ("mode=ro", "immutable=1")


class _Use(Enum):
    """What is made of the file, best first: each takes the place of the one before when that fails."""

    WRITTEN = 1
    READ = 2  # beneath a database in memory, which takes what is new
    LEFT = 3


class CacheDatabase:
    """The file with its tables; of one thread only. what: how messages call it, such as "the index".

    Queries read from the tables by their names, and write to `main.` and the name.
    """

    def __init__(self, file: Path, tables: str, what: str, warn: Callable[[str], None]) -> None:
        self._file, self._tables, self._what, self._warn = file, tables, what, warn
        self._use, self._moved = _Use.WRITTEN, False
        self._why, self._told = "", True  # why what is put is not kept
        self._connection = self._open()
        self._waiting: dict[str, list[tuple[Any, ...]]] = {}  # query -> what it is to be done with
        self._committed = time.monotonic()

    def put(self, query: str, values: tuple[Any, ...]) -> None:
        """Queues the query with these values; it is done after a second, 64 of them, or `flush`.

        A process that is killed loses what waits.
        """
        self._waiting.setdefault(query, []).append(values)
        due = sum(map(len, self._waiting.values())) >= COMMIT_ROWS
        if due or time.monotonic() - self._committed >= COMMIT_SECONDS:
            self.flush()

    def put_all(self, query: str, several: Iterable[tuple[Any, ...]]) -> None:
        """Does the query with each of these values, at once."""
        self._waiting.setdefault(query, []).extend(several)
        self.flush()

    def flush(self) -> None:
        """Commits what waits."""
        waiting = self._waiting
        if any(waiting.values()):
            self.run(lambda db: [db.executemany(query, several) for query, several in waiting.items()])
            if not self._told:
                self._warn(f"{self._what} {self._file} {self._why}: what is embedded now is not kept")
                self._told = True
        self._waiting = {}
        self._committed = time.monotonic()

    def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Does `work` in a transaction; if the file fails, does it again with the next best use of the file."""
        while True:
            try:
                with self._connection as connection:
                    return work(connection)
            except sqlite3.DatabaseError as error:
                self._connection.close()
                self._recover(error)
                self._connection = self._open()

    def close(self) -> None:
        """Commits what waits; no more work after this."""
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
        if self._use is _Use.WRITTEN:
            return _written(self._file, self._tables)
        connection = sqlite3.connect(":memory:", uri=True)
        try:
            connection.executescript(self._tables)
            if self._use is _Use.READ:
                _read_beneath(connection, self._file)
        except BaseException:
            connection.close()
            raise
        return connection

    def _recover(self, error: sqlite3.DatabaseError | OSError) -> None:
        """Settles what is made of the file after this failure. Raises it where there is nothing left to try."""
        if self._use is _Use.LEFT:
            raise error
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in DAMAGED and self._use is _Use.WRITTEN and not self._moved and _move_aside(self._file):
            self._moved = True
            self._warn(f"{self._what} {self._file} was damaged: moved aside, pictures are embedded again")
            return
        reason = "" if code in NOT_WRITABLE else f" ({getattr(error, 'strerror', None) or error})"
        if self._use is _Use.WRITTEN and code not in DAMAGED:
            self._use, self._why = _Use.READ, f"cannot be written{reason}"
        else:
            self._use, self._why = _Use.LEFT, self._why or f"cannot be used{reason}"  # the first failure is the cause
        self._told = False


def _written(file: Path, tables: str) -> sqlite3.Connection:
    file.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(file, timeout=BUSY_SECONDS)
    try:
        connection.execute("PRAGMA journal_mode = WAL")  # readers and a writer do not wait for each other
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.executescript(tables)
    except BaseException:
        connection.close()
        raise
    return connection


def _read_beneath(memory: sqlite3.Connection, file: Path) -> None:
    """Makes one table, for who reads, of each of the file's and the one of its name in memory.

    Raises sqlite3.DatabaseError if the file cannot be read.
    """
    for how in READ_ONLY:
        try:
            memory.execute("ATTACH ? AS kept", (f"{file.absolute().as_uri()}?{how}",))
            tables = memory.execute("SELECT name FROM kept.sqlite_master WHERE type = 'table'").fetchall()
            break
        except sqlite3.DatabaseError:
            if how == READ_ONLY[-1]:
                raise
            with contextlib.suppress(sqlite3.DatabaseError):
                memory.execute("DETACH kept")
    for (name,) in tables:
        memory.execute(
            f'CREATE TEMP VIEW "{name}" AS SELECT * FROM kept."{name}" UNION ALL SELECT * FROM main."{name}"'
        )


def _move_aside(file: Path) -> bool:
    """FILE becomes FILE.damaged (an older one is replaced); its write-ahead log belongs to it and goes."""
    try:
        os.replace(file, f"{file}.damaged")
    except OSError:
        return False
    for suffix in ("-wal", "-shm"):
        with contextlib.suppress(OSError):
            os.unlink(f"{file}{suffix}")
    return True
