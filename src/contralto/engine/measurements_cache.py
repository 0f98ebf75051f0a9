"""Caches a tower's measurements and its int8 weights between runs: one file per model, tower and machine.

It is a safetensors file of the int8 tensors. Its header holds the measurements, and the sha256 of the tensors, which is
checked before they are used. A file that is damaged, or of another version or processor, counts as absent.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final

from contralto import cache
from contralto.engine.base import TowerName
from contralto.engine.machine import fingerprint
from contralto.engine.measure import Measurement
from contralto.errors import WeightsError
from contralto.files import written_whole
from contralto.weights.checkpoint import Checkpoint, StoredTensor
from contralto.weights.tensorfile import TensorFile, write_tensors

ENGINES_FOLDER: Final = "engines-1"  # the number changes with the layout of the file
MAX_FILES, MAX_BYTES = 200, 8 * 2**30  # of all models together; the oldest files are deleted first

log = logging.getLogger("contralto")


def load_measurements(checkpoint: Checkpoint, tower: TowerName) -> list[Measurement] | None:
    """The cached measurements of this tower on this machine, or None."""
    try:
        stated = TensorFile(_path(checkpoint, tower)).metadata["measured"]
        return [Measurement(**one) for one in json.loads(stated)]
    except (WeightsError, OSError, KeyError, ValueError, TypeError):
        return None


def load_int8(checkpoint: Checkpoint, tower: TowerName) -> Checkpoint | None:
    """The checkpoint with the cached int8 tower, or None if that is absent or damaged. Reads the whole file."""
    try:
        file = TensorFile(_path(checkpoint, tower))
        tensors = {name: StoredTensor(tensor.dtype, file.raw(name)) for name, tensor in file.tensors.items()}
        if file.metadata["sha256"] != _digest(tensors):
            raise WeightsError(f"{file.path} is damaged")
    except (WeightsError, OSError, KeyError) as error:
        log.info("int8 is calibrated again: %s", error)
        return None
    return Checkpoint(checkpoint.contract, {**checkpoint.tensors, **tensors}, checkpoint.files)


def save_measurements(
    checkpoint: Checkpoint, tower: TowerName, measurements: Sequence[Measurement], int8: Checkpoint
) -> None:
    """Caches the measurements and the int8 tower.

    If the cache folder cannot be written, this logs a warning, and the next process measures again.
    """
    tensors = _int8_tensors(int8, checkpoint)
    metadata = {"measured": json.dumps([asdict(one) for one in measurements]), "sha256": _digest(tensors)}
    path = _path(checkpoint, tower)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(path) as file:
            write_tensors(file, tensors, metadata)
        cache.prune(path.parent, MAX_FILES, MAX_BYTES)
    except OSError as error:
        log.warning("the measurements of %s are not cached: %s", checkpoint.contract.name, error)


def int8_digest(int8: Checkpoint, checkpoint: Checkpoint) -> str:
    """The sha256 of the tensors that differ from the checkpoint's own. It changes with the calibration samples."""
    return _digest(_int8_tensors(int8, checkpoint))


def _int8_tensors(int8: Checkpoint, checkpoint: Checkpoint) -> dict[str, StoredTensor]:
    return {name: one for name, one in int8.tensors.items() if checkpoint.tensors.get(name) is not one}


def _path(checkpoint: Checkpoint, tower: TowerName) -> Path:
    return cache.folder() / ENGINES_FOLDER / f"{checkpoint.contract.hash[:32]}-{fingerprint()}-{tower}.safetensors"


def _digest(tensors: Mapping[str, StoredTensor]) -> str:
    digest = hashlib.sha256()
    for name, stored in sorted(tensors.items()):
        digest.update(f"{name} {stored.dtype} {stored.shape}\n".encode())
        digest.update(stored.array.tobytes())
    return digest.hexdigest()
