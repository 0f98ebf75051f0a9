"""What public functions ask of the arrays that they are given. Each fault is a DataError of one line.

Each check is a pass or two over its array, so that none costs as much as what follows it. `what` is what an error
calls one of the values.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from contralto.errors import DataError, one_line

Array = NDArray[Any]
Integers = NDArray[np.int64]
Floats = NDArray[np.float64]

NUMBERS = "fiub"  # NumPy's kinds of types
LARGEST = 2**53  # the whole numbers below it are floats without a gap


def array(values: ArrayLike, what: str) -> Array:
    """`values` as NumPy reads them, a tensor of PyTorch too. Raises DataError where it cannot: lists of two lengths."""
    try:
        if hasattr(values, "detach"):  # such a tensor, which may take part in a gradient or lie on a GPU
            values = values.detach().cpu()
        return np.asarray(values)
    except Exception as error:  # what is array-like raises whatever it likes
        raise DataError(f"{what} cannot be read as an array: {one_line(str(error), 150)}") from error


def numbers(values: ArrayLike, what: str, axes: int = 1) -> Array:
    """An array of real numbers with so many axes, in the type that it has; NaN is let through."""
    found = array(values, what)
    if found.ndim != axes or not (found.dtype.kind in NUMBERS or not found.size):
        shape = {1: "(N,)", 2: "(N, C)"}[axes]
        raise DataError(f"{what} must be numbers {shape}, got {found.dtype} of shape {found.shape}")
    return found if found.dtype.kind in NUMBERS else found.astype(np.float64)


def finite(values: ArrayLike, what: str, axes: int = 1) -> Floats:
    """float64; NaN and infinity are refused."""
    found = numbers(values, what, axes).astype(np.float64)
    _all(np.isfinite(found), found, what, "is not finite")
    return found


def shares(values: ArrayLike, what: str) -> Floats:
    """float64 (N,), each in 0..1."""
    found = numbers(values, what).astype(np.float64)
    _all((found >= 0) & (found <= 1), found, what, "does not lie in 0..1")
    return found


def flags(values: ArrayLike, what: str, axes: int = 1) -> NDArray[np.bool_]:
    """bool, from booleans or from numbers that are 0 or 1."""
    found = numbers(values, what, axes)
    if found.dtype.kind != "b":
        _all((found == 0) | (found == 1), found, what, "is neither True nor False")
    return found.astype(bool, copy=False)


def places(values: ArrayLike, what: str, least: int | None = 0) -> Integers:
    """int64 (N,), whole numbers of at least `least`: class indices, ranks, owners."""
    found = numbers(values, what)
    if found.dtype.kind == "f":
        _all((found == np.floor(found)) & (np.abs(found) < LARGEST), found, what, "is not a whole number")
    if least is not None:
        _all(found >= least, found, what, f"is below {least}")
    return found.astype(np.int64, copy=False)


def classes(labels: ArrayLike, what: str, count: int) -> Integers:
    """int64 (N,), class indices below `count`."""
    found = places(labels, what, None)
    _all((found >= 0) & (found < count), found, what, f"is not one of the {count} classes")
    return found


def _all(holds: NDArray[np.bool_], found: Array, what: str, fault: str) -> None:
    if not holds.all():
        place = tuple(int(axis) for axis in np.unravel_index(int(np.argmin(holds)), holds.shape))
        raise DataError(f"{what} {found[place]} of item {place[0] if len(place) == 1 else place} {fault}")
