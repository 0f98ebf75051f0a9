"""The picture of a map: the photograph with colours where it speaks for the text, and a legend with numbers.

A map must not look stronger than it is. So strength has one scale for all maps of a picture, which never reaches below
a floor: a flat map stays flat. Nothing is drawn where the map is zero or below. The colours go from black through blue,
green and yellow to white, and their lightness grows all the way, so that they also say the same in grey.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from contralto.apply.explain.explanation import Explanation, Method
from contralto.apply.maps import enlarged
from contralto.image.seen import Area

LONGEST_SIDE: Final = 1600  # of the result in pixels; a larger picture is reduced
SMALLEST_WIDTH: Final = 320  # what the legend needs; a smaller picture is enlarged

FLOORS: Final[dict[Method, float]] = {"cells": 0.15, "occlusion": 0.12, "rise": 0.02}
"""The smallest full strength in cosines."""
FLOOR_OF_ALL_CELLS: Final = 0.5  # for relevance and gradcam, whose cells share one change of the cosine

MEANINGS: Final[dict[Method, str]] = {
    "relevance": "attention x change of the cosine",
    "gradcam": "share of the change of the cosine",
    "cells": "cosine above the rest of the picture",
    "occlusion": "cosine lost when painted over",
    "rise": "cosine gained when visible",
}

STOPS: Final = (
    (0, 0, 0),
    (32, 24, 92),
    (24, 92, 132),
    (36, 156, 112),
    (158, 206, 64),
    (252, 232, 110),
    (255, 255, 255),
)
SOLID: Final = 0.8  # how much of the photograph the strongest colour covers
HATCH: Final = 12  # pixels between the lines outside of the part that the tower saw

Pixels = NDArray[np.uint8]


def full_strength(explanations: Sequence[Explanation]) -> float:
    """The value with the lightest colour, for all maps of one method for one picture: the largest, or the floor."""
    method, grid = explanations[0].method, explanations[0].grid
    floor = FLOORS.get(method, FLOOR_OF_ALL_CELLS / grid.size)
    return max(floor, *(float(one.grid.max()) for one in explanations))


def drawn(image: Image.Image, explanation: Explanation, full: float) -> Image.Image:
    """The upright picture with the map on it, RGB, at most 1,600 pixels on a side, and the legend below.

    image: the picture that was explained, also smaller. full: the value with the lightest colour, see `full_strength`.
    """
    scale = min(LONGEST_SIDE / max(image.size), max(1.0, SMALLEST_WIDTH / image.width))
    size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    photo = np.asarray(image.convert("RGB").resize(size, Image.Resampling.LANCZOS)).astype(np.float32)
    factors = size[0] / explanation.size[0], size[1] / explanation.size[1]
    strength = np.clip(enlarged(explanation.grid, _scaled(explanation.area, factors), size) / full, 0, 1)
    opacity = (SOLID * np.sqrt(strength))[..., None]
    grey = photo.mean(2, keepdims=True)
    mixed = (1 - opacity) * (0.35 * photo + 0.4 * grey) + opacity * colours(strength)
    result = Image.fromarray(_dimmed(mixed, _scaled(explanation.seen, factors)).round().astype(np.uint8))
    if (peak := explanation.peak) is not None:
        _mark(result, (peak[0] + 0.5) * factors[0], (peak[1] + 0.5) * factors[1])
    return _with_legend(result, full, MEANINGS[explanation.method])


def colours(strength: NDArray[np.floating]) -> NDArray[np.float32]:
    """Numbers 0..1 (...) -> colours (..., 3) in 0..255."""
    stops = np.array(STOPS, np.float32)
    places = np.linspace(0, 1, len(stops))
    return np.stack([np.interp(strength, places, channel) for channel in stops.T], -1).astype(np.float32)


def _scaled(area: Area, factors: tuple[float, float]) -> Area:
    across, down = factors
    return area[0] * across, area[1] * down, area[2] * across, area[3] * down


def _dimmed(photo: NDArray[np.float32], seen: Area) -> NDArray[np.float32]:
    """Darker, with diagonal lines, where the tower saw nothing."""
    y, x = np.ogrid[: photo.shape[0], : photo.shape[1]]
    inside = (x + 0.5 >= seen[0]) & (x + 0.5 <= seen[2]) & (y + 0.5 >= seen[1]) & (y + 0.5 <= seen[3])
    lines = (x + y) % HATCH < 2
    result: NDArray[np.float32] = np.where(inside[..., None], photo, np.where(lines[..., None], 120, photo * 0.45))
    return result


def _mark(image: Image.Image, x: float, y: float) -> None:
    """A ring at the peak, dark and light so that it shows on any ground."""
    radius = max(7, max(image.size) // 60)
    draw = ImageDraw.Draw(image)
    for extra, colour in ((2, "black"), (0, "white")):
        box = (x - radius - extra / 2, y - radius - extra / 2, x + radius + extra / 2, y + radius + extra / 2)
        draw.ellipse(box, outline=colour, width=2 + extra)


def _with_legend(image: Image.Image, full: float, meaning: str) -> Image.Image:
    """The picture above a bar of its colours, from 0 (nothing drawn) to the full strength, and what the numbers are."""
    letter = min(max(image.width // 55, 12), 22)  # pixels
    width = max(image.width, SMALLEST_WIDTH)
    result = Image.new("RGB", (width, image.height + 4 * letter + 6), "white")
    result.paste(image)
    left, right, top = letter, min(width - letter, 40 * letter), image.height + letter // 2
    bar = colours(np.linspace(0, 1, right - left))[None].repeat(letter, 0)
    result.paste(Image.fromarray(bar.round().astype(np.uint8)), (left, top))
    draw, font = ImageDraw.Draw(result), ImageFont.load_default(letter)
    draw.rectangle((left - 1, top - 1, right, top + letter), outline=(110, 110, 110))
    for share, anchor in ((0.0, "la"), (0.5, "ma"), (1.0, "ra")):
        number = f"{full * share:.2g}" if share else "0"
        draw.text((left + share * (right - left), top + letter + 3), number, "black", font, anchor)
    draw.text((left, top + 2 * letter + 6), meaning, "black", font, "la")
    return result
