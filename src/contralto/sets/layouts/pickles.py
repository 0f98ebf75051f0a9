"""Reads CIFAR's Python 2 pickles of dictionaries, lists and byte arrays, without executing code from them.

A pickle is a program that may call any function that it names. This reader allows three names, and replaces them with
stand-ins that only build an array of bytes.
"""

from __future__ import annotations

import io
import pickle
import pickletools
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contralto.errors import DataError, one_line
from contralto.sets.list_files import LIST_BYTES, check_size


class _DtypeStandIn:
    """Replaces numpy.dtype."""

    def __init__(self, code: Any, *_: Any) -> None:
        self.code = code

    def __setstate__(self, state: Any) -> None:
        pass


class _ArrayStandIn:
    """Replaces the result of numpy.core.multiarray._reconstruct: an array that gets its content later."""

    def __init__(self, *_: Any) -> None:
        self.array: NDArray[np.uint8] = np.zeros(0, np.uint8)

    def __setstate__(self, state: Any) -> None:
        _, shape, dtype, fortran, data = state
        if not isinstance(dtype, _DtypeStandIn) or dtype.code not in (b"u1", "u1") or not isinstance(data, bytes):
            raise pickle.UnpicklingError("an array of something else than bytes")
        self.array = np.frombuffer(data, np.uint8).reshape(shape, order="F" if fortran else "C")


class _PlainUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        stand_ins = {
            ("numpy.core.multiarray", "_reconstruct"): _ArrayStandIn,
            ("numpy", "ndarray"): None,
            ("numpy", "dtype"): _DtypeStandIn,
        }
        if (module, name) not in stand_ins:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which no data need")
        return stand_ins[module, name]


def load_plain_pickle(path: Path) -> dict[str, Any]:
    """The dictionary in a pickle: arrays uint8, lists, integers, bytes. Raises DataError for any other content."""
    check_size(path, LIST_BYTES)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
    try:
        _check_memo(data)
        value = _PlainUnpickler(io.BytesIO(data), encoding="bytes").load()
    except Exception as error:  # a damaged pickle may raise any exception
        raise DataError(f"{path} is no plain pickle of arrays: {one_line(str(error), 120)}") from error
    if not isinstance(value, dict):
        raise DataError(f"{path} is no pickled dictionary")
    named = ((key.decode("utf-8", "replace") if isinstance(key, bytes) else key, part) for key, part in value.items())
    return {str(key): part.array if isinstance(part, _ArrayStandIn) else part for key, part in named}


def _check_memo(data: bytes) -> None:
    """Raises UnpicklingError for a memo index larger than the number of operations, which no writer produces.

    Python would allocate all smaller indices, so that a few bytes could cost gigabytes.
    """
    for number, (code, argument, _) in enumerate(pickletools.genops(data)):
        if code.name in ("PUT", "BINPUT", "LONG_BINPUT") and argument is not None and argument > number:
            raise pickle.UnpicklingError(f"it asks for memo place {argument} at its operation {number}")
