"""Checks of the rows and labels of every probe; each error is one line."""

from __future__ import annotations

from numbers import Real
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from contralto import arrays
from contralto.errors import ContraltoError, DataError

Matrix = NDArray[Any]
Labels = NDArray[Any]
ROWS_PER_BLOCK: Final = 8192


class ProbeError(ContraltoError, ValueError):
    """Rows or labels that no probe can use. It is a ValueError too, as scikit-learn's conventions require."""


def checked_rows(rows: ArrayLike, what: str, columns: int | None = None) -> Matrix:
    """`rows` as a matrix (N, d) of finite floats, N and d at least 1. Raises ProbeError.

    Floats keep their precision, all else becomes float64. columns: the required d.
    """
    if hasattr(rows, "tocsr"):
        raise ProbeError(f"{what} are a sparse matrix, which is not supported: give {what}.toarray()")
    given = _numbers(_array(rows, what))
    if given.ndim != 2 or 0 in given.shape or given.dtype.kind not in arrays.NUMERIC_KINDS:
        raise ProbeError(f"{what} are {given.dtype} of shape {given.shape}: give numbers of shape (N, d)")
    if columns is not None and given.shape[1] != columns:
        raise ProbeError(f"{what} have {given.shape[1]} columns, those fitted have {columns}: use the same model")
    if given.dtype.kind != "f":
        return given.astype(np.float64)
    for start in range(0, len(given), ROWS_PER_BLOCK):
        finite = np.isfinite(given[start : start + ROWS_PER_BLOCK]).all(axis=1)
        if not finite.all():
            place = start + int(np.argmin(finite))
            raise ProbeError(f"{what}: row {place} is not finite (NaN or inf); leave it out or repair it")
    return given


def checked_labels(labels: ArrayLike, count: int, what: str, known: Labels | None = None) -> Labels:
    """`labels` as an array (count,) of names or of whole numbers. Raises ProbeError.

    known: labels that they will be compared with, so both must be names, or both numbers.
    """
    given = _array(labels, what)
    if given.shape != (count,):
        raise ProbeError(f"{what} are {given.shape} labels for {count} rows: give one label per row")
    if given.dtype.kind == "f":
        _all(np.isfinite(given), what, "is not finite (NaN or inf); leave its row out")
        _all(given == np.floor(given), what, "is continuous: a label is a name or a whole number")
    numbers = _are_numbers(given, labels)
    if numbers is None:
        raise ProbeError(f"{what} are neither all names nor all whole numbers")
    if known is not None and numbers != _are_numbers(known, known):
        raise ProbeError(f"{what} are {'numbers' if numbers else 'names'}, those fitted are not: give the same kind")
    return given


def class_indices(labels: Labels) -> tuple[Labels, NDArray[np.intp]]:
    """(the classes in order, the index of each label among them). Raises ProbeError if there is only one class."""
    classes, places = np.unique(labels, return_inverse=True)
    if len(classes) < 2:
        raise ProbeError(f"all labels are {classes[0]}, just one class: a probe needs at least two classes")
    return classes, places.reshape(-1)


def checked_places(labels: ArrayLike, count: int, classes: int) -> NDArray[np.intp]:
    """`labels` as indices (count,) of `classes` classes, each below their number. Raises ProbeError."""
    given = checked_labels(labels, count, "labels")
    try:
        return arrays.classes(given, "label", classes).astype(np.intp)
    except DataError as error:
        raise ProbeError(f"{error}: give the index of each row's class") from error


def checked_owners(owners: ArrayLike, texts: int, pictures: int) -> NDArray[np.intp]:
    """`owners` as the index of each text's picture (texts,). Raises ProbeError."""
    given = checked_groups(owners, texts, "owners")
    if given.min() < 0 or given.max() >= pictures:
        raise ProbeError(f"owners lie in {given.min()}..{given.max()}, but there are {pictures} pictures: count from 0")
    return given.astype(np.intp)


def checked_groups(groups: ArrayLike, count: int, what: str = "groups") -> NDArray[np.int64]:
    """`groups` as whole numbers (count,). Raises ProbeError."""
    given = _array(groups, what)
    if given.shape != (count,) or given.dtype.kind not in "iu":
        raise ProbeError(
            f"{what} are {given.dtype} of shape {given.shape}: give a whole number for each of {count} rows"
        )
    return given.astype(np.int64, copy=False)


def _array(values: ArrayLike, what: str) -> NDArray[Any]:
    try:
        return arrays.array(values, what)
    except DataError as error:
        raise ProbeError(str(error)) from error


def _numbers(given: NDArray[Any]) -> NDArray[Any]:
    """Converts a matrix of numbers as objects, as from a table of mixed columns, to float64."""
    if given.dtype != object or not all(isinstance(one, Real) for one in given.flat):
        return given
    return given.astype(np.float64)


def _are_numbers(labels: Labels, given: Any) -> bool | None:
    """True for numbers, False for names, None for a mixture or anything else. given: the source of the labels."""
    if labels.dtype.kind in arrays.NUMERIC_KINDS:
        return True
    if labels.dtype.kind in "UO" and not hasattr(given, "dtype"):  # NumPy makes the name "nan" of a missing one
        labels = np.array([*given], object)
    if labels.dtype != object:
        return False if labels.dtype.kind in "UST" else None
    if all(isinstance(one, str) for one in labels):
        return False
    return True if all(isinstance(one, Real) and float(one).is_integer() for one in labels) else None


def _all(holds: NDArray[np.bool_], what: str, fault: str) -> None:
    if not holds.all():
        raise ProbeError(f"{what}: label {int(np.argmin(holds))} {fault}")
