"""A part of an enlarged picture without the rest: what Pillow's resize would give there, bit for bit.

A picture of 1 x 20,000 pixels becomes 224 x 4,480,000 before the crop keeps 224 x 224 of it. Pillow can resize a
box of the picture, but takes the box in single precision, which changes the weights. So the weights are computed
here as Pillow computes them (22-bit fixed point; the horizontal pass first, rounded to 8 bits), for the kept rows
and columns alone. Enlarging both sides is all that needs this: a picture whose sides both shrink never needs more
memory than its source, and one that is only made wider and less high is left to Pillow, in the order that needs less.
The tests hold both equal on random shapes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from contralto.errors import ImageError

Box = tuple[int, int, int, int]  # left, top, right, bottom

PRECISION = 22
MAX_STRIP = 2**28


def enlarge(image: Image.Image, size: tuple[int, int], resample: Image.Resampling, box: Box) -> Image.Image:
    """`image.resize(size, resample).crop(box)`, in memory that depends on the picture and the box only.

    size: (width, height), none smaller than the picture's; resample: bicubic or bilinear; box: within the new size.
    Modes P and 1 are resized without interpolation, as by Pillow: for them the memory is the longer side of `size`
    times the shorter one of the picture; above 2^28 bytes that is an ImageError.
    """
    if image.mode in ("P", "1"):
        return _nearest(image, size, box)
    if image.mode in ("RGBA", "LA"):  # colours count as much as they are opaque
        return enlarge(image.convert(image.mode[:-1] + "a"), size, resample, box).convert(image.mode)
    columns = _taps(image.width, size[0], box[0], box[2], resample)
    rows = _taps(image.height, size[1], box[1], box[3], resample)
    near = image.crop((columns.first, rows.first, columns.last, rows.last))
    bands = np.asarray(near).reshape(near.height, near.width, -1)
    across = columns.apply(bands.swapaxes(0, 1)).swapaxes(0, 1)
    return Image.frombytes(near.mode, (box[2] - box[0], box[3] - box[1]), rows.apply(across).tobytes())


def flatten(image: Image.Image, size: tuple[int, int], resample: Image.Resampling) -> Image.Image:
    """`image.resize(size, resample)` to a wider and lower picture: the height first, so that nothing grows before.

    Pillow does it in this order from version 13 on; before, its widened picture of the old height could take gigabytes.
    """
    if image.mode in ("RGBA", "LA"):  # colours count as much as they are opaque, through both passes
        return flatten(image.convert(image.mode[:-1] + "a"), size, resample).convert(image.mode)
    return image.resize((image.width, size[1]), resample).resize(size, resample)


@dataclass(frozen=True)
class _Taps:
    """For each output of one axis: its inputs (count, taps), and their weights in fixed point, 0 where there is none.
    The inputs first..last suffice for all."""

    inputs: NDArray[np.int64]
    weights: NDArray[np.int64]
    first: int
    last: int

    def apply(self, lines: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Lines first..last (last - first, ...) to the outputs (count, ...), each rounded and clipped to 8 bits."""
        total = np.full((len(self.inputs), *lines.shape[1:]), 1 << (PRECISION - 1), np.int64)
        for inputs, weights in zip(self.inputs.T, self.weights.T, strict=True):
            total += weights[:, None, None] * lines[inputs - self.first]
        np.clip(total >> PRECISION, 0, 255, out=total)
        return total.astype(np.uint8)


def _taps(length: int, size: int, first: int, last: int, resample: Image.Resampling) -> _Taps:
    """For the outputs first..last when `length` inputs become `size`. The order of operations is Pillow's."""
    kernel, reach = (_cubic, 2.0) if resample == Image.Resampling.BICUBIC else (_triangle, 1.0)
    centre = (np.arange(first, last) + 0.5) * (length / size)
    start = np.maximum((centre - reach + 0.5).astype(np.int64), 0)
    stop = np.minimum((centre + reach + 0.5).astype(np.int64), length)
    inputs = start[:, None] + np.arange(int((stop - start).max()))
    weights = np.where(inputs < stop[:, None], kernel(inputs - centre[:, None] + 0.5), 0.0)
    weights /= weights.cumsum(axis=1)[:, -1:]  # summed one by one, as Pillow does
    fixed = np.trunc(weights * (1 << PRECISION) + np.copysign(0.5, weights)).astype(np.int64)
    return _Taps(np.minimum(inputs, stop[-1] - 1), fixed, int(start[0]), int(stop[-1]))


def _cubic(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """The cubic convolution kernel with a = -0.5 (Keys 1981)."""
    a = -0.5
    x = np.abs(x)
    inner = ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0
    outer = (((x - 5.0) * x + 8.0) * x - 4.0) * a
    return np.where(x < 1.0, inner, np.where(x < 2.0, outer, 0.0))


def _triangle(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.maximum(1.0 - np.abs(x), 0.0)


def _nearest(image: Image.Image, size: tuple[int, int], box: Box) -> Image.Image:
    """The axes are independent here, so the longer one is done first, cropped, and then the other."""
    (width, height), (left, top, right, bottom) = size, box
    if max(size) * min(image.size) > MAX_STRIP:
        raise ImageError(f"picture of {image.width:,} x {image.height:,}", "is too long and thin to resize its palette")
    nearest = Image.Resampling.NEAREST
    if width > height:
        strip = image.resize((width, image.height), nearest).crop((left, 0, right, image.height))
        return strip.resize((right - left, height), nearest).crop((0, top, right - left, bottom))
    strip = image.resize((image.width, height), nearest).crop((0, top, image.width, bottom))
    return strip.resize((width, bottom - top), nearest).crop((left, 0, right, bottom - top))
