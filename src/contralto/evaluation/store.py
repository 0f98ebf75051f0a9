"""What was embedded for measuring, kept between runs by content: an interrupted run goes on, a second metric is quick.

A file for each way of making rows, named after all that decides a row besides its item (`contralto.embedding_cache`):
contract (whose hash covers weights, tokenizer and preprocessing), engine, precision, decoding, versions, and what int8
was fitted to. In it a row is keyed by the sha256 of the picture's stored bytes (and of what was changed in it) or of
the text, so that splits and sets share what they have in common. Beside it, one file for all models remembers the
digests of files by place, size and time of change, so that what did not change is not even read.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from contralto import cache
from contralto.database import CacheDatabase
from contralto.embedding_cache import COLUMNS, digest, identity, pack, unpack
from contralto.encoder import Clip
from contralto.version import __version__

Kind = Literal["image", "features", "text"]
Row = NDArray[np.float32]

FOLDER: Final = "evaluate-2"  # the number changes with the tables below
ROWS: Final = "\n".join(
    f"CREATE TABLE IF NOT EXISTS {kind} (digest BLOB NOT NULL PRIMARY KEY, {COLUMNS}) WITHOUT ROWID;"
    for kind in ("image", "features", "text")
)
DIGESTS: Final = """CREATE TABLE IF NOT EXISTS seen (
    stamp BLOB NOT NULL PRIMARY KEY, digest BLOB NOT NULL) WITHOUT ROWID;"""
ASKED_AT_ONCE: Final = 500  # SQLite bounds the values of a question
MOST_FILES: Final = 50  # of all models and versions together; those that were not used for the longest time go
MOST_BYTES: Final = 16 * 2**30


class Store:
    """Rows of one Clip, whose precision is settled. Use as a context; of one thread only.

    fresh: what is kept is not used, and is replaced. warn: takes one line; what troubles both files is told once.
    """

    def __init__(self, clip: Clip, *, fresh: bool = False, warn: Callable[[str], None]) -> None:
        told: list[str] = []

        def tell(line: str) -> None:
            if not told:
                warn(line)
            told.append(line)

        name = f"{digest(identity(clip, 'image', 'text')).hex()}.sqlite"
        rows, seen = (cache.database(FOLDER, one, MOST_FILES, MOST_BYTES) for one in (name, "seen.sqlite"))
        self._rows = CacheDatabase(rows, ROWS, "the cache of embeddings", tell)
        self._digests = CacheDatabase(seen, DIGESTS, "the list of files that were read", tell)
        embedding = clip.contract.embedding
        self._widths: dict[Kind, int] = {"image": embedding, "text": embedding, "features": clip.feature_width}
        self._fresh = fresh

    def rows(self, kind: Kind, digests: Iterable[bytes]) -> dict[bytes, Row | str]:
        """What is known of these digests: the row, or the reason why there is none."""
        if self._fresh:
            return {}
        wanted = list(dict.fromkeys(digests))

        def read(connection: sqlite3.Connection) -> dict[bytes, Row | str]:
            known: dict[bytes, Row | str] = {}
            for part in _parts(wanted):
                query = f"SELECT * FROM {kind} WHERE digest IN ({', '.join('?' * len(part))})"
                for place, *kept in connection.execute(query, part):
                    if (outcome := unpack(kept, self._widths[kind])) is not None:
                        known[place] = outcome
            return known

        return self._rows.run(read)

    def put(self, kind: Kind, place: bytes, outcome: Row | str) -> None:
        """Keeps a row, or the reason of a failure that lasts; on the disk after a second, 64 rows, or `flush`."""
        self._rows.put(f"INSERT OR REPLACE INTO main.{kind} VALUES (?, ?, ?, ?)", (place, *pack(outcome)))

    def flush(self) -> None:
        """Commits what waits."""
        self._rows.flush()

    def seen(self, stamps: Sequence[str]) -> dict[str, bytes]:
        """The digests of the pictures with these stamps (`Item.stamp`), where they are known."""
        if self._fresh:
            return {}

        wanted = {_seen_key(stamp): stamp for stamp in stamps}

        def read(connection: sqlite3.Connection) -> dict[str, bytes]:
            known: dict[str, bytes] = {}
            for part in _parts(list(wanted)):
                query = f"SELECT stamp, digest FROM seen WHERE stamp IN ({', '.join('?' * len(part))})"
                known.update((wanted[key], found) for key, found in connection.execute(query, part))
            return known

        return self._digests.run(read)

    def saw(self, digests: dict[str, bytes]) -> None:
        """Remembers stamp -> digest."""
        rows = ((_seen_key(stamp), found) for stamp, found in digests.items())
        self._digests.put_all("INSERT OR REPLACE INTO main.seen VALUES (?, ?)", rows)

    def __enter__(self) -> Store:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        try:
            self._rows.close()
        finally:
            self._digests.close()


def _parts(values: Sequence[bytes]) -> Iterable[Sequence[bytes]]:
    return (values[start : start + ASKED_AT_ONCE] for start in range(0, len(values), ASKED_AT_ONCE))


def _seen_key(stamp: str) -> bytes:
    """Names of files need not be UTF-8. Another version may read another picture at the same place."""
    return f"{__version__}\0{stamp}".encode("utf-8", "surrogatepass")
