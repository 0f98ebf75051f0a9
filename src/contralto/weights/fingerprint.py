"""What a contract says of weight files: name, sha256, dtype. The sha256 of a large file is computed once.

It is remembered in the cache folder by path, size, time of the last change and inode, so that the second start need
not read gigabytes. `contralto doctor` computes it anew.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

from contralto import cache
from contralto.contract import Weights
from contralto.errors import WeightsError
from contralto.files import written_whole
from contralto.weights.checkpoint import Stored, combined, sha256

Dtype = Literal["float32", "float16", "bfloat16"]
Entry = tuple[int, int, int, str]  # size, time of the last change, inode, sha256

LARGE = 64 * 2**20  # bytes from which on a sha256 is worth remembering: 40 ms
MOST = 1000  # files remembered; the oldest are forgotten
FILE_NAME = "sha256.json"
DTYPES: dict[str, Dtype] = {"F32": "float32", "F16": "float16", "BF16": "bfloat16"}


def weights(path: Path, files: Sequence[Path], tensors: Iterable[Stored]) -> Weights:
    """What the contract states of the weights at `path`, a file or the index of `files`. Raises WeightsError."""
    sizes = dict.fromkeys(DTYPES, 0)
    for stored in tensors:
        if stored.dtype in sizes:
            sizes[stored.dtype] += stored.array.size
    return Weights(path.name, digest(files), DTYPES[max(sizes, key=lambda kind: sizes[kind])])


def digest(files: Sequence[Path]) -> str:
    """As contralto.weights.checkpoint.digest, remembered for large files. Raises WeightsError."""
    try:
        return combined([_sha256(path) for path in files])
    except OSError as error:
        raise WeightsError(f"{error.filename or files[0]}: {error.strerror or error}") from error


def _sha256(path: Path) -> str:
    """A file that changes while it is read is not remembered."""
    before = _state(path)
    if before[0] >= LARGE and (known := _remembered().get(_key(path))) and known[:3] == before:
        return known[3]
    found = sha256(path)
    if before[0] >= LARGE and _state(path) == before:
        _remember(path, (*before, found))
    return found


def _key(path: Path) -> str:
    return os.fsdecode(path.absolute())


def _state(path: Path) -> tuple[int, int, int]:
    status = os.stat(path)
    return status.st_size, status.st_mtime_ns, status.st_ino


def _remembered() -> dict[str, Entry]:
    """Whatever is not as it was written here is as good as absent."""
    try:
        found = json.loads((cache.folder() / FILE_NAME).read_bytes())
        return {path: (int(size), int(time), int(inode), str(sha)) for path, (size, time, inode, sha) in found.items()}
    except (OSError, ValueError, TypeError, AttributeError, RecursionError):
        return {}


def _remember(path: Path, entry: Entry) -> None:
    """Two processes at once may lose one entry, which costs the time to compute it again."""
    entries = _remembered()
    entries.pop(_key(path), None)
    kept = dict([*entries.items(), (_key(path), entry)][-MOST:])
    with contextlib.suppress(OSError):
        cache.folder().mkdir(parents=True, exist_ok=True)
        with written_whole(cache.folder() / FILE_NAME) as file:
            file.write(json.dumps(kept).encode())
