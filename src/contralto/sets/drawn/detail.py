"""Questions about detail: what is small, and what differs little."""

from __future__ import annotations

import numpy as np

from contralto.data.scenes import SCENE_COLOURS
from contralto.sets.drawn.description import (
    ChoiceQuestion,
    DrawnClock,
    DrawnScene,
    DrawnShape,
    a,
    ground,
    one_of,
    paint,
    some_of,
    thing,
)
from contralto.sets.drawn.shapes import FLAT_SHAPES, POLYGONS

SHARES = (2, 4, 8, 16)  # the side divided by these
HOURS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")


def small(index: int, random: np.random.Generator) -> ChoiceQuestion:
    """Which shape? One of eight, whose circle is 1/2, 1/4, 1/8 or 1/16 of the side across."""
    share, shape = SHARES[index % len(SHARES)], tuple(FLAT_SHAPES)[index // len(SHARES) % len(FLAT_SHAPES)]
    colour, radius = one_of(random, tuple(SCENE_COLOURS)), 0.5 / share
    x, y = random.uniform(radius + 0.02, 0.98 - radius, 2)
    parts = (thing(random, shape, colour, (x, y), radius),)
    others = tuple(f"a picture of {a(f'{colour} {other}')}" for other in FLAT_SHAPES if other != shape)
    true = f"a picture of {a(f'{colour} {shape}')}"
    return ChoiceQuestion(DrawnScene(ground(random), parts), true, others, {"share": f"1/{share}"})


def fine(index: int, random: np.random.Generator) -> ChoiceQuestion:
    """How many corners has a polygon, 3 to 8? Or which hour does a clock show, of six hours?"""
    return _polygon(index // 2, random) if index % 2 == 0 else _clock(index // 2, random)


def _polygon(index: int, random: np.random.Generator) -> ChoiceQuestion:
    shape, colour = tuple(POLYGONS)[index % len(POLYGONS)], one_of(random, tuple(SCENE_COLOURS))
    radius, (x, y) = random.uniform(0.22, 0.38), random.uniform(0.42, 0.58, 2)
    parts = (DrawnShape(shape, colour, x, y, radius, random.uniform(0, 360), paint(random, colour)),)
    others = tuple(f"a picture of {a(other)}" for other in POLYGONS if other != shape)
    return ChoiceQuestion(DrawnScene(ground(random), parts), f"a picture of {a(shape)}", others, {"of": "polygon"})


def _clock(index: int, random: np.random.Generator) -> ChoiceQuestion:
    hour, (x, y) = index % 12 + 1, random.uniform(0.44, 0.56, 2)
    parts = (DrawnClock(hour, x, y, random.uniform(0.28, 0.4), paint(random, one_of(random, tuple(SCENE_COLOURS)))),)
    false = some_of(random, [name for place, name in enumerate(HOURS, 1) if place != hour], 5)
    true, *others = (f"a clock that shows {name} o'clock" for name in (HOURS[hour - 1], *false))
    return ChoiceQuestion(DrawnScene(ground(random), parts), true, tuple(others), {"of": "clock"})
