"""The resize of ordinary pictures by compiled code (`_resample.c`): what Pillow gives, bit for bit, but several times
as fast.

It computes only the rows and columns that the crop keeps, with AVX2 where the processor has it, and passes over the
picture strip by strip, so that no second whole copy of it is made. Pillow does whatever this does not take, and
everything where the package was built without a C compiler.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from contralto.image.taps import Taps, taps
from contralto.image.window import Box

try:
    from contralto.image import _resample as compiled
except ImportError:  # built without a C compiler
    compiled = None  # type: ignore[assignment]

# Modes whose channels Pillow resizes alike, and the raw mode that copies its pixels out as they lie in memory.
RAW_MODES = {"L": "L", "RGB": "RGBX", "CMYK": "CMYK", "YCbCr": "YCbCrX"}

MAX_SIDE = 2**16  # there are up to four weights a pixel of a side; more of them are left to Pillow

STRIP_BYTES = 2**18  # stays in the cache between Pillow's copying it out and our reading it


def part(image: Image.Image, size: tuple[int, int], resample: Image.Resampling, box: Box) -> Image.Image | None:
    """`image.resize(size, resample).crop(box)`, or None for what is left to Pillow.

    size: (width, height); resample: bicubic or bilinear; box: within the new size.
    """
    if compiled is None or image.mode not in RAW_MODES or max(image.size) > MAX_SIDE:
        return None
    if image.size == size or _height_first(image.size, size):
        return None
    raw = RAW_MODES[image.mode]
    channels = 1 if raw == "L" else 4
    multiple = compiled.LANES // channels
    columns = taps(image.width, size[0], box[0], box[2], resample, multiple)
    rows = taps(image.height, size[1], box[1], box[3], resample, multiple)
    if columns.first < 0 or rows.first < 0:
        return None
    height, width = box[3] - box[1], box[2] - box[0]
    across = np.empty((width, rows.last - rows.first, channels), np.uint8)  # transposed, as a pass leaves it
    small = np.empty((height, width, channels), np.uint8)
    starts, weights = _lanes(columns, channels)
    step = max(STRIP_BYTES // ((columns.last - columns.first) * channels), 4)
    for top in range(rows.first, rows.last, step):
        bottom = min(top + step, rows.last)
        strip = image.crop((columns.first, top, columns.last, bottom)).tobytes("raw", raw)
        out = across[:, top - rows.first : bottom - rows.first]
        compiled.resample(strip, starts, weights, out, compiled.AVX2)
    compiled.resample(across, *_lanes(rows, channels), small, compiled.AVX2)
    return Image.frombytes(image.mode, (width, height), small.tobytes(), "raw", raw)


def _height_first(size: tuple[int, int], to: tuple[int, int]) -> bool:
    """Whether Pillow, from version 13 on, resizes the height before the width: where it shrinks far more."""
    lower = size[1] - to[1]
    return lower > 0 and lower > 2 * (size[0] - to[0])


def _lanes(axis: Taps, channels: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """The starts and weights of an axis by bytes instead of pixels: each weight stands there for every channel."""
    starts = (axis.starts - axis.first) * channels
    return starts.astype(np.int32), np.repeat(axis.weights.astype(np.int32), channels, axis=1)
