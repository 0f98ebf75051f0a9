"""Which pictures a model was trained on, by content: a file beside the weights that only counts, and shows nothing.

`training_pictures.bin` holds the first eight bytes of the sha256 of each picture file, sorted. What a model answers on
pictures that it was trained on says little about others, so `contralto adapt` asks before it compares methods.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from contralto.files import written_whole

TRAINING_PICTURES_FILE: Final = "training_pictures.bin"
DIGEST_TYPE: Final = np.dtype(">u8")
MAX_FILE_BYTES: Final = 2**32


def are_known(folder: Path, digests: Sequence[bytes | None]) -> NDArray[np.bool_]:
    """For each picture (N,), by its sha256, whether the file in the model's folder lists it. False without a file."""
    path = folder / TRAINING_PICTURES_FILE
    if not path.is_file() or not 0 < path.stat().st_size <= MAX_FILE_BYTES:
        return np.zeros(len(digests), bool)
    known = np.frombuffer(path.read_bytes()[: path.stat().st_size // 8 * 8], DIGEST_TYPE)
    given = np.frombuffer(b"".join((digest or bytes(8))[:8] for digest in digests), DIGEST_TYPE)
    readable = np.array([digest is not None for digest in digests], bool)
    return np.asarray(np.isin(given, known) & readable)


def write(folder: Path, digests: Iterable[bytes]) -> None:
    """Writes the file for pictures with these sha256. Raises OSError."""
    several = np.frombuffer(b"".join(digest[:8] for digest in digests), DIGEST_TYPE)
    with written_whole(folder / TRAINING_PICTURES_FILE) as file:
        file.write(np.unique(several).astype(DIGEST_TYPE).tobytes())
