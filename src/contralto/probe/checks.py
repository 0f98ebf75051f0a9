"""What every probe asks of its rows and labels, each fault in one line."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from contralto.errors import ContraltoError

Rows = NDArray[Any]
Labels = NDArray[Any]
BLOCK = 8192


def checked_rows(rows: ArrayLike, what: str, columns: int | None = None) -> Rows:
    """`rows` as a matrix (N, d) of finite floats, N and d at least 1. Raises ContraltoError.

    Floats stay in their precision, all else becomes float64. columns: the d that they must have.
    """
    given = np.asarray(rows)
    if given.ndim != 2 or 0 in given.shape or given.dtype.kind not in "fiub":
        raise ContraltoError(f"{what} are {given.dtype} of shape {given.shape}: give numbers of shape (N, d)")
    if columns is not None and given.shape[1] != columns:
        raise ContraltoError(f"{what} have {given.shape[1]} columns, those fitted have {columns}: use the same model")
    if given.dtype.kind != "f":
        return given.astype(np.float64)
    for start in range(0, len(given), BLOCK):
        finite = np.isfinite(given[start : start + BLOCK]).all(axis=1)
        if not finite.all():
            raise ContraltoError(
                f"{what}: row {start + int(np.argmin(finite))} is not finite; leave it out or repair it"
            )
    return given


def checked_labels(labels: ArrayLike, count: int, what: str) -> Labels:
    """`labels` as an array (count,). Raises ContraltoError."""
    given = np.asarray(labels)
    if given.shape != (count,):
        raise ContraltoError(f"{what} are {given.shape} labels for {count} rows: give one label a row")
    if given.dtype.kind == "f" and not np.isfinite(given).all():
        raise ContraltoError(f"{what}: label {int(np.argmin(np.isfinite(given)))} is not finite; leave its row out")
    return given


def class_indices(labels: Labels) -> tuple[Labels, NDArray[np.intp]]:
    """(the classes in order, the place of each label among them). Raises ContraltoError if there is but one class."""
    classes, places = np.unique(labels, return_inverse=True)
    if len(classes) < 2:
        raise ContraltoError(f"all labels are {classes[0]}: a probe needs at least two classes")
    return classes, places.reshape(-1)
