"""Unit vectors of one embedding space: normalisation, cosines, and the scores that a contract makes of cosines."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from contralto.contract import Score

Embeddings: TypeAlias = NDArray[np.float32]

NUMBERS_AT_ONCE = 2**21  # of a matrix that is processed in blocks: 16 MB in float64


def unit(vectors: NDArray[Any]) -> Embeddings:
    """Vectors (..., d) scaled to unit length, as float32. A zero vector stays zero. Computed in float64."""
    wide = vectors.astype(np.float64)
    largest = np.abs(wide).max(axis=-1, keepdims=True, initial=0)
    wide /= np.where(largest > 0, largest, 1)  # so that squares neither overflow nor vanish
    length = np.linalg.norm(wide, axis=-1, keepdims=True)
    scaled: Embeddings = (wide / np.where(length > 0, length, 1)).astype(np.float32)
    return scaled


def cosines(images: Embeddings, texts: Embeddings) -> Embeddings:
    """Embeddings (N, d) and (M, d) -> their cosines (N, M), within [-1, 1]."""
    products: Embeddings = images @ texts.T
    return np.clip(products, -1, 1, out=products)


def probabilities(cosine: NDArray[np.floating[Any]], rule: Score) -> Embeddings:
    """Cosines (N, M) -> scores (N, M): the softmax of each row, or the sigmoid of each cosine, as the contract says.

    Computed in float64, block by block, so that it takes little memory in addition to its result.
    """
    scores = np.empty(cosine.shape, np.float32)
    for start in range(0, len(cosine), step := at_once(cosine.shape[1])):
        logits = cosine[start : start + step].astype(np.float64)
        logits *= rule.scale
        logits += rule.bias or 0.0
        scores[start : start + step] = _sigmoid(logits) if rule.rule == "sigmoid" else _softmax(logits)
    return scores


def at_once(width: int) -> int:
    """How many matrix rows of this width one block may have, so that memory is bounded: at least one."""
    return max(1, NUMBERS_AT_ONCE // max(1, width))


def _sigmoid(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    powers = np.negative(np.abs(logits))
    np.exp(powers, out=powers)  # never overflows
    scores: NDArray[np.float64] = np.where(logits >= 0, 1, powers)
    powers += 1
    scores /= powers
    return scores


def _softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """In place."""
    logits -= logits.max(axis=1, keepdims=True, initial=-np.inf)
    np.exp(logits, out=logits)
    logits /= logits.sum(axis=1, keepdims=True)
    return logits
