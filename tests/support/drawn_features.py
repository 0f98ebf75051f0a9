"""Random features with classes, as an encoder might give them: uneven in scale, off centre, overlapping."""

from __future__ import annotations

import numpy as np


def drawn(rows: int, columns: int, classes: int, *, apart: float = 0.4, seed: int = 0):
    """(features float32 (rows, columns), labels (rows,)); every class occurs."""
    generator = np.random.default_rng(seed)
    scale = (1 + np.arange(columns)) ** -0.7
    turn = np.linalg.qr(generator.standard_normal((columns, columns)))[0]
    centres = apart * generator.standard_normal((classes, columns))
    labels = generator.permutation(np.arange(rows) % classes)
    features = (centres[labels] + generator.standard_normal((rows, columns))) * scale @ turn
    return (features + 3 * generator.standard_normal(columns)).astype(np.float32), labels
