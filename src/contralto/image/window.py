"""A part of an enlarged picture without the rest: what Pillow's resize would give there, bit for bit.

A picture of 1 x 20,000 pixels becomes 224 x 4,480,000 before the crop keeps 224 x 224 of it. Pillow can resize a
box of the picture, but takes the box in single precision, which changes the weights. So its two passes (the
horizontal one first, rounded to 8 bits; `taps` has the weights) are computed here for the kept rows and columns alone.
Enlarging both sides is all that needs this: a picture whose sides both shrink never needs more memory than its source,
and one that is only made wider and less high is left to Pillow, in the order that needs less. The tests hold both
equal on random shapes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from contralto.errors import ImageError
from contralto.image.taps import PRECISION, Taps, taps

Box = tuple[int, int, int, int]  # left, top, right, bottom

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
    columns = taps(image.width, size[0], box[0], box[2], resample)
    rows = taps(image.height, size[1], box[1], box[3], resample)
    near = image.crop((columns.first, rows.first, columns.last, rows.last))
    bands = np.asarray(near).reshape(near.height, near.width, -1)
    across = _apply(columns, bands.swapaxes(0, 1)).swapaxes(0, 1)
    return Image.frombytes(near.mode, (box[2] - box[0], box[3] - box[1]), _apply(rows, across).tobytes())


def flatten(image: Image.Image, size: tuple[int, int], resample: Image.Resampling) -> Image.Image:
    """`image.resize(size, resample)` to a wider and lower picture: the height first, so that nothing grows before.

    Pillow does it in this order from version 13 on; before, its widened picture of the old height could take gigabytes.
    """
    if image.mode in ("RGBA", "LA"):  # colours count as much as they are opaque, through both passes
        return flatten(image.convert(image.mode[:-1] + "a"), size, resample).convert(image.mode)
    return image.resize((image.width, size[1]), resample).resize(size, resample)


def _apply(axis: Taps, lines: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Lines first..last (last - first, ...) to the outputs (outputs, ...), each rounded and clipped to 8 bits."""
    total = np.full((len(axis.starts), *lines.shape[1:]), 1 << (PRECISION - 1), np.int64)
    for tap, weights in enumerate(axis.weights.T):
        total += weights[:, None, None] * lines[axis.starts - axis.first + tap]
    np.clip(total >> PRECISION, 0, 255, out=total)
    return total.astype(np.uint8)


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
