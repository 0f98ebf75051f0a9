"""What is drawn, before it is drawn: frozen descriptions, from which texts are known to be true or false."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeVar

import numpy as np

from contralto.data.scenes import SCENE_COLOURS
from contralto.sets.drawn.shapes import FAMILIES

T = TypeVar("T")
Paint = tuple[int, int, int]

GROUNDS: tuple[Literal["plain", "room", "stripes"], ...] = ("plain", "room", "stripes")
HALO = 1.25  # things keep this times the sum of their radii apart


@dataclass(frozen=True)
class Background:
    """What lies behind: two pale tints, from top to bottom, meeting at `line` in a room. grain: seed of its texture."""

    kind: Literal["plain", "room", "stripes"]
    top: Paint
    bottom: Paint
    line: float
    grain: int


@dataclass(frozen=True)
class DrawnShape:
    """A coloured shape within a circle about (x, y). Lengths are shares of the side, `turn` is in degrees."""

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
    """A word about (x, y) in letters of `height`, on a panel if it has a paint."""

    text: str
    x: float
    y: float
    height: float
    turn: float
    paint: Paint
    panel: Paint | None = None


@dataclass(frozen=True)
class DrawnScene:
    """Everything in a picture, from back to front."""

    ground: Background
    parts: tuple[DrawnShape | DrawnClock | DrawnWord, ...]


@dataclass(frozen=True)
class ChoiceQuestion:
    """A scene, the text that is true of it, and those that are not. groups: what its answers may be counted by."""

    scene: DrawnScene
    true: str
    others: tuple[str, ...]
    groups: Mapping[str, str] = field(default_factory=dict)


def one_of(random: np.random.Generator, options: Sequence[T]) -> T:
    """One of the options, with equal chance."""
    return options[int(random.integers(len(options)))]


def some_of(random: np.random.Generator, options: Sequence[T], count: int) -> list[T]:
    """`count` different options, in an order that is drawn."""
    return [options[int(place)] for place in random.permutation(len(options))[:count]]


def unlike(random: np.random.Generator, count: int) -> list[str]:
    """`count` shapes (up to 7) of different families, so that none is taken for another."""
    return [one_of(random, family) for family in some_of(random, FAMILIES, count)]


def ground(random: np.random.Generator) -> Background:
    """A ground so pale and grey that no colour is taken for it."""

    def tint() -> Paint:
        red, green, blue = (int(part) for part in random.integers(195, 240) + random.integers(-9, 10, 3))
        return red, green, blue

    return Background(one_of(random, GROUNDS), tint(), tint(), random.uniform(0.4, 0.75), int(random.integers(2**31)))


def thing(
    random: np.random.Generator, shape: str, colour: str, place: tuple[float, float], radius: float
) -> DrawnShape:
    """A thing with all that no text tells drawn: the exact paint, and a slight turn."""
    return DrawnShape(shape, colour, *place, radius, random.uniform(-12, 12), paint(random, colour))


def paint(random: np.random.Generator, colour: str) -> Paint:
    """A shade of the colour."""
    red, green, blue = (int(part) for part in np.clip(SCENE_COLOURS[colour] + random.integers(-18, 19, 3), 0, 255))
    return red, green, blue


def scattered(random: np.random.Generator, radii: Sequence[float]) -> list[tuple[float, float]]:
    """Places for things of these radii: within the picture, and none touching another."""
    places: list[tuple[float, float]] = []
    tries = 0
    while len(places) < len(radii):
        radius = radii[len(places)]
        x, y = (random.uniform(0.03 + radius, 0.97 - radius) for _ in range(2))
        apart = (np.hypot(x - px, y - py) > HALO * (radius + r) for (px, py), r in zip(places, radii, strict=False))
        if all(apart):
            places.append((x, y))
        tries += 1
        if tries % 200 == 0:  # an unlucky beginning leaves no room: begin again
            places.clear()
    return places


def a(words: str) -> str:
    """The words with "a" or "an"."""
    return ("an " if words[0] in "aeiou" else "a ") + words
