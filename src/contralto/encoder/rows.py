"""Rows of an embedding space: unit length, cosines, and the scores that a contract makes of them."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from contralto import arrays
from contralto.contract import Score
from contralto.errors import ContraltoError

Rows: TypeAlias = NDArray[np.float32]

NUMBERS_AT_ONCE = 2**21  # of a matrix that is worked on in parts: 16 MB in float64


def unit(rows: NDArray[Any]) -> Rows:
    """Rows (..., d) scaled to unit length, as float32. A zero row stays zero. Worked out in float64."""
    wide = rows.astype(np.float64)
    largest = np.abs(wide).max(axis=-1, keepdims=True, initial=0)
    wide /= np.where(largest > 0, largest, 1)  # so that squares neither overflow nor vanish
    length = np.linalg.norm(wide, axis=-1, keepdims=True)
    found: Rows = (wide / np.where(length > 0, length, 1)).astype(np.float32)
    return found


def cosines(images: Rows, texts: Rows) -> Rows:
    """Unit rows (N, d) and (M, d) -> their cosines (N, M), within [-1, 1]."""
    found: Rows = images @ texts.T
    return np.clip(found, -1, 1, out=found)


def probabilities(cosine: Rows, rule: Score) -> Rows:
    """Cosines (N, M) -> scores (N, M): softmax over each row, or the sigmoid of each, as the contract says.

    Worked out in float64, some rows at a time, so that it takes little memory beside its result.
    """
    found = np.empty(cosine.shape, np.float32)
    for start in range(0, len(cosine), step := at_once(cosine.shape[1])):
        logits = cosine[start : start + step].astype(np.float64)
        logits *= rule.scale
        logits += rule.bias or 0.0
        found[start : start + step] = _sigmoid(logits) if rule.rule == "sigmoid" else _softmax(logits)
    return found


def at_once(width: int) -> int:
    """How many rows of this width a part of the work is to have, at least one, for memory to be bounded."""
    return max(1, NUMBERS_AT_ONCE // max(1, width))


def _sigmoid(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    powers = np.negative(np.abs(logits))
    np.exp(powers, out=powers)  # never overflows
    found: NDArray[np.float64] = np.where(logits >= 0, 1, powers)
    powers += 1
    found /= powers
    return found


def _softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """In place."""
    logits -= logits.max(axis=1, keepdims=True, initial=-np.inf)
    np.exp(logits, out=logits)
    logits /= logits.sum(axis=1, keepdims=True)
    return logits


def given(items: object, width: int) -> Rows | None:
    """Rows that are encoded already, (d,) or (N, d) of floats, as unit float32; None if `items` is something else.

    Raises ContraltoError if they are not of width d, not finite, or zero, which has no direction.
    """
    if isinstance(items, type) or not hasattr(items, "__array__") or hasattr(items, "getbands"):  # a Pillow image has
        return None
    array = arrays.array(items, "the rows given")
    if array.dtype.kind != "f" or array.ndim not in (1, 2):
        return None
    if array.shape[-1] != width:
        raise ContraltoError(f"an array {array.shape} of floats is not rows of this model: they have {width} numbers")
    several = array.reshape(-1, width)
    for holds, fault in ((np.isfinite(several).all(axis=1), "not finite"), (several.any(axis=1), "all zeros")):
        if not holds.all():
            raise ContraltoError(f"row {int(np.argmin(holds))} of those given is {fault}: it has no direction")
    return unit(array)
