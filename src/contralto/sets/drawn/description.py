"""Descriptions of pictures before they are drawn. They determine which texts are true and which are false."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeVar

import numpy as np

from contralto.data.scenes import SCENE_COLOURS
from contralto.sets.drawn.shapes import FAMILIES

T = TypeVar("T")
Paint = tuple[int, int, int]

BACKGROUND_KINDS: tuple[Literal["plain", "room", "stripes"], ...] = ("plain", "room", "stripes")
MIN_DISTANCE = 1.25  # between the centres of two shapes, in units of the sum of their radii


@dataclass(frozen=True)
class Background:
    """The background: two pale tints, from top to bottom; in a room they meet at `line`. grain: seed of its texture."""

    kind: Literal["plain", "room", "stripes"]
    top: Paint
    bottom: Paint
    line: float
    grain: int


@dataclass(frozen=True)
class DrawnShape:
    """A coloured shape in a circle around (x, y). Lengths are shares of the picture's side; `turn` is in degrees."""

    shape: str
    colour: str
    x: float
    y: float
    radius: float
    turn: float = 0.0
    paint: Paint = (0, 0, 0)


@dataclass(frozen=True)
class DrawnClock:
    """A clock at a full hour, 1 to 12."""

    hour: int
    x: float
    y: float
    radius: float
    paint: Paint


@dataclass(frozen=True)
class DrawnWord:
    """A word centred at (x, y) in letters of `height`. panel: paint of its background, if any."""

    text: str
    x: float
    y: float
    height: float
    turn: float
    paint: Paint
    panel: Paint | None = None


@dataclass(frozen=True)
class DrawnScene:
    """All parts of a picture, from back to front."""

    background: Background
    parts: tuple[DrawnShape | DrawnClock | DrawnWord, ...]


@dataclass(frozen=True)
class ChoiceQuestion:
    """A scene with its true text and the false texts. groups: attributes by which results are grouped."""

    scene: DrawnScene
    true: str
    others: tuple[str, ...]
    groups: Mapping[str, str] = field(default_factory=dict)


def one_of(random: np.random.Generator, options: Sequence[T]) -> T:
    """One of the options, with equal probability."""
    return options[int(random.integers(len(options)))]


def some_of(random: np.random.Generator, options: Sequence[T], count: int) -> list[T]:
    """`count` different options, in random order."""
    return [options[int(place)] for place in random.permutation(len(options))[:count]]


def different_shapes(random: np.random.Generator, count: int) -> list[str]:
    """`count` shapes (up to 7) of different families, so that their names are not interchangeable."""
    return [one_of(random, family) for family in some_of(random, FAMILIES, count)]


def random_background(random: np.random.Generator) -> Background:
    """A random background, so pale and grey that it differs from every colour."""

    def tint() -> Paint:
        red, green, blue = (int(part) for part in random.integers(195, 240) + random.integers(-9, 10, 3))
        return red, green, blue

    return Background(
        one_of(random, BACKGROUND_KINDS), tint(), tint(), random.uniform(0.4, 0.75), int(random.integers(2**31))
    )


def random_shape(
    random: np.random.Generator, shape: str, colour: str, place: tuple[float, float], radius: float
) -> DrawnShape:
    """A shape with a random shade of the colour and a slight random turn."""
    return DrawnShape(shape, colour, *place, radius, random.uniform(-12, 12), random_paint(random, colour))


def random_paint(random: np.random.Generator, colour: str) -> Paint:
    """A random shade of the colour."""
    red, green, blue = (int(part) for part in np.clip(SCENE_COLOURS[colour] + random.integers(-18, 19, 3), 0, 255))
    return red, green, blue


def random_positions(random: np.random.Generator, radii: Sequence[float]) -> list[tuple[float, float]]:
    """Random centres for shapes of these radii: within the picture, without contact."""
    places: list[tuple[float, float]] = []
    tries = 0
    while len(places) < len(radii):
        radius = radii[len(places)]
        x, y = (random.uniform(0.03 + radius, 0.97 - radius) for _ in range(2))
        apart = (
            np.hypot(x - px, y - py) > MIN_DISTANCE * (radius + r) for (px, py), r in zip(places, radii, strict=False)
        )
        if all(apart):
            places.append((x, y))
        tries += 1
        if tries % 200 == 0:  # the first centres may leave no room: start again
            places.clear()
    return places


def with_article(words: str) -> str:
    """The words with "a" or "an"."""
    return ("an " if words[0] in "aeiou" else "a ") + words
