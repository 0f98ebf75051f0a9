"""Checks of the arrays that public functions take. A wrong array raises a DataError of one line.

Each check makes one or two passes over the array, so it is cheap compared with the computation that follows. `what`
names one value in error messages.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from contralto.errors import DataError, one_line

Array = NDArray[Any]
Integers = NDArray[np.int64]
Floats = NDArray[np.float64]

NUMERIC_KINDS = "fiub"  # codes of NumPy for float, int, unsigned int, bool
LARGEST_EXACT = 2**53  # a float64 holds every whole number below this exactly


def array(values: ArrayLike, what: str) -> Array:
    """`values` as a NumPy array; PyTorch tensors work too. Raises DataError, e.g. for lists of unequal lengths."""
    try:
        if hasattr(values, "detach"):  # a PyTorch tensor, which may require a gradient or be on a GPU
            values = values.detach().cpu()
        return np.asarray(values)
    except Exception as error:  # an array-like object can raise any exception
        raise DataError(f"{what} cannot be read as an array: {one_line(str(error), 150)}") from error


def numbers(values: ArrayLike, what: str, axes: int = 1) -> Array:
    """An array of real numbers with `axes` axes; the type is kept, and NaN is allowed."""
    checked = array(values, what)
    if checked.ndim != axes or not (checked.dtype.kind in NUMERIC_KINDS or not checked.size):
        shape = {1: "(N,)", 2: "(N, C)"}[axes]
        raise DataError(f"{what} must be numbers {shape}, got {checked.dtype} of shape {checked.shape}")
    return checked if checked.dtype.kind in NUMERIC_KINDS else checked.astype(np.float64)


def finite_numbers(values: ArrayLike, what: str, axes: int = 1) -> Floats:
    """The values as float64; NaN and infinity are refused."""
    checked = numbers(values, what, axes).astype(np.float64)
    _require_all(np.isfinite(checked), checked, what, "is not finite")
    return checked


def shares(values: ArrayLike, what: str) -> Floats:
    """The values as float64 (N,), each in 0..1."""
    checked = numbers(values, what).astype(np.float64)
    _require_all((checked >= 0) & (checked <= 1), checked, what, "does not lie in 0..1")
    return checked


def flags(values: ArrayLike, what: str, axes: int = 1) -> NDArray[np.bool_]:
    """The values as bool; numbers must be 0 or 1."""
    checked = numbers(values, what, axes)
    if checked.dtype.kind != "b":
        _require_all((checked == 0) | (checked == 1), checked, what, "is neither True nor False")
    return checked.astype(bool, copy=False)


def places(values: ArrayLike, what: str, minimum: int | None = 0) -> Integers:
    """The values as int64 (N,): whole numbers of at least `minimum`, such as class indices, ranks, owners."""
    checked = numbers(values, what)
    if checked.dtype.kind == "f":
        _require_all(
            (checked == np.floor(checked)) & (np.abs(checked) < LARGEST_EXACT), checked, what, "is not a whole number"
        )
    if minimum is not None:
        _require_all(checked >= minimum, checked, what, f"is below {minimum}")
    return checked.astype(np.int64, copy=False)


def classes(labels: ArrayLike, what: str, count: int) -> Integers:
    """Class indices as int64 (N,), each below `count`."""
    checked = places(labels, what, None)
    _require_all((checked >= 0) & (checked < count), checked, what, f"is not one of the {count} classes")
    return checked


def _require_all(holds: NDArray[np.bool_], values: Array, what: str, fault: str) -> None:
    if not holds.all():
        index = tuple(int(axis) for axis in np.unravel_index(int(np.argmin(holds)), holds.shape))
        raise DataError(f"{what} {values[index]} of item {index[0] if len(index) == 1 else index} {fault}")
