"""Where is it? Scenes of several shapes, small and large, whose boxes are known from the painted polygons."""

from __future__ import annotations

from typing import Final

import numpy as np

from contralto.data.scenes import SCENE_COLOURS
from contralto.sets.data_set import Class, TrueBox
from contralto.sets.drawn.description import (
    DrawnScene,
    DrawnShape,
    different_shapes,
    random_background,
    random_positions,
    random_shape,
)
from contralto.sets.drawn.paint import painted_box
from contralto.sets.drawn.shapes import FAMILIES, NAMED_SHAPES

SHAPE_CLASSES: Final = tuple(Class(name) for name in NAMED_SHAPES)
"""Things are asked for by shape alone: with colours in the names the classes would have a dozen things each, and the
colour alone would point at most of them."""

RADII: Final = (0.05, 0.27)
MAX_SQUARED_RADII: Final = 0.09  # sum over the shapes, which leaves room to place them


def location(index: int, random: np.random.Generator) -> DrawnScene:
    """Two to four shapes of different families; their sizes are even on a logarithmic scale."""
    count = 2 + index % 3
    radii = np.full(count, np.inf)
    while (radii**2).sum() > MAX_SQUARED_RADII:
        radii = np.exp(random.uniform(np.log(RADII[0]), np.log(RADII[1]), count))
    colours = random.choice(list(SCENE_COLOURS), count).tolist()
    looks = zip(
        different_shapes(random, count), colours, random_positions(random, radii.tolist()), radii.tolist(), strict=True
    )
    return DrawnScene(random_background(random), tuple(random_shape(random, *one) for one in looks))


def true_boxes(scene: DrawnScene) -> tuple[TrueBox, ...]:
    """The box of each shape, from back to front; its label is its place in SHAPE_CLASSES."""
    names = list(NAMED_SHAPES)
    shapes = [part for part in scene.parts if isinstance(part, DrawnShape)]
    return tuple(TrueBox(names.index(one.shape), painted_box(one)) for one in shapes)


def unclear(boxes: tuple[TrueBox, ...]) -> tuple[int, ...]:
    """The classes that are not there but whose names would do for a shape that is, such as "circle" for a ball."""
    names, shown = list(NAMED_SHAPES), {one.label for one in boxes}
    families = [{names.index(name) for name in family} for family in FAMILIES]
    return tuple(sorted({label for family in families if family & shown for label in family - shown}))
