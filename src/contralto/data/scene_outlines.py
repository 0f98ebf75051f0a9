"""The shapes in drawn scenes, as functions that draw them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from PIL import ImageDraw

Paint = tuple[int, ...]
Outline = Callable[[ImageDraw.ImageDraw, float, float, float, float, Paint], None]
"""Draws a shape: (pen, x, y, radius, angle in radians, paint)."""


def _polygon(*points: tuple[float, float]) -> Outline:
    """A polygon of points in units of the radius, rotated by the angle."""

    def outline(pen: ImageDraw.ImageDraw, x: float, y: float, radius: float, angle: float, paint: Paint) -> None:
        sine, cosine = math.sin(angle) * radius, math.cos(angle) * radius
        pen.polygon([(x + px * cosine - py * sine, y + px * sine + py * cosine) for px, py in points], fill=paint)

    return outline


def _circle(pen: ImageDraw.ImageDraw, x: float, y: float, radius: float, angle: float, paint: Paint) -> None:
    pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=paint)


def _ring(pen: ImageDraw.ImageDraw, x: float, y: float, radius: float, angle: float, paint: Paint) -> None:
    pen.ellipse((x - radius, y - radius, x + radius, y + radius), outline=paint, width=max(2, round(0.35 * radius)))


def _around(points: int, radii: Sequence[float]) -> list[tuple[float, float]]:
    """`points` points around the origin, starting at the top; their distances repeat `radii`."""
    turns = [2 * math.pi * k / points for k in range(points)]
    return [(radii[k % len(radii)] * math.sin(t), -radii[k % len(radii)] * math.cos(t)) for k, t in enumerate(turns)]


_ARM = 0.33
_HEART = [(math.sin(t) ** 3, -(13 * math.cos(t) - 5 * math.cos(2 * t) - 2 * math.cos(3 * t) - math.cos(4 * t)) / 16)
          for t in (2 * math.pi * k / 40 for k in range(40))]  # fmt: skip
OUTLINES: dict[str, Outline] = {
    "circle": _circle,
    "ring": _ring,
    "square": _polygon((-0.85, -0.85), (0.85, -0.85), (0.85, 0.85), (-0.85, 0.85)),
    "triangle": _polygon(*_around(3, [1.15])),
    "diamond": _polygon((0, -1.15), (0.75, 0), (0, 1.15), (-0.75, 0)),
    "star": _polygon(*_around(10, [1.15, 0.5])),
    "cross": _polygon((-_ARM, -1), (_ARM, -1), (_ARM, -_ARM), (1, -_ARM), (1, _ARM), (_ARM, _ARM), (_ARM, 1),
                      (-_ARM, 1), (-_ARM, _ARM), (-1, _ARM), (-1, -_ARM), (-_ARM, -_ARM)),
    "heart": _polygon(*_HEART),
}  # fmt: skip
