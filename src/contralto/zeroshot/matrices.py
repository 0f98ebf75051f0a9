"""Class matrices, kept between runs: the same labels and templates ask no text tower a second time.

A file a matrix, in the user's cache folder, named after all that decides its numbers: the contract (whose hash covers
the weights and the tokenizer), what computes and how exactly, the names and the templates. In it a sha256 of that key
and the numbers, then the numbers, float32. What is not exactly that is not used: it is worked out anew and replaced.

The cache is a convenience: where it cannot be read or written, a matrix is worked out each time, and nothing else.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from contralto import __version__, cache
from contralto.encoder import Clip
from contralto.encoder.rows import Rows
from contralto.files import written_whole

FOLDER: Final = "classes-1"  # the number changes with the layout of a file
MOST_FILES: Final = 1000  # of all models together; those that were not used for the longest time go
MOST_BYTES: Final = 512 * 2**20
DIGEST: Final = 32  # bytes


def kept(clip: Clip, names: Sequence[Sequence[str]], templates: Sequence[str], make: Callable[[], Rows]) -> Rows:
    """Unit rows (L, d) of the labels with these names, which `make` works out: from the cache, else made and kept.

    A contract that states no weights says nothing of whose rows these are, so that they are not kept.
    """
    if clip.contract.weights is None:
        return make()
    key = _key(clip, names, templates)
    found = _read(_path(key), key, (len(names), clip.contract.embedding))
    if found is None:
        found = make()
        key = _key(clip, names, templates)  # with so many texts, auto may just have chosen another precision
        _write(_path(key), key, found)
    return found


def _path(key: bytes) -> Path:
    return cache.folder() / FOLDER / key.hex()


def _key(clip: Clip, names: Sequence[Sequence[str]], templates: Sequence[str]) -> bytes:
    """Labels are no part of it: whatever a class is called, its row is that of its names."""
    stated = {
        "contralto": __version__,  # a later one may compute better
        "contract": clip.contract.hash,
        "engine": clip.engine,
        "precision": clip.precision,
        "reproducible": clip.reproducible,
        "names": names,
        "templates": templates,
    }
    return hashlib.sha256(json.dumps(stated, sort_keys=True, separators=(",", ":")).encode()).digest()


def _read(path: Path, key: bytes, shape: tuple[int, int]) -> Rows | None:
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


def _write(path: Path, key: bytes, rows: Rows) -> None:
    if DIGEST + rows.nbytes > MOST_BYTES:
        return
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(path) as file:
            file.write(_digest(key, rows))
            file.write(rows.data)
        cache.forget(path.parent, MOST_FILES, MOST_BYTES)


def _digest(key: bytes, rows: Rows) -> bytes:
    digest = hashlib.sha256(key)
    digest.update(rows.data.cast("B"))
    return digest.digest()
