"""Resizes ordinary pictures with compiled code (`_resample.c`): bit for bit Pillow's result, several times as fast.

Only the rows and columns that the crop keeps are computed, with AVX2 if the processor has it. The picture is read strip
by strip, so no second copy of it is made. A turn needs no copy either: strips and weights are taken in the order of the
stored pixels. Pillow resizes the pictures that this module does not handle, and all pictures if the package was built
without a C compiler.

The plain twin is Pillow's own `transpose`, `resize` and `crop`; tests/image/test_resample.py checks that both give the
same result.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.Image import Transpose

from contralto.image.resize_weights import ResizeWeights, resize_weights
from contralto.image.window import Box

try:
    from contralto.image import _resample as compiled
except ImportError:  # built without a C compiler
    compiled = None  # type: ignore[assignment]

# Modes whose channels Pillow resizes alike, and the raw mode that copies out their pixels as stored in memory.
RAW_MODES = {"L": "L", "RGB": "RGBX", "CMYK": "CMYK", "YCbCr": "YCbCrX"}

MAX_COMPILED_SIDE = 2**16  # a longer side has too many weights (up to four per pixel) and is left to Pillow

STRIP_BYTES = 2**18  # small enough to stay in the processor's cache between Pillow's copy and our pass
STRIP_LINES = 32  # a multiple of the lines that the compiled code handles at once

# For each turn: whether rows and columns are exchanged, then whether columns and rows are mirrored.
TURN_EFFECTS = {
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
    """(width, height) after the turn."""
    return (size[1], size[0]) if TURN_EFFECTS[turn][0] else size


def resize_box(
    image: Image.Image, size: tuple[int, int], resample: Image.Resampling, box: Box, turn: Transpose | None = None
) -> Image.Image | None:
    """`image.transpose(turn).resize(size, resample).crop(box)`; None if Pillow has to do it.

    size: (width, height); resample: bicubic or bilinear; box: within the new size.
    """
    if compiled is None or image.mode not in RAW_MODES or max(image.size) > MAX_COMPILED_SIDE:
        return None
    standing, mirror_columns, mirror_rows = TURN_EFFECTS[turn]
    width, height = turned(image.size, turn)
    if (width, height) == size or _height_first((width, height), size):
        return None
    raw = RAW_MODES[image.mode]
    channels = 1 if raw == "L" else 4
    multiple = compiled.LANES // channels
    columns = resize_weights(width, size[0], box[0], box[2], resample, multiple)
    rows = resize_weights(height, size[1], box[1], box[3], resample, multiple)
    if columns.first < 0 or rows.first < 0:
        return None
    across = np.empty((box[2] - box[0], rows.last - rows.first, channels), np.uint8)  # transposed, as a pass returns it
    stored_columns = columns.mirrored(width) if mirror_columns else columns
    stored_rows = rows.mirrored(height) if mirror_rows else rows
    _across(image, stored_columns, stored_rows, standing, across[:, ::-1] if mirror_rows else across)
    small = np.empty((box[3] - box[1], box[2] - box[0], channels), np.uint8)
    compiled.resample(across, *_lanes(rows, channels), small, False, compiled.AVX2)
    return Image.frombytes(image.mode, (box[2] - box[0], box[3] - box[1]), small.tobytes(), "raw", raw)


def _across(
    image: Image.Image, columns: ResizeWeights, rows: ResizeWeights, standing: bool, out: NDArray[np.uint8]
) -> None:
    """The first pass, along the needed rows (standing: they are columns of the stored image)."""
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
    """Whether Pillow (from version 13 on) resizes the height first: it does if the height shrinks far more."""
    lower = size[1] - to[1]
    return lower > 0 and lower > 2 * (size[0] - to[0])


def _lanes(axis: ResizeWeights, channels: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """The starts and weights of an axis in bytes instead of pixels: each weight is repeated for every channel."""
    starts = (axis.starts - axis.first) * channels
    return starts.astype(np.int32), np.repeat(axis.weights.astype(np.int32), channels, axis=1)
