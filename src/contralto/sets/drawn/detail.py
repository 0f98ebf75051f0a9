"""Questions about detail: small shapes, and small differences."""

from __future__ import annotations

import numpy as np

from contralto.data.scenes import SCENE_COLOURS
from contralto.sets.drawn.description import (
    ChoiceQuestion,
    DrawnClock,
    DrawnScene,
    DrawnShape,
    one_of,
    random_background,
    random_paint,
    random_shape,
    some_of,
    with_article,
)
from contralto.sets.drawn.shapes import FLAT_SHAPES, POLYGONS

SIDE_DIVISORS = (2, 4, 8, 16)  # side of the picture / diameter of the shape
HOURS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")


def small(index: int, random: np.random.Generator) -> ChoiceQuestion:
    """Which shape? One of eight, in a circle with a diameter of 1/2, 1/4, 1/8 or 1/16 of the side."""
    divisor = SIDE_DIVISORS[index % len(SIDE_DIVISORS)]
    shape = tuple(FLAT_SHAPES)[index // len(SIDE_DIVISORS) % len(FLAT_SHAPES)]
    colour, radius = one_of(random, tuple(SCENE_COLOURS)), 0.5 / divisor
    x, y = random.uniform(radius + 0.02, 0.98 - radius, 2)
    parts = (random_shape(random, shape, colour, (x, y), radius),)
    others = tuple(f"a picture of {with_article(f'{colour} {other}')}" for other in FLAT_SHAPES if other != shape)
    true = f"a picture of {with_article(f'{colour} {shape}')}"
    return ChoiceQuestion(DrawnScene(random_background(random), parts), true, others, {"share": f"1/{divisor}"})


def fine(index: int, random: np.random.Generator) -> ChoiceQuestion:
    """How many corners does a polygon have, 3 to 8? Or which of six hours does a clock show?"""
    return _polygon(index // 2, random) if index % 2 == 0 else _clock(index // 2, random)


def _polygon(index: int, random: np.random.Generator) -> ChoiceQuestion:
    shape, colour = tuple(POLYGONS)[index % len(POLYGONS)], one_of(random, tuple(SCENE_COLOURS))
    radius, (x, y) = random.uniform(0.22, 0.38), random.uniform(0.42, 0.58, 2)
    parts = (DrawnShape(shape, colour, x, y, radius, random.uniform(0, 360), random_paint(random, colour)),)
    others = tuple(f"a picture of {with_article(other)}" for other in POLYGONS if other != shape)
    return ChoiceQuestion(
        DrawnScene(random_background(random), parts), f"a picture of {with_article(shape)}", others, {"of": "polygon"}
    )


def _clock(index: int, random: np.random.Generator) -> ChoiceQuestion:
    hour, (x, y) = index % 12 + 1, random.uniform(0.44, 0.56, 2)
    parts = (
        DrawnClock(hour, x, y, random.uniform(0.28, 0.4), random_paint(random, one_of(random, tuple(SCENE_COLOURS)))),
    )
    false = some_of(random, [name for place, name in enumerate(HOURS, 1) if place != hour], 5)
    true, *others = (f"a clock that shows {name} o'clock" for name in (HOURS[hour - 1], *false))
    return ChoiceQuestion(DrawnScene(random_background(random), parts), true, tuple(others), {"of": "clock"})
