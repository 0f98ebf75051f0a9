"""OWLv2's preparation: black below and to the right up to a square, a Gaussian, a bilinear resize.

Both filters are linear and act on each axis alone, so one matrix an axis does both. Its rows are short, as the Gaussian
ends at four deviations: a block of rows of the result needs few rows of the picture, which are read block by block. So
no copy of the padded picture in floating point is made.

The plain twin in the tests is scipy's `gaussian_filter` and `zoom` on the padded picture, in float64. Source: the
scenic code of OWLv2 (Minderer et al. 2023), as in transformers 5.23, `Owlv2ImageProcessorPil`. Its processor for
torchvision normalises before it pads and ends the Gaussian at three deviations, so it gives other pixels.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Float = NDArray[np.float32]

TRUNCATE = 4.0  # deviations at which the Gaussian ends
BLOCK = 16  # results computed at once along an axis: their windows overlap by about three quarters
CHUNK_PIXELS = 2**18  # of the picture that are in floating point at a time


class AxisBlock(NamedTuple):
    """The results start..stop of an axis from the inputs first..last: weights (stop - start, last - first)."""

    start: int
    stop: int
    first: int
    last: int
    weights: Float


def padded(image: Image.Image, out: Float) -> Float:
    """Fills and returns `out`, (3, side, side), with an upright RGB picture in 0..1."""
    longest, side = max(image.size), out.shape[1]
    down, across = (axis_blocks(length, longest, side) for length in (image.height, image.width))
    out[:] = 0
    lowest, highest = _extremes(image)
    for rows in down:
        lines = _vertical(image, rows)  # (3, rows, width)
        for columns in across:
            part = lines[:, :, columns.first : columns.last] @ columns.weights.T
            out[:, rows.start : rows.stop, columns.start : columns.stop] = part
    return np.clip(out, lowest, highest, out=out)


def axis_blocks(length: int, padded_length: int, side: int) -> list[AxisBlock]:
    """The weights of one axis: `length` inputs, then zeros up to `padded_length`, are resized to `side` results.

    Results that only zeros reach have no block.
    """
    blocks = []
    for start in range(0, side, BLOCK):
        stop = min(start + BLOCK, side)
        inputs, weights = _taps(np.arange(start, stop), padded_length, side)
        first, last = int(inputs.min()), min(int(inputs.max()) + 1, length)
        if first >= length:
            continue
        dense = np.zeros((stop - start, int(inputs.max()) + 1 - first))
        np.add.at(dense, (np.arange(stop - start)[:, None], inputs - first), weights)
        blocks.append(AxisBlock(start, stop, first, last, dense[:, : last - first].astype(np.float32)))
    return blocks


def _taps(results: NDArray[np.int64], length: int, side: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The inputs (results, taps) of some results and their weights; an input may occur twice, after reflection."""
    factor = length / side
    kernel = _gaussian((factor - 1) / 2)
    reach = len(kernel) // 2
    centre = (results + 0.5) * factor - 0.5
    left = np.floor(centre)
    share = (centre - left)[:, None]
    pair = _mirrored(np.stack([left, left + 1], axis=1).astype(np.int64), length)  # (results, 2)
    inputs = _mirrored(pair[:, :, None] + np.arange(-reach, reach + 1), length)
    weights = np.stack([1 - share, share], axis=1) * kernel  # (results, 2, taps)
    return inputs.reshape(len(results), -1), weights.reshape(len(results), -1)


def _gaussian(sigma: float) -> NDArray[np.float64]:
    """Its weights at whole distances, which sum to 1; a single one if there is nothing to smooth."""
    reach = int(TRUNCATE * sigma + 0.5) if sigma > 0 else 0
    if reach == 0:
        return np.ones(1)
    weights: NDArray[np.float64] = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    weights /= weights.sum()
    return weights


def _mirrored(places: NDArray[np.int64], length: int) -> NDArray[np.int64]:
    """Places outside 0..length - 1, reflected at the centres of the first and last pixel."""
    if length == 1:
        return np.zeros_like(places)
    period = 2 * (length - 1)
    places = np.abs(places) % period
    mirrored: NDArray[np.int64] = np.minimum(places, period - places)
    return mirrored


def _vertical(image: Image.Image, rows: AxisBlock) -> Float:
    """The results of one block of rows, at all columns: (3, rows, width)."""
    lines = np.empty((3, rows.stop - rows.start, image.width), np.float32)
    step = max(CHUNK_PIXELS // (rows.last - rows.first), 1)
    for left in range(0, image.width, step):
        right = min(left + step, image.width)
        strip = np.asarray(image.crop((left, rows.first, right, rows.last)), np.float32)  # (taps, columns, 3)
        strip *= np.float32(1 / 255)
        mixed = rows.weights @ strip.reshape(len(strip), -1)
        lines[:, :, left:right] = mixed.reshape(-1, right - left, 3).transpose(2, 0, 1)
    return lines


def _extremes(image: Image.Image) -> tuple[float, float]:
    """The lowest and highest value of the padded picture, which the result does not exceed."""
    bounds = np.array(image.getextrema())  # (3, 2)
    lowest = 0 if image.width != image.height else int(bounds.min())
    return lowest / 255, int(bounds.max()) / 255
