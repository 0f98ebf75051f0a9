"""Random unit rows with classes and a zero-shot classifier that is somewhat right about them."""

from __future__ import annotations

import numpy as np


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def drawn_classes(sizes, columns=16, *, scale=25.0, seed=0):
    """(unit rows float64 (N, columns), labels (N,) in mixed order, zero_shot (K, columns)); sizes: rows per class."""
    generator = np.random.default_rng(seed)
    centres = unit(generator.standard_normal((len(sizes), columns)))
    labels = generator.permutation(np.repeat(np.arange(len(sizes)), sizes))
    rows = unit(centres[labels] + 0.2 * generator.standard_normal((len(labels), columns)) + 0.5)
    return rows, labels, scale * unit(centres + 0.3 * generator.standard_normal(centres.shape))
