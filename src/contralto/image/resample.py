"""The resize of ordinary pictures by compiled code (`_resample.c`): what Pillow gives, bit for bit, but several times
as fast.

It computes only the rows and columns that the crop keeps, with AVX2 where the processor has it, and passes over the
picture strip by strip, so that no second whole copy of it is made. Nor does a turn make one: the strips and the weights
are taken in the order in which the pixels are stored. Pillow does whatever this does not take, and everything where the
package was built without a C compiler.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.Image import Transpose

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
STRIP_LINES = 32  # a multiple of what the compiled code does at once

# What a turn does: whether rows and columns change places, and then whether columns and rows are mirrored.
TURNS = {
    None: (False, False, False),
    Transpose.FLIP_LEFT_RIGHT: (False, True, False),
    Transpose.ROTATE_180: (False, True, True),
    Transpose.FLIP_TOP_BOTTOM: (False, False, True),
    Transpose.TRANSPOSE: (True, False, False),
    Transpose.ROTATE_270: (True, True, False),
    Transpose.TRANSVERSE: (True, True, True),
    Transpose.ROTATE_90: (True, False, True),
}


def turned(size: tuple[int, int], turn: Transpose | None) -> tuple[int, int]:
    """The (width, height) after the turn."""
    return (size[1], size[0]) if TURNS[turn][0] else size


def part(
    image: Image.Image, size: tuple[int, int], resample: Image.Resampling, box: Box, turn: Transpose | None = None
) -> Image.Image | None:
    """`image.transpose(turn).resize(size, resample).crop(box)`, or None for what is left to Pillow.

    size: (width, height); resample: bicubic or bilinear; box: within the new size.
    """
    if compiled is None or image.mode not in RAW_MODES or max(image.size) > MAX_SIDE:
        return None
    standing, mirror_columns, mirror_rows = TURNS[turn]
    width, height = turned(image.size, turn)
    if (width, height) == size or _height_first((width, height), size):
        return None
    raw = RAW_MODES[image.mode]
    channels = 1 if raw == "L" else 4
    multiple = compiled.LANES // channels
    columns = taps(width, size[0], box[0], box[2], resample, multiple)
    rows = taps(height, size[1], box[1], box[3], resample, multiple)
    if columns.first < 0 or rows.first < 0:
        return None
    across = np.empty((box[2] - box[0], rows.last - rows.first, channels), np.uint8)  # transposed, as passes leave it
    stored_columns = columns.mirrored(width) if mirror_columns else columns
    stored_rows = rows.mirrored(height) if mirror_rows else rows
    _across(image, stored_columns, stored_rows, standing, across[:, ::-1] if mirror_rows else across)
    small = np.empty((box[3] - box[1], box[2] - box[0], channels), np.uint8)
    compiled.resample(across, *_lanes(rows, channels), small, False, compiled.AVX2)
    return Image.frombytes(image.mode, (box[2] - box[0], box[3] - box[1]), small.tobytes(), "raw", raw)


def _across(image: Image.Image, columns: Taps, rows: Taps, standing: bool, out: NDArray[np.uint8]) -> None:
    """The first pass, along the rows that are needed (along the columns of the image, if they are standing there)."""
    channels = out.shape[2]
    starts, weights = _lanes(columns, channels)
    step = max(STRIP_BYTES // ((columns.last - columns.first) * channels) // STRIP_LINES, 1) * STRIP_LINES
    for top in range(rows.first, rows.last, step):
        bottom = min(top + step, rows.last)
        box = (columns.first, top, columns.last, bottom)
        strip = image.crop((box[1], box[0], box[3], box[2]) if standing else box).tobytes("raw", RAW_MODES[image.mode])
        lines = out[:, top - rows.first : bottom - rows.first]
        compiled.resample(strip, starts, weights, lines, standing, compiled.AVX2)


def _height_first(size: tuple[int, int], to: tuple[int, int]) -> bool:
    """Whether Pillow, from version 13 on, resizes the height before the width: where it shrinks far more."""
    lower = size[1] - to[1]
    return lower > 0 and lower > 2 * (size[0] - to[0])


def _lanes(axis: Taps, channels: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """The starts and weights of an axis by bytes instead of pixels: each weight stands there for every channel."""
    starts = (axis.starts - axis.first) * channels
    return starts.astype(np.int32), np.repeat(axis.weights.astype(np.int32), channels, axis=1)
