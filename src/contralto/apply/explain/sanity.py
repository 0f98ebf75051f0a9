"""Does a map depend on the weights? Its rank correlation with the map of random weights (arXiv 1810.03292)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]


def spearman(first: Floats, second: Floats) -> float:
    """Spearman's rank correlation of two arrays of one shape; equal numbers share the mean of their ranks.

    0 if all numbers of one array are equal: such an array says nothing about the order of the other.
    """
    a, b = (_ranks(one.ravel()) for one in (first, second))
    a, b = a - a.mean(), b - b.mean()
    length = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / length if length else 0.0


def _ranks(values: Floats) -> NDArray[np.float64]:
    _, group, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks: NDArray[np.float64] = (last - (counts - 1) / 2)[group]
    return ranks
