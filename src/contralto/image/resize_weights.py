"""Pillow's filter weights for a resize, bit for bit: computed in double precision in Pillow's order of operations, then
rounded to 22-bit fixed point. `window` and `resample` use them to compute Pillow's result for a part of a picture.

The cubic kernel is Keys 1981 with a = -0.5.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

PRECISION = 22


@dataclass(frozen=True)
class ResizeWeights:
    """The weights of one axis. starts (outputs,): the first input of each output. weights (outputs, count): fixed
    point, 0 for missing inputs. All outputs together need the inputs first..last."""

    starts: NDArray[np.int64]
    weights: NDArray[np.int64]

    @property
    def count(self) -> int:
        return int(self.weights.shape[1])

    @property
    def first(self) -> int:
        return int(min(self.starts[0], self.starts[-1]))

    @property
    def last(self) -> int:
        return int(max(self.starts[0], self.starts[-1])) + self.count

    def mirrored(self, length: int) -> ResizeWeights:
        """The weights for the `length` inputs in reverse order."""
        return ResizeWeights(length - self.starts - self.count, self.weights[:, ::-1])


def resize_weights(
    length: int, size: int, first: int, last: int, resample: Image.Resampling, multiple: int = 1
) -> ResizeWeights:
    """The weights of the outputs first..last when `length` inputs are resized to `size`, bicubic or bilinear.

    The count is a multiple of `multiple`. If it exceeds `length`, starts are negative.
    """
    kernel, reach = (_cubic, 2.0) if resample == Image.Resampling.BICUBIC else (_triangle, 1.0)
    scale = length / size
    stretch = max(scale, 1.0)
    centre = (np.arange(first, last) + 0.5) * scale
    start = np.maximum((centre - reach * stretch + 0.5).astype(np.int64), 0)
    stop = np.minimum((centre + reach * stretch + 0.5).astype(np.int64), length)
    count = -(-int((stop - start).max()) // multiple) * multiple
    starts = np.minimum(start, length - count)
    inputs = starts[:, None] + np.arange(count)
    within = (inputs >= start[:, None]) & (inputs < stop[:, None])
    weights = np.where(within, kernel((inputs - centre[:, None] + 0.5) * (1.0 / stretch)), 0.0)
    weights /= weights.cumsum(axis=1)[:, -1:]  # summed one by one, as Pillow does
    return ResizeWeights(starts, np.trunc(weights * (1 << PRECISION) + np.copysign(0.5, weights)).astype(np.int64))


def _cubic(x: NDArray[np.float64]) -> NDArray[np.float64]:
    a = -0.5
    x = np.abs(x)
    inner = ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0
    outer = (((x - 5.0) * x + 8.0) * x - 4.0) * a
    return np.where(x < 1.0, inner, np.where(x < 2.0, outer, 0.0))


def _triangle(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.maximum(1.0 - np.abs(x), 0.0)
