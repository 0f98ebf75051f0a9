"""Name, sha256 and dtype of weight files, for the contract. The sha256 of a large file is computed once.

It is cached by path, size, modification time and inode, so a second start need not read gigabytes. `contralto doctor`
always computes it again.
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
from contralto.weights.checkpoint import StoredTensor, combined_digest, sha256

Dtype = Literal["float32", "float16", "bfloat16"]
CachedDigest = tuple[int, int, int, str]  # size, modification time, inode, sha256

CACHED_BYTES = 64 * 2**20  # only larger files are cached; the sha256 of one this size takes 40 ms
MAX_ENTRIES = 1000  # the oldest are dropped
SHA256_CACHE_FILE = "sha256.json"
CONTRACT_DTYPES: dict[str, Dtype] = {"F32": "float32", "F16": "float16", "BF16": "bfloat16"}


def weights(path: Path, files: Sequence[Path], tensors: Iterable[StoredTensor]) -> Weights:
    """The contract's entry for the weights at `path`, a file or the index of `files`. Raises WeightsError."""
    sizes = dict.fromkeys(CONTRACT_DTYPES, 0)
    for stored in tensors:
        if stored.dtype in sizes:
            sizes[stored.dtype] += stored.array.size
    return Weights(path.name, digest(files), CONTRACT_DTYPES[max(sizes, key=lambda kind: sizes[kind])])


def digest(files: Sequence[Path]) -> str:
    """Same as contralto.weights.checkpoint.digest, but cached for large files. Raises WeightsError."""
    try:
        return combined_digest([_sha256(path) for path in files])
    except OSError as error:
        raise WeightsError(f"{error.filename or files[0]}: {error.strerror or error}") from error


def _sha256(path: Path) -> str:
    """sha256 of a file. The result is not cached if the file changes while it is read."""
    before = _state(path)
    if before[0] >= CACHED_BYTES and (known := _cached_digests().get(_key(path))) and known[:3] == before:
        return known[3]
    computed = sha256(path)
    if before[0] >= CACHED_BYTES and _state(path) == before:
        _cache_digest(path, (*before, computed))
    return computed


def _key(path: Path) -> str:
    return os.fsdecode(path.absolute())


def _state(path: Path) -> tuple[int, int, int]:
    status = os.stat(path)
    return status.st_size, status.st_mtime_ns, status.st_ino


def _cached_digests() -> dict[str, CachedDigest]:
    """The cached digests by path; empty if the cache file is missing or malformed."""
    try:
        entries = json.loads((cache.folder() / SHA256_CACHE_FILE).read_bytes())
        return {
            path: (int(size), int(time), int(inode), str(sha)) for path, (size, time, inode, sha) in entries.items()
        }
    except (OSError, ValueError, TypeError, AttributeError, RecursionError):
        return {}


def _cache_digest(path: Path, entry: CachedDigest) -> None:
    """Writes one entry. Two processes at once may lose one, which is then computed again."""
    entries = _cached_digests()
    entries.pop(_key(path), None)
    latest = dict([*entries.items(), (_key(path), entry)][-MAX_ENTRIES:])
    with contextlib.suppress(OSError):
        cache.folder().mkdir(parents=True, exist_ok=True)
        with written_whole(cache.folder() / SHA256_CACHE_FILE) as file:
            file.write(json.dumps(latest).encode())
