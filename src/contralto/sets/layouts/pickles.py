"""Python 2 pickles of dictionaries, lists and byte arrays, as CIFAR has them, read without executing anything.

A pickle is a program that may call any function it names. Here it may name three, and gets stand-ins of our own for
them, which do no more than put an array of bytes together.
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
from contralto.sets.layouts.locate import LIST_BYTES


class _Kind:
    """In place of numpy.dtype."""

    def __init__(self, code: Any, *_: Any) -> None:
        self.code = code

    def __setstate__(self, state: Any) -> None:
        pass


class _Bytes:
    """In place of what numpy.core.multiarray._reconstruct gives: an array that is then told its contents."""

    def __init__(self, *_: Any) -> None:
        self.array: NDArray[np.uint8] = np.zeros(0, np.uint8)

    def __setstate__(self, state: Any) -> None:
        _, shape, kind, fortran, content = state
        if not isinstance(kind, _Kind) or kind.code not in (b"u1", "u1") or not isinstance(content, bytes):
            raise pickle.UnpicklingError("an array of something else than bytes")
        self.array = np.frombuffer(content, np.uint8).reshape(shape, order="F" if fortran else "C")


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        stand_ins = {
            ("numpy.core.multiarray", "_reconstruct"): _Bytes,
            ("numpy", "ndarray"): None,
            ("numpy", "dtype"): _Kind,
        }
        if (module, name) not in stand_ins:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which no data need")
        return stand_ins[module, name]


def plain(path: Path) -> dict[str, Any]:
    """The dictionary in a pickle: arrays uint8, lists, integers, bytes. Raises DataError for whatever else it holds."""
    try:
        if path.stat().st_size > LIST_BYTES:
            raise DataError(f"{path} has more than {LIST_BYTES >> 20} MiB: it is not the file that is meant")
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
    try:
        _check_memo(content)
        held = _Reader(io.BytesIO(content), encoding="bytes").load()
    except Exception as error:  # a damaged pickle may fail in any way
        raise DataError(f"{path} is no plain pickle of arrays: {one_line(str(error), 120)}") from error
    if not isinstance(held, dict):
        raise DataError(f"{path} is no pickled dictionary")
    named = ((key.decode("utf-8", "replace") if isinstance(key, bytes) else key, value) for key, value in held.items())
    return {str(key): value.array if isinstance(value, _Bytes) else value for key, value in named}


def _check_memo(content: bytes) -> None:
    """Raises UnpicklingError for a memo place beyond those that a writer, who counts them, can have reached: Python
    would make room for all below it, gigabytes for a few bytes."""
    for number, (code, argument, _) in enumerate(pickletools.genops(content)):
        if code.name in ("PUT", "BINPUT", "LONG_BINPUT") and argument is not None and argument > number:
            raise pickle.UnpicklingError(f"it asks for memo place {argument} at its operation {number}")
