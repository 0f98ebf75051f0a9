"""Embeddings of earlier evaluations on disk, keyed by content: an interrupted run resumes, a second metric is quick.

Each way of computing embeddings has its own file, named by all that determines an embedding besides its item
(`contralto.embedding_cache`): contract (its hash covers weights, tokenizer and preprocessing), engine, precision,
decoding, versions, and the int8 calibration. In the file the key is the sha256 of the picture's stored bytes (and of
any alteration) or of the text, so splits and data sets share common items. One more file, for all models, maps files
to digests by path, size and modification time, so that unchanged files are not read again.
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

EmbeddingKind = Literal["image", "features", "text"]
Embedding = NDArray[np.float32]

STORE_FOLDER: Final = "evaluate-2"  # the number changes with the tables below
EMBEDDING_TABLES: Final = "\n".join(
    f"CREATE TABLE IF NOT EXISTS {kind} (digest BLOB NOT NULL PRIMARY KEY, {COLUMNS}) WITHOUT ROWID;"
    for kind in ("image", "features", "text")
)
DIGEST_TABLE: Final = """CREATE TABLE IF NOT EXISTS seen (
    stamp BLOB NOT NULL PRIMARY KEY, digest BLOB NOT NULL) WITHOUT ROWID;"""
VALUES_PER_QUERY: Final = 500  # SQLite limits the values of a query
STORE_MAX_FILES: Final = 50  # for all models and versions; the least recently used files are deleted first
STORE_MAX_BYTES: Final = 16 * 2**30


class Store:
    """The embeddings of one Clip, whose precision is settled. A context manager, for one thread.

    fresh: stored embeddings are not used, and are replaced. warn: takes a line; a problem that both files have is
    reported once.
    """

    def __init__(self, clip: Clip, *, fresh: bool = False, warn: Callable[[str], None]) -> None:
        warnings: list[str] = []

        def warn_once(line: str) -> None:
            if not warnings:
                warn(line)
            warnings.append(line)

        name = f"{digest(identity(clip, 'image', 'text')).hex()}.sqlite"
        embeddings, digests = (
            cache.database(STORE_FOLDER, one, STORE_MAX_FILES, STORE_MAX_BYTES) for one in (name, "seen.sqlite")
        )
        self._embeddings = CacheDatabase(embeddings, EMBEDDING_TABLES, "the cache of embeddings", warn_once)
        self._digests = CacheDatabase(digests, DIGEST_TABLE, "the list of files that were read", warn_once)
        embedding = clip.contract.embedding
        self._widths: dict[EmbeddingKind, int] = {"image": embedding, "text": embedding, "features": clip.feature_width}
        self._fresh = fresh

    def embeddings(self, kind: EmbeddingKind, digests: Iterable[bytes]) -> dict[bytes, Embedding | str]:
        """The known results for these digests: the embedding, or the reason of a failure."""
        if self._fresh:
            return {}
        wanted = list(dict.fromkeys(digests))

        def read(connection: sqlite3.Connection) -> dict[bytes, Embedding | str]:
            known: dict[bytes, Embedding | str] = {}
            for part in _parts(wanted):
                query = f"SELECT * FROM {kind} WHERE digest IN ({', '.join('?' * len(part))})"
                for place, *values in connection.execute(query, part):
                    if (outcome := unpack(values, self._widths[kind])) is not None:
                        known[place] = outcome
            return known

        return self._embeddings.run(read)

    def put(self, kind: EmbeddingKind, place: bytes, outcome: Embedding | str) -> None:
        """Stores an embedding, or the reason of a lasting failure; on disk after 1 s, 64 rows, or `flush`."""
        self._embeddings.put(f"INSERT OR REPLACE INTO main.{kind} VALUES (?, ?, ?, ?)", (place, *pack(outcome)))

    def flush(self) -> None:
        """Commits the queue."""
        self._embeddings.flush()

    def digests(self, stamps: Sequence[str]) -> dict[str, bytes]:
        """The known digests of the pictures with these stamps (`Item.stamp`)."""
        if self._fresh:
            return {}

        wanted = {_stamp_key(stamp): stamp for stamp in stamps}

        def read(connection: sqlite3.Connection) -> dict[str, bytes]:
            known: dict[str, bytes] = {}
            for part in _parts(list(wanted)):
                query = f"SELECT stamp, digest FROM seen WHERE stamp IN ({', '.join('?' * len(part))})"
                known.update((wanted[key], digest) for key, digest in connection.execute(query, part))
            return known

        return self._digests.run(read)

    def put_digests(self, digests: dict[str, bytes]) -> None:
        """Stores stamp -> digest."""
        rows = ((_stamp_key(stamp), digest) for stamp, digest in digests.items())
        self._digests.put_all("INSERT OR REPLACE INTO main.seen VALUES (?, ?)", rows)

    def __enter__(self) -> Store:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        try:
            self._embeddings.close()
        finally:
            self._digests.close()


def _parts(values: Sequence[bytes]) -> Iterable[Sequence[bytes]]:
    return (values[start : start + VALUES_PER_QUERY] for start in range(0, len(values), VALUES_PER_QUERY))


def _stamp_key(stamp: str) -> bytes:
    """File names need not be UTF-8. Another version of Contralto may read another picture from the same file."""
    return f"{__version__}\0{stamp}".encode("utf-8", "surrogatepass")
