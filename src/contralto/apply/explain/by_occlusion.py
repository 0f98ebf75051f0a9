"""What the cosine loses when a square of the picture is painted over (Zeiler and Fergus 2013, arXiv 1311.2901).

The plain twin is a loop in tests/apply/explain/test_by_occlusion.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from contralto.encoder.stream import windows

Float64 = NDArray[np.float64]
Pixels = NDArray[np.float32]
Score = Callable[[Pixels], Float64]
"""Pixels (N, 3, H, W) -> numbers (N,), such as cosines."""

STEPS: Final = 8  # of a side; the square is two steps wide and high


def occlusion(score: Score, pixels: Pixels, batch: int) -> Float64:
    """pixels (3, H, W) -> (8, 8): for each place the mean loss of the squares that cover it.

    A square is 1/4 of the side, in steps of 1/8, painted with the mean colour (0 after the normalisation). batch:
    pictures at once.
    """
    parts = [score(np.stack(some)) for some in windows(_painted(pixels), batch)]
    scores = np.concatenate(parts)
    losses = scores[0] - scores[1:]
    total, covering = np.zeros((STEPS, STEPS)), np.zeros((STEPS, STEPS))
    for place, loss in enumerate(losses):
        row, column = divmod(place, STEPS - 1)
        total[row : row + 2, column : column + 2] += loss
        covering[row : row + 2, column : column + 2] += 1
    return total / covering


def _painted(pixels: Pixels) -> Iterator[Pixels]:
    """The picture, then the picture with each square painted."""
    yield pixels
    edges = [[round(step * side / STEPS) for step in range(STEPS + 1)] for side in pixels.shape[1:]]
    for row in range(STEPS - 1):
        for column in range(STEPS - 1):
            painted = pixels.copy()
            painted[:, edges[0][row] : edges[0][row + 2], edges[1][column] : edges[1][column + 2]] = 0
            yield painted
