"""Embeddings of an embedding space: unit length, cosines, and the scores that a contract makes of them."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from contralto.contract import Score

Embeddings: TypeAlias = NDArray[np.float32]

NUMBERS_AT_ONCE = 2**21  # of a matrix that is worked on in parts: 16 MB in float64


def unit(rows: NDArray[Any]) -> Embeddings:
    """Embeddings (..., d) scaled to unit length, as float32. A zero row stays zero. Worked out in float64."""
    wide = rows.astype(np.float64)
    largest = np.abs(wide).max(axis=-1, keepdims=True, initial=0)
    wide /= np.where(largest > 0, largest, 1)  # so that squares neither overflow nor vanish
    length = np.linalg.norm(wide, axis=-1, keepdims=True)
    found: Embeddings = (wide / np.where(length > 0, length, 1)).astype(np.float32)
    return found


def cosines(images: Embeddings, texts: Embeddings) -> Embeddings:
    """Unit rows (N, d) and (M, d) -> their cosines (N, M), within [-1, 1]."""
    found: Embeddings = images @ texts.T
    return np.clip(found, -1, 1, out=found)


def probabilities(cosine: Embeddings, rule: Score) -> Embeddings:
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
