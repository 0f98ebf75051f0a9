"""Shapes as polygons in units of the radius. A polygon's tone makes its paint lighter or darker."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]
"""(n, 2): x to the right, y downwards; each point is at most 1 from the origin."""
TonedPolygon = tuple[Points, float]
"""A polygon and its tone: -1 is black, 0 the unchanged paint, 1 white."""

STRIPS = 24  # polygons that shade a round surface


def regular_polygon(corners: int, *radii: float) -> Points:
    """Corners around the origin, the first at the top; their distances repeat `radii` (default 1)."""
    turns = 2 * np.pi * np.arange(corners) / corners
    distances = np.resize(radii or (1.0,), corners)
    return np.stack([distances * np.sin(turns), -distances * np.cos(turns)], 1)


def _oval(width: float, height: float, x: float = 0.0, y: float = 0.0) -> Points:
    return regular_polygon(64) * (width, height) + (x, y)


def _heart() -> Points:
    t = 2 * np.pi * np.arange(60) / 60
    x, y = 16 * np.sin(t) ** 3, 13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)
    return np.stack([x, -y - 2.5], 1) / 18.2


def _cross(arm: float = 0.3, reach: float = 0.95) -> Points:
    quarter = np.array([[-arm, -reach], [arm, -reach], [arm, -arm]])
    turn = np.array([[0, 1], [-1, 0]])  # of row vectors, by 90 degrees to the right
    return np.concatenate([quarter @ np.linalg.matrix_power(turn, k) for k in range(4)])


def _ball() -> tuple[TonedPolygon, ...]:
    shares = np.linspace(0, 1, STRIPS, endpoint=False)
    return tuple((_oval(1 - s, 1 - s, -0.3 * s, -0.35 * s), -0.3 + 0.85 * s) for s in shares.tolist())


def _round_side(top: Points, bottom: Points) -> tuple[TonedPolygon, ...]:
    """Strips between points along the top and points along the bottom, lit from the left."""
    tones = 0.45 - 0.8 * np.abs(np.linspace(-0.3, 1, len(top) - 1))
    return tuple(
        (np.array([top[k], top[k + 1], bottom[k + 1], bottom[k]]), float(tone)) for k, tone in enumerate(tones)
    )


def _rim(width: float, height: float, y: float) -> Points:
    """The front half of an oval, from left to right."""
    turns = np.pi * (1 - np.arange(STRIPS + 1) / STRIPS)
    return np.stack([width * np.cos(turns), y + height * np.sin(turns)], 1)


def _cone() -> tuple[TonedPolygon, ...]:
    base = _rim(0.72, 0.2, 0.66)
    return _round_side(np.broadcast_to([0.0, -0.98], base.shape), base)


def _cylinder() -> tuple[TonedPolygon, ...]:
    return (*_round_side(_rim(0.6, 0.17, -0.7), _rim(0.6, 0.17, 0.7)), (_oval(0.6, 0.17, 0, -0.7), 0.35))


def _cube() -> tuple[TonedPolygon, ...]:
    corner, middle = regular_polygon(6), np.zeros(2)
    faces = (([5, 0, 1], 0.4), ([3, 4, 5], 0.05), ([1, 2, 3], -0.35))
    return tuple((np.array([*corner[list(places)], middle]), tone) for places, tone in faces)


FLAT_SHAPES: dict[str, tuple[TonedPolygon, ...]] = {
    "circle": ((_oval(1, 1), 0),),
    "square": ((regular_polygon(4) @ np.array([[1, 1], [-1, 1]]) / 2**0.5, 0),),
    "triangle": ((regular_polygon(3), 0),),
    "diamond": ((regular_polygon(4) * (0.62, 1), 0),),
    "star": ((regular_polygon(10, 1, 0.42), 0),),
    "cross": ((_cross(), 0),),
    "ring": (
        (
            np.concatenate(
                [_oval(1, 1), regular_polygon(64)[:1], 0.6 * regular_polygon(64)[:1], 0.6 * regular_polygon(64)[::-1]]
            ),
            0,
        ),
    ),
    "heart": ((_heart(), 0),),
}
SOLID_SHAPES = {"ball": _ball(), "cube": _cube(), "cone": _cone(), "cylinder": _cylinder()}
POLYGONS = {
    name: ((regular_polygon(corners), 0.0),)
    for corners, name in enumerate(("triangle", "square", "pentagon", "hexagon", "heptagon", "octagon"), 3)
}
NAMED_SHAPES = {**FLAT_SHAPES, **SOLID_SHAPES}
FAMILIES = (
    ("circle", "ball", "ring"), ("square", "cube", "diamond"), ("triangle", "cone"), ("star",), ("cross",), ("heart",),
    ("cylinder",),
)  # fmt: skip
"""Shapes with interchangeable names: a ball may be called a circle. A scene has at most one shape of a family, so that
every text is clearly true or false."""


def outline(shape: str) -> tuple[TonedPolygon, ...]:
    """The polygons of a shape, from back to front. shape: a name in NAMED_SHAPES, else in POLYGONS."""
    return NAMED_SHAPES[shape] if shape in NAMED_SHAPES else POLYGONS[shape]


def plural(shape: str) -> str:
    """The plural of the shape's name."""
    return shape + ("es" if shape.endswith("s") else "s")
