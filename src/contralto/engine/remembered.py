"""What was measured, and the tower in int8, kept between runs: one file for a model, a tower and a machine.

It is a safetensors file of the int8 tensors, with what was measured in its header, and the sha256 of the tensors, which
is checked before they are used. A file that is damaged, or of another version or processor, is as good as none.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from contralto import cache
from contralto.engine.base import TowerName
from contralto.engine.machine import fingerprint
from contralto.engine.measure import Measured
from contralto.errors import WeightsError
from contralto.files import written_whole
from contralto.weights.checkpoint import Checkpoint, StoredTensor
from contralto.weights.tensorfile import TensorFile, write_tensors

FOLDER = "engines-1"  # the number changes with what is in the file
MOST_FILES, MOST_BYTES = 200, 8 * 2**30  # of all models together; those that were made longest ago go

log = logging.getLogger("contralto")


def recall(checkpoint: Checkpoint, side: TowerName) -> list[Measured] | None:
    """What was measured of this tower on this machine, or None."""
    try:
        stated = TensorFile(_path(checkpoint, side)).metadata["measured"]
        return [Measured(**one) for one in json.loads(stated)]
    except (WeightsError, OSError, KeyError, ValueError, TypeError):
        return None


def recall_int8(checkpoint: Checkpoint, side: TowerName) -> Checkpoint | None:
    """The tower in int8, its file read whole and found undamaged; or None."""
    try:
        file = TensorFile(_path(checkpoint, side))
        tensors = {name: StoredTensor(tensor.dtype, file.raw(name)) for name, tensor in file.tensors.items()}
        if file.metadata["sha256"] != _digest(tensors):
            raise WeightsError(f"{file.path} is damaged")
    except (WeightsError, OSError, KeyError) as error:
        log.info("int8 is made anew: %s", error)
        return None
    return Checkpoint(checkpoint.contract, {**checkpoint.tensors, **tensors}, checkpoint.files)


def keep(checkpoint: Checkpoint, side: TowerName, measured: Sequence[Measured], int8: Checkpoint) -> None:
    """Keeps both. Where the cache folder cannot be written, nothing is kept, and the next process measures again."""
    tensors = _own(int8, checkpoint)
    stated = {"measured": json.dumps([asdict(one) for one in measured]), "sha256": _digest(tensors)}
    path = _path(checkpoint, side)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(path) as file:
            write_tensors(file, tensors, stated)
        cache.forget(path.parent, MOST_FILES, MOST_BYTES)
    except OSError as error:
        log.warning("what was measured of %s is not kept: %s", checkpoint.contract.name, error)


def fitted(int8: Checkpoint, checkpoint: Checkpoint) -> str:
    """What a tower in int8 has instead of the checkpoint's own tensors, as a digest: it changes with its samples."""
    return _digest(_own(int8, checkpoint))


def _own(int8: Checkpoint, checkpoint: Checkpoint) -> dict[str, StoredTensor]:
    return {name: one for name, one in int8.tensors.items() if checkpoint.tensors.get(name) is not one}


def _path(checkpoint: Checkpoint, side: TowerName) -> Path:
    return cache.folder() / FOLDER / f"{checkpoint.contract.hash[:32]}-{fingerprint()}-{side}.safetensors"


def _digest(tensors: Mapping[str, StoredTensor]) -> str:
    found = hashlib.sha256()
    for name, stored in sorted(tensors.items()):
        found.update(f"{name} {stored.dtype} {stored.shape}\n".encode())
        found.update(stored.array.tobytes())
    return found.hexdigest()
