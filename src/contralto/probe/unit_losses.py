"""Losses of unit rows and their gradients by hand: what moves a projection or an adapter over cached rows.

Their plain twin is PyTorch's autograd, in tests/probe/test_unit_losses.py. Floats keep their precision; losses are sums
in float64.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Places = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class UnitRows:
    """rows (N, d): vectors of `lengths` (N, 1), divided by them. A vector of zeros stays zeros."""

    rows: Array
    lengths: Array

    def through(self, gradient: Array) -> Array:
        """The gradient by the vectors (N, d), from that by the unit rows (N, d)."""
        along = np.einsum("ij,ij->i", gradient, self.rows)[:, None]
        return np.asarray((gradient - along * self.rows) / self.lengths)


def unit_rows(vectors: Array) -> UnitRows:
    """The vectors (N, d) at unit length."""
    lengths = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))[:, None]
    lengths[lengths == 0] = 1
    return UnitRows(vectors / lengths, lengths)


@dataclass(frozen=True, eq=False)
class LossOfRows:
    """value: the mean loss of unit rows; gradient (N, d) by them; spread: the mean over rows of sum p (1 - p)."""

    value: float
    gradient: Array
    spread: float


def class_loss(rows: Array, labels: Places, zero_shot: Array) -> LossOfRows:
    """The mean cross-entropy of the logits rows @ zero_shot.T, (N, d) by (K, d), with labels (N,)."""
    loss, residuals, spread = _softmax(rows @ zero_shot.T, labels)
    return LossOfRows(loss, residuals @ zero_shot, spread)


def pair_loss(images: Array, texts: Array, owners: Places, scale: float) -> tuple[LossOfRows, LossOfRows]:
    """CLIP's loss (Radford et al. 2021, figure 3) of a batch of pairs of unit rows (B, d), by its images and its texts.

    owners (B,): the picture of each pair. Texts of one picture are not each other's negatives: both softmaxes leave
    those pairs out.
    """
    logits = scale * (images @ texts.T)
    same = owners[:, None] == owners[None, :]
    np.fill_diagonal(same, False)
    logits[same] = -np.inf
    each = np.arange(len(logits))
    to_text, residuals, spread = _softmax(logits, each)
    to_image, columns, other_spread = _softmax(logits.T, each)
    residuals = (scale / 2) * (residuals + columns.T)
    loss, spread = (to_text + to_image) / 2, (spread + other_spread) / 2
    return LossOfRows(loss, residuals @ texts, spread), LossOfRows(loss, residuals.T @ images, spread)


def _softmax(logits: Array, labels: Places) -> tuple[float, Array, float]:
    """(mean cross-entropy, its gradient by the logits, mean over rows of the sum of p (1 - p))."""
    each = np.arange(len(labels))
    logits = logits - logits.max(axis=1, keepdims=True)
    parts = np.exp(logits)
    whole = parts.sum(axis=1, dtype=np.float64)
    loss = float((np.log(whole) - logits[each, labels]).mean())
    parts /= whole[:, None].astype(parts.dtype)
    spread = 1 - float(np.einsum("ij,ij->", parts, parts)) / len(labels)
    parts[each, labels] -= 1
    parts /= len(labels)
    return loss, parts, spread
