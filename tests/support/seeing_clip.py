"""A stand-in for a Clip that sees places by their colour, and a detector of coloured rectangles."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from PIL import Image
from support.fake_clip import COLOURS, FakeClip

from contralto.apply.detect.box import Box
from contralto.sets.data_set import Class, DataSet, Item, TrueBox

SIDE, CELLS = 64, 8
SHOWN = ("red", "blue", "green")


class WholeArea(NamedTuple):
    """The tower sees all of a picture."""

    def area(self, size: tuple[int, int]) -> tuple[float, float, float, float]:
        return 0.0, 0.0, float(size[0]), float(size[1])


class SeeingClip(FakeClip):
    """Its cells are 8 x 8 mean colours."""

    grids, feature_width = WholeArea(), 3

    def engine_report(self) -> None: ...

    def too_long(self, texts: Any) -> list[int]:
        return []

    def cells(self, picture: Image.Image) -> np.ndarray:
        small = np.asarray(picture.resize((CELLS, CELLS), Image.Resampling.BOX), float)
        return np.stack([[self._row(pixel) for pixel in row] for row in small])


def rectangles(*things: tuple[str, tuple[int, int, int, int]]) -> np.ndarray:
    """A white picture with coloured rectangles."""
    pixels = np.full((SIDE, SIDE, 3), 250, np.uint8)
    for colour, (x0, y0, x1, y1) in things:
        pixels[y0:y1, x0:x1] = COLOURS[colour]
    return pixels


def boxed_set(*pictures: list[tuple[str, tuple[int, int, int, int]]], **changes: Any) -> DataSet:
    """A set of boxes whose things are painted where they are."""
    items = [
        Item(f"item {i}", rectangles(*things), boxes=tuple(TrueBox(SHOWN.index(name), box) for name, box in things))
        for i, things in enumerate(pictures)
    ]
    made = DataSet("boxed", "test", "boxes", "ap50", items, tuple(map(Class, SHOWN)))
    return DataSet(**{**vars(made), **changes})


class ColourDetector:
    """In the place of `contralto.apply.detect.run.detector`: the box of a colour, moved by `shift`. Records calls."""

    def __init__(self, shift: int = 0, also: tuple[Box, ...] = ()) -> None:
        self.shift, self.also, self.calls = shift, also, []

    def __call__(self, clip: Any, labels: Any, **given: Any) -> Any:
        self.calls.append((labels, given))

        def find(picture: Image.Image) -> list[Box]:
            pixels, boxes = np.asarray(picture, int), [one for one in self.also if one.label in labels]
            for score, name in enumerate(labels, 1):
                rows, columns = np.nonzero(np.abs(pixels - COLOURS[name]).max(axis=2) < 5)
                if len(rows):
                    box = columns.min() + self.shift, rows.min(), columns.max() + 1 + self.shift, rows.max() + 1
                    boxes.append(Box(name, 0.5 + score / 100, tuple(map(float, box))))
            return sorted(boxes, key=lambda one: -one.score)

        return find
