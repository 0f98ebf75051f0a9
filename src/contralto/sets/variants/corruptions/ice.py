"""Ice ferns as on a cold window: stems with branches at 60 degrees, which have branches again."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from contralto.sets.variants.corruptions.pixel_arrays import Pixels, to_pixels

STEM_AREA = 2200  # square pixels per stem
BRANCH_DISTANCE = 5  # pixels between branches


def ferns(shape: tuple[int, int], random: np.random.Generator) -> Pixels:
    """(H, W): 0 without ice, up to 1."""
    height, width = shape
    canvas = Image.new("L", (width, height))
    pen = ImageDraw.Draw(canvas)
    for _ in range(max(1, height * width // STEM_AREA)):
        x, y = random.uniform(0, width), random.uniform(0, height)
        _grow(pen, x, y, random.uniform(0, 2 * math.pi), random.uniform(30, 90), 2)
    return to_pixels(canvas.filter(ImageFilter.GaussianBlur(0.7)))


def _grow(pen: ImageDraw.ImageDraw, x: float, y: float, angle: float, length: float, orders: int) -> None:
    """Draws a stem, and branches to both directions that get shorter towards its tip."""
    dx, dy = math.cos(angle), math.sin(angle)
    pen.line((x, y, x + dx * length, y + dy * length), fill=255 if orders else 170, width=2 if orders == 2 else 1)
    if not orders:
        return
    for along in np.arange(BRANCH_DISTANCE, length, BRANCH_DISTANCE):
        for sign in (-1, 1):
            reach = 0.4 * (length - along)
            _grow(
                pen, x + dx * along, y + dy * along, angle + sign * math.pi / 3, reach, orders - 1 if reach > 12 else 0
            )
