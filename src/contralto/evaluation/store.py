"""What was embedded for measuring, kept between runs by content: an interrupted run goes on, a second metric is quick.

A file for each way of making rows: contract (whose hash covers weights, tokenizer and preprocessing), engine,
precision and decoding. In it a row is keyed by the sha256 of the picture's stored bytes (and of what was changed in it)
or of the text, so that splits and sets share what they have in common. Beside it, one file for all models remembers
the digests of files by place, size and time of change, so that what did not change is not even read.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from contralto import cache
from contralto.encoder import Clip
from contralto.kept import Kept

Kind = Literal["image", "features", "text"]
Row = NDArray[np.float32]

FOLDER: Final = "evaluate-1"  # the number changes with the tables below
ROWS: Final = "\n".join(
    f"CREATE TABLE IF NOT EXISTS {kind} (digest BLOB NOT NULL PRIMARY KEY, row BLOB, failure TEXT) WITHOUT ROWID;"
    for kind in ("image", "features", "text")
)
DIGESTS: Final = """CREATE TABLE IF NOT EXISTS seen (
    stamp TEXT NOT NULL PRIMARY KEY, digest BLOB NOT NULL) WITHOUT ROWID;"""
ASKED_AT_ONCE: Final = 500  # SQLite bounds the values of a question


class Store:
    """Rows of one Clip. Use as a context; of one thread only. fresh: what is kept is not used, and is replaced."""

    def __init__(self, clip: Clip, *, fresh: bool = False, warn: Callable[[str], None]) -> None:
        folder = cache.folder() / FOLDER
        way = f"{clip.engine}-{clip.precision}-{clip.decode}{'-reproducible' if clip.reproducible else ''}"
        name = f"{clip.contract.hash}-{''.join(c if c.isalnum() else '_' for c in way)}.sqlite"
        self._rows = Kept(folder / name, ROWS, "the cache of embeddings", warn)
        self._digests = Kept(folder / "seen.sqlite", DIGESTS, "the list of files that were read", warn)
        self._fresh = fresh

    def rows(self, kind: Kind, digests: Iterable[bytes]) -> dict[bytes, Row | str]:
        """What is known of these digests: the row, or the reason why there is none."""
        if self._fresh:
            return {}
        wanted = list(dict.fromkeys(digests))

        def read(connection: sqlite3.Connection) -> dict[bytes, Row | str]:
            known: dict[bytes, Row | str] = {}
            for part in _parts(wanted):
                query = f"SELECT digest, row, failure FROM {kind} WHERE digest IN ({', '.join('?' * len(part))})"
                for digest, row, failure in connection.execute(query, part):
                    known[digest] = str(failure) if row is None else np.frombuffer(row, np.float32)
            return known

        return self._rows.run(read)

    def put(self, kind: Kind, digest: bytes, outcome: Row | str) -> None:
        """Keeps a row or the reason of a failure; on the disk after a second, 64 rows, or `flush`."""
        known = (None, outcome) if isinstance(outcome, str) else (outcome.tobytes(), None)
        self._rows.put(f"INSERT OR REPLACE INTO {kind} VALUES (?, ?, ?)", (digest, *known))

    def flush(self) -> None:
        """Commits what waits."""
        self._rows.flush()

    def seen(self, stamps: Sequence[str]) -> dict[str, bytes]:
        """The digests of the pictures with these stamps (`Item.stamp`), where they are known."""
        if self._fresh:
            return {}

        def read(connection: sqlite3.Connection) -> dict[str, bytes]:
            known: dict[str, bytes] = {}
            for part in _parts(stamps):
                query = f"SELECT stamp, digest FROM seen WHERE stamp IN ({', '.join('?' * len(part))})"
                known.update(connection.execute(query, part).fetchall())
            return known

        return self._digests.run(read)

    def saw(self, digests: dict[str, bytes]) -> None:
        """Remembers stamp -> digest."""
        self._digests.run(lambda db: db.executemany("INSERT OR REPLACE INTO seen VALUES (?, ?)", digests.items()))

    def __enter__(self) -> Store:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        try:
            self._rows.close()
        finally:
            self._digests.close()


def _parts(values: Sequence[bytes] | Sequence[str]) -> Iterable[Sequence[bytes] | Sequence[str]]:
    return (values[start : start + ASKED_AT_ONCE] for start in range(0, len(values), ASKED_AT_ONCE))
