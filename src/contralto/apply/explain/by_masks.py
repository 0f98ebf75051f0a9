"""RISE (Petsiuk et al. 2018, arXiv 1806.07421): the cosine under random masks, in the mean for each pixel.

The plain twin is the formula of the paper in tests/apply/explain/test_by_masks.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from contralto.apply.maps import resampled

Float64 = NDArray[np.float64]
Pixels = NDArray[np.float32]

CELLS: Final = 7  # a side of the coarse mask
KEPT: Final = 0.5  # the chance of a cell to be seen


def rise(
    score: Callable[[Pixels], Float64],
    pixels: Pixels,
    samples: int,
    seed: int,
    batch: int,
    progress: Callable[[int, int], Any],
) -> Float64:
    """pixels (3, H, W) -> (H, W): sum((score - mean score) * mask) / (samples * chance to be seen).

    The paper does not subtract the mean score; its map is then the mean score and
    this map, and the noise of how often each pixel was seen. progress is called with (done, samples).
    """
    random = np.random.default_rng(seed)
    masked, seen = np.zeros(pixels.shape[1:]), np.zeros(pixels.shape[1:])
    total = 0.0
    for start in range(0, samples, batch):
        several = np.stack([mask(random, *pixels.shape[1:]) for _ in range(min(batch, samples - start))])
        given = score(pixels * several[:, None].astype(np.float32))
        masked += np.tensordot(given, several, 1)
        seen += several.sum(0)
        total += float(given.sum())
        progress(start + len(several), samples)
    importance: Float64 = (masked - total / samples * seen) / (samples * KEPT)
    return importance


def mask(random: np.random.Generator, height: int, width: int) -> Float64:
    """(height, width) in 0..1: 7 x 7 cells that are 0 or 1, enlarged bilinearly by one cell too much, and shifted."""
    cell = -(-height // CELLS), -(-width // CELLS)
    coarse = (random.random((CELLS, CELLS)) < KEPT).astype(np.float64)
    top, left = (int(random.integers(0, side)) for side in cell)
    smooth = resampled(coarse, ((CELLS + 1) * cell[0], (CELLS + 1) * cell[1]))
    return smooth[top : top + height, left : left + width]
