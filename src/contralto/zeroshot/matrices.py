"""Class matrices, kept between runs: the same labels and templates ask no text tower a second time.

A file a matrix, in the user's cache folder, named after all that decides its numbers: what decides a text's row
(`contralto.encoder.keeping`), the names, the templates, and the rule by which rows are averaged. In it a sha256 of
that key and the numbers, then the numbers, float32. What is not exactly that is not used: it is made anew and replaced.

The cache is a convenience: where it cannot be read or written, a matrix is worked out each time, and nothing else. A
write that breaks off, as on a full disk, is told in one line.
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
from contralto.embeddings import Embeddings
from contralto.encoder import Clip
from contralto.encoder.keeping import digest, identity
from contralto.files import written_whole

FOLDER: Final = "classes-1"  # the number changes with the layout of a file
MOST_FILES: Final = 1000  # of all models together; those that were not used for the longest time go
MOST_BYTES: Final = 512 * 2**20
DIGEST: Final = 32  # bytes
BROKEN_OFF: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)

log = logging.getLogger("contralto")


def kept(
    clip: Clip, names: Sequence[Sequence[str]], templates: Sequence[str], rule: int, make: Callable[[], Embeddings]
) -> Embeddings:
    """Unit rows (L, d) of the labels with these names, which `make` works out: from the cache, else made and kept.

    rule: the number of the rule by which `make` averages. As long as the engine has not settled on a precision, the key
    says "auto": what was measured on this machine in between changes no answer. A contract that states no weights says
    nothing of whose rows these are, so that they are not kept.
    """
    if clip.contract.weights is None:
        return make()
    # Labels are no part of it: whatever a class is called, its row is that of its names.
    key = digest({"names": names, "templates": templates, "rule": rule, **identity(clip, "text")})
    found = _read(_path(key), key, (len(names), clip.contract.embedding))
    if found is None:
        found = make()
        _write(_path(key), key, found)
    return found


def _path(key: bytes) -> Path:
    return cache.folder() / FOLDER / key.hex()


def _read(path: Path, key: bytes, shape: tuple[int, int]) -> Embeddings | None:
    """The rows at `path` if they are whole and of this key. That a file was asked for saves it from being forgotten."""
    found = np.empty(shape, np.float32)
    try:
        if path.stat().st_size != DIGEST + found.nbytes:  # before it is opened: a pipe would be waited for
            return None
        with open(path, "rb") as file:
            stated = file.read(DIGEST)
            if file.readinto(found.data.cast("B")) != found.nbytes or stated != _digest(key, found):
                return None
    except OSError:
        return None
    with contextlib.suppress(OSError):  # the folder may be another user's, from which one can only read
        os.utime(path)
    return found


def _write(path: Path, key: bytes, rows: Embeddings) -> None:
    if DIGEST + rows.nbytes > MOST_BYTES:
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(path) as file:
            file.write(_digest(key, rows))
            file.write(rows.data)
        cache.forget(path.parent, MOST_FILES, MOST_BYTES)
    except OSError as error:
        if error.errno in BROKEN_OFF:
            log.warning("class matrix %s is not kept: %s", path, error.strerror)


def _digest(key: bytes, rows: Embeddings) -> bytes:
    found = hashlib.sha256(key)
    found.update(rows.data.cast("B"))
    return found.digest()
