"""Computes a part of an enlarged picture without the rest, bit for bit as Pillow's resize.

A picture of 1 x 20,000 pixels becomes 224 x 4,480,000 before the crop keeps 224 x 224 of it. Pillow can resize a box
of a picture, but stores the box in single precision, which changes the weights. So this module computes Pillow's two
passes (the horizontal one first, rounded to 8 bits) for the kept rows and columns alone. Only pictures with both sides
enlarged need this: if both shrink, the result is smaller than the source, and if only the width grows, Pillow does the
resize in the order that needs less memory.

The plain twin is Pillow's own `resize` and `crop`; tests/image/test_window.py checks that both give the same result on
random shapes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from contralto.errors import ImageError
from contralto.image.resize_weights import PRECISION, ResizeWeights, resize_weights

Box = tuple[int, int, int, int]  # left, top, right, bottom

MAX_STRIP = 2**28  # bytes of a palette picture with one side resized


def enlarge(image: Image.Image, size: tuple[int, int], resample: Image.Resampling, box: Box) -> Image.Image:
    """`image.resize(size, resample).crop(box)`; memory depends only on the picture and the box.

    size: (width, height), neither smaller than the picture's; resample: bicubic or bilinear; box: within the new size.
    As in Pillow, modes P and 1 are resized without interpolation. They need the longer side of `size` times the shorter
    side of the picture in bytes; above 2^28, an ImageError is raised.
    """
    if image.mode in ("P", "1"):
        return _nearest(image, size, box)
    if image.mode in ("RGBA", "LA"):  # colours are weighted by alpha
        return enlarge(image.convert(image.mode[:-1] + "a"), size, resample, box).convert(image.mode)
    columns = resize_weights(image.width, size[0], box[0], box[2], resample)
    rows = resize_weights(image.height, size[1], box[1], box[3], resample)
    near = image.crop((columns.first, rows.first, columns.last, rows.last))
    bands = np.asarray(near).reshape(near.height, near.width, -1)
    across = _apply(columns, bands.swapaxes(0, 1)).swapaxes(0, 1)
    return Image.frombytes(near.mode, (box[2] - box[0], box[3] - box[1]), _apply(rows, across).tobytes())


def resize_height_first(image: Image.Image, size: tuple[int, int], resample: Image.Resampling) -> Image.Image:
    """`image.resize(size, resample)` to a wider and lower picture. The height is resized first, to save memory.

    Pillow uses this order from version 13 on. Before, its widened picture of the old height could take gigabytes.
    """
    if image.mode in ("RGBA", "LA"):  # colours are weighted by alpha in both passes
        return resize_height_first(image.convert(image.mode[:-1] + "a"), size, resample).convert(image.mode)
    return image.resize((image.width, size[1]), resample).resize(size, resample)


def _apply(axis: ResizeWeights, lines: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """One pass: lines first..last (last - first, ...) to outputs (outputs, ...), rounded and clipped to 8 bits."""
    total = np.full((len(axis.starts), *lines.shape[1:]), 1 << (PRECISION - 1), np.int64)
    for index, weights in enumerate(axis.weights.T):
        total += weights[:, None, None] * lines[axis.starts - axis.first + index]
    np.clip(total >> PRECISION, 0, 255, out=total)
    return total.astype(np.uint8)


def _nearest(image: Image.Image, size: tuple[int, int], box: Box) -> Image.Image:
    """Without interpolation the axes are independent: the longer one is resized first and cropped, then the other."""
    (width, height), (left, top, right, bottom) = size, box
    if max(size) * min(image.size) > MAX_STRIP:
        raise ImageError(f"picture of {image.width:,} x {image.height:,}", "is too long and thin to resize its palette")
    nearest = Image.Resampling.NEAREST
    if width > height:
        strip = image.resize((width, image.height), nearest).crop((left, 0, right, image.height))
        return strip.resize((right - left, height), nearest).crop((0, top, right - left, bottom))
    strip = image.resize((image.width, height), nearest).crop((0, top, image.width, bottom))
    return strip.resize((width, bottom - top), nearest).crop((left, 0, right, bottom - top))
