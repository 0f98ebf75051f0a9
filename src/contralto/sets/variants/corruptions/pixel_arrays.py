"""Pixels as float arrays: conversion from and to Pillow, and interpolation."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels: TypeAlias = NDArray[np.float32]
"""(H, W) or (H, W, 3), 0..1."""


def to_image(pixels: Pixels) -> Image.Image:
    """An 8-bit Pillow picture; values are clipped and rounded."""
    return Image.fromarray(np.rint(np.clip(pixels, 0, 1) * 255).astype(np.uint8))


def to_pixels(image: Image.Image) -> Pixels:
    """The picture's values in 0..1."""
    return np.asarray(image, np.float32) / np.float32(255)


def interpolate(pixels: Pixels, y: Pixels, x: Pixels) -> Pixels:
    """Values of (H, W, C) at rows y and columns x, each (H, W): linear between pixels, mirrored beyond the borders."""
    height, width = pixels.shape[:2]
    top, left = np.floor(y), np.floor(x)
    down, right = (y - top)[:, :, None], (x - left)[:, :, None]
    rows = [_mirrored(top + step, height) for step in (0, 1)]
    columns = [_mirrored(left + step, width) for step in (0, 1)]
    upper, lower = (pixels[row, columns[0]] * (1 - right) + pixels[row, columns[1]] * right for row in rows)
    return (upper * (1 - down) + lower * down).astype(np.float32, copy=False)


def _mirrored(places: Pixels, count: int) -> NDArray[np.intp]:
    folded = places.astype(np.intp) % (2 * count)
    return np.minimum(folded, 2 * count - 1 - folded)
