"""The cache of class matrices: the same labels and templates go through the text tower once, not in every run.

Each matrix is a file in the user's cache folder. Its name is a key of everything that decides the numbers: what decides
an embedding (`contralto.embedding_cache`), the names, the templates, and the averaging rule. The file holds a sha256 of
key and numbers, then the numbers as float32. A file that is damaged or has another key is replaced.

If the cache cannot be read or written, the matrix is computed each time; nothing else changes. A write that fails for
lack of space, for example, is logged in one line.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import logging
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from contralto import cache
from contralto.embedding_cache import EmbeddingSource, digest, identity
from contralto.embeddings import Embeddings
from contralto.files import written_whole

MATRIX_FOLDER: Final = "classes-1"  # the number changes with the file layout
MAX_MATRIX_FILES: Final = 1000  # of all models together; the least recently used go first
MAX_MATRIX_BYTES: Final = 512 * 2**20
DIGEST_BYTES: Final = 32
LOGGED_ERRORS: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)

log = logging.getLogger("contralto")


def load_or_compute(
    source: EmbeddingSource,
    names: Sequence[Sequence[str]],
    templates: Sequence[str],
    rule: int | str,
    compute: Callable[[], Embeddings],
) -> Embeddings:
    """The matrix (L, d) of the labels with these names: from the cache, else from `compute`, and then cached.

    rule: what `compute` follows, such as the number of the averaging rule. Until the engine has settled on a precision,
    the key says "auto", so that a measurement in between changes no result. Without weights in the contract nothing is
    cached, because the key would not say whose embeddings these are.
    """
    if source.contract.weights is None:
        return compute()
    # Labels are not part of the key: an embedding depends on the names of a class, not on what it is called.
    key = digest({"names": names, "templates": templates, "rule": rule, **identity(source, "text")})
    matrix = _read(_path(key), key, (len(names), source.contract.embedding))
    if matrix is None:
        matrix = compute()
        _write(_path(key), key, matrix)
    return matrix


def _path(key: bytes) -> Path:
    return cache.folder() / MATRIX_FOLDER / key.hex()


def _read(path: Path, key: bytes, shape: tuple[int, int]) -> Embeddings | None:
    """The matrix at `path` if it is whole and has this key. Reading marks the file as recently used."""
    matrix = np.empty(shape, np.float32)
    try:
        if path.stat().st_size != DIGEST_BYTES + matrix.nbytes:  # before it is opened, as opening a pipe would block
            return None
        with open(path, "rb") as file:
            stated = file.read(DIGEST_BYTES)
            if file.readinto(matrix.data.cast("B")) != matrix.nbytes or stated != _digest(key, matrix):
                return None
    except OSError:
        return None
    with contextlib.suppress(OSError):  # the folder may belong to another user and be read-only
        os.utime(path)
    return matrix


def _write(path: Path, key: bytes, matrix: Embeddings) -> None:
    if DIGEST_BYTES + matrix.nbytes > MAX_MATRIX_BYTES:
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(path) as file:
            file.write(_digest(key, matrix))
            file.write(matrix.data)
        cache.prune(path.parent, MAX_MATRIX_FILES, MAX_MATRIX_BYTES)
    except OSError as error:
        if error.errno in LOGGED_ERRORS:
            log.warning("class matrix %s is not cached: %s", path, error.strerror)


def _digest(key: bytes, matrix: Embeddings) -> bytes:
    digest = hashlib.sha256(key)
    digest.update(matrix.data.cast("B"))
    return digest.digest()
