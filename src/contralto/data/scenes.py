"""Scenes drawn by code, with true captions: coloured shapes of two sizes, alone, counted, placed, or in pairs.

They need no external data, and combinations can be held out: training never shows some colours with some shapes, so a
model that names them generalises (zero-shot). A scene is a function of (seed, index). Read `Scenes`, the hold-out rule
(`is_new`), the texts (`prompts`, `captions`), then `draw`; `scene_outlines.py` draws the shapes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np
from PIL import Image, ImageDraw

from contralto.data.sample import Sample
from contralto.data.scene_outlines import OUTLINES

SCENE_SIDE = 96  # pixels; larger than a small tower's input, so that its resize smooths the edges
SCENE_COLOURS = {
    "red": (215, 35, 35), "orange": (245, 140, 20), "yellow": (240, 215, 30), "green": (40, 150, 60),
    "blue": (40, 80, 215), "purple": (130, 50, 170), "pink": (245, 130, 185), "black": (25, 25, 25),
}  # fmt: skip
SCENE_SHAPES = ("circle", "square", "triangle", "diamond", "star", "cross", "ring", "heart")
SCENE_COUNTS = ("one", "two", "three", "four")
SCENE_PLACES = {
    "top left": (0.24, 0.24), "top right": (0.76, 0.24), "bottom left": (0.24, 0.76), "bottom right": (0.76, 0.76),
    "middle": (0.5, 0.5),
}  # fmt: skip
SCENE_RELATIONS = {"left of": (-1, 0), "right of": (1, 0), "above": (0, -1), "below": (0, 1)}

T = TypeVar("T")
SceneKind = Literal["alone", "counted", "placed", "pair"]
SCENE_KINDS: tuple[SceneKind, ...] = ("alone", "counted", "placed", "pair")


@dataclass(frozen=True)
class Scene:
    """A description of a picture. things: (colour, shape, size) each; detail: the count, the place or the relation."""

    kind: SceneKind
    things: tuple[tuple[str, str, str], ...]
    detail: str = ""


class Scenes:
    """`count` scenes of the given kinds. A `Source`; labels are indices of `prompts(kind)`.

    held_out=False: only scenes that training may show. True: only scenes with a new combination (`combination_is_new`).
    """

    def __init__(self, count: int, seed: int, kinds: Sequence[SceneKind] = SCENE_KINDS, held_out: bool = False) -> None:
        self.name, self.skipped = "scenes", dict[str, int]()
        self._count, self._seed, self._kinds, self._held_out = count, seed, tuple(kinds), held_out

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> Sample:
        if not 0 <= index < self._count:
            raise IndexError(index)
        random = np.random.default_rng((self._seed, index))
        scene = self.scene(random)
        return Sample(draw(scene, random), captions(scene, random), f"scene {index}", label(scene))

    def scene(self, random: np.random.Generator) -> Scene:
        """A random scene that belongs to the training or held-out scenes, as `held_out` says."""
        kind = _one_of(random, self._kinds)
        while True:
            scene = _random_scene(kind, random)
            if combination_is_new(scene) if self._held_out else not is_new(scene):
                return scene


def is_new(scene: Scene) -> bool:
    """Whether the scene is held out of training.

    1/8 of the pairs colour x shape are held out, and for counted and placed scenes also 1/4 of count x shape and 1/5 of
    place x shape. Every colour, shape, count and place occurs in training.
    """
    return combination_is_new(Scene("pair", scene.things)) or combination_is_new(scene)


def combination_is_new(scene: Scene) -> bool:
    """Whether the pair that defines the scene's kind is held out: count x shape, place x shape, else colour x shape."""
    shape = scene.things[0][1]
    if scene.kind == "counted":
        return (SCENE_COUNTS.index(scene.detail) + SCENE_SHAPES.index(shape)) % 4 == 0
    if scene.kind == "placed":
        return (list(SCENE_PLACES).index(scene.detail) + SCENE_SHAPES.index(shape)) % 5 == 0
    return any((list(SCENE_COLOURS).index(c) + 3 * SCENE_SHAPES.index(s)) % 8 == 0 for c, s, _ in scene.things)


def prompts(kind: SceneKind) -> list[str]:
    """All texts that distinguish scenes of this kind: colour x shape, count x shape or place x shape."""
    if kind == "alone":
        return [f"a {colour} {shape}" for colour in SCENE_COLOURS for shape in SCENE_SHAPES]
    if kind == "counted":
        return [f"{count} {_plural(shape, count)}" for count in SCENE_COUNTS for shape in SCENE_SHAPES]
    if kind == "placed":
        return [f"a {shape} {_at(place)}" for place in SCENE_PLACES for shape in SCENE_SHAPES]
    raise ValueError("pairs have too many combinations for a list")


def label(scene: Scene) -> int | None:
    """The index of the scene in `prompts(scene.kind)`; None for pairs."""
    first = {"alone": list(SCENE_COLOURS), "counted": list(SCENE_COUNTS), "placed": list(SCENE_PLACES)}.get(scene.kind)
    if first is None:
        return None
    colour, shape, _ = scene.things[0]
    return first.index(colour if scene.kind == "alone" else scene.detail) * len(SCENE_SHAPES) + SCENE_SHAPES.index(
        shape
    )


def captions(scene: Scene, random: np.random.Generator) -> tuple[str, ...]:
    """Three true captions in different words. Details outside the scene's kind (colour, size) occur sometimes."""
    return tuple(_in_sentence(_phrase(scene, random), random) for _ in range(3))


def draw(scene: Scene, random: np.random.Generator) -> Image.Image:
    """The picture: SCENE_SIDE x SCENE_SIDE, RGB, on a pale background. Details outside the captions are random."""
    image = Image.new("RGB", (SCENE_SIDE, SCENE_SIDE), tuple(int(c) for c in random.integers(215, 256, 3)))
    pen = ImageDraw.Draw(image)
    for (x, y), (colour, shape, size) in zip(_centres(scene, random), scene.things, strict=True):
        room = 0.33 if scene.kind == "alone" else 0.2
        radius = SCENE_SIDE * room * (random.uniform(0.85, 1.0) if size == "large" else random.uniform(0.5, 0.6))
        paint = tuple(int(np.clip(c + random.integers(-20, 21), 0, 255)) for c in SCENE_COLOURS[colour])
        OUTLINES[shape](pen, x * SCENE_SIDE, y * SCENE_SIDE, radius, random.uniform(-0.17, 0.17), paint)
    return image


def _random_scene(kind: SceneKind, random: np.random.Generator) -> Scene:
    """A random scene of the kind, held out or not."""

    def thing() -> tuple[str, str, str]:
        return _one_of(random, tuple(SCENE_COLOURS)), _one_of(random, SCENE_SHAPES), _one_of(random, ("small", "large"))

    if kind == "counted":
        count = _one_of(random, SCENE_COUNTS)
        return Scene(kind, (thing(),) * (SCENE_COUNTS.index(count) + 1), count)
    if kind == "placed":
        return Scene(kind, (thing(),), _one_of(random, tuple(SCENE_PLACES)))
    if kind == "pair":
        first, second = thing(), thing()
        while first[:2] == second[:2]:
            second = thing()
        return Scene(kind, (first, second), _one_of(random, tuple(SCENE_RELATIONS)))
    return Scene(kind, (thing(),))


def _centres(scene: Scene, random: np.random.Generator) -> list[tuple[float, float]]:
    """The centres of the things, in shares of the side."""
    if scene.kind == "alone":
        return [(random.uniform(0.4, 0.6), random.uniform(0.4, 0.6))]
    if scene.kind == "placed":
        x, y = SCENE_PLACES[scene.detail]
        return [(x + random.uniform(-0.04, 0.04), y + random.uniform(-0.04, 0.04))]
    if scene.kind == "pair":
        dx, dy = SCENE_RELATIONS[scene.detail]
        x, y = (random.uniform(0.4, 0.6) if d == 0 else 0.5 for d in (dx, dy))
        return [(x + 0.25 * dx, y + 0.25 * dy), (x - 0.25 * dx, y - 0.25 * dy)]
    cells = random.permutation(4)[: len(scene.things)]
    return [tuple(0.26 + 0.48 * np.array([c % 2, c // 2]) + random.uniform(-0.04, 0.04, 2)) for c in cells]


def _phrase(scene: Scene, random: np.random.Generator) -> str:
    colour, shape, size = scene.things[0]
    big = _one_of(random, ("small", "little") if size == "small" else ("large", "big"))
    if scene.kind == "alone" and random.random() < 0.3:  # colours and shapes by themselves
        return _one_of(random, (f"something {colour}", _a(shape)))
    words = [big] if random.random() < 0.4 else []
    if scene.kind in ("alone", "pair") or random.random() < 0.6:
        words.append(colour)
    if scene.kind == "counted":
        number = _one_of(random, (scene.detail, str(SCENE_COUNTS.index(scene.detail) + 1)))
        return " ".join([number, *words, _plural(shape, scene.detail)])
    phrase = _a(" ".join([*words, shape]))
    if scene.kind == "placed":
        return f"{phrase} {_one_of(random, (_at(scene.detail), _at(scene.detail).replace('in the top', 'at the top')))}"
    if scene.kind == "pair":
        other = _a(" ".join(scene.things[1][:2]))
        relation = ("to the " if " of" in scene.detail and random.random() < 0.5 else "") + scene.detail
        return f"{phrase} {relation} {other}" if random.random() < 0.8 else f"{phrase} and {other}"
    return phrase


def _in_sentence(phrase: str, random: np.random.Generator) -> str:
    return _one_of(random, ("{}", "{}", "{}.", "a picture of {}", "a drawing of {}", "you see {}")).format(phrase)


def _at(place: str) -> str:
    return "in the middle" if place == "middle" else f"in the {place} corner"


def _a(words: str) -> str:
    return ("an " if words[0] in "aeiou" else "a ") + words


def _plural(shape: str, count: str) -> str:
    return shape if count == "one" else shape + ("es" if shape == "cross" else "s")


def _one_of(random: np.random.Generator, options: Sequence[T]) -> T:
    return options[int(random.integers(len(options)))]
