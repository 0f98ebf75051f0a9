"""A fake model whose tower sees colours: a grid of 4 x 4 cells, each with the row of its mean colour."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
from PIL import Image, ImageDraw
from support.fake_clip import COLOURS, FakeClip

GRID = 4
GROUND = (120, 120, 120)


class ColourCells(FakeClip):
    """Counts the pictures that its tower has read in `read`."""

    def __init__(self, seen: tuple[float, float, float, float] | None = None) -> None:
        """seen: the part of a picture of the tower's size that the grid covers; None: all of it."""
        super().__init__()
        self.read = 0
        height, width = self.contract.image.size
        self.grids = SimpleNamespace(area=lambda size: seen or (0.0, 0.0, float(width), float(height)))
        self._seen = seen

    def cells(self, items: Any) -> np.ndarray:
        self.read += len(items)
        return np.stack([self._cells(item) for item in items])

    def _cells(self, item: Image.Image) -> np.ndarray:
        assert item.size == self.contract.image.size[::-1]
        means = np.asarray(item.resize((GRID, GRID), Image.Resampling.BOX, box=self._seen)).astype(np.float64)
        return np.stack([[self._row(colour) for colour in row] for row in means])


def scene(size: tuple[int, int], *things: tuple[str, tuple[int, int, int, int]]) -> Image.Image:
    """A grey picture with rectangles: (colour, (x0, y0, x1, y1))."""
    picture = Image.new("RGB", size, GROUND)
    for colour, (x0, y0, x1, y1) in things:
        ImageDraw.Draw(picture).rectangle((x0, y0, x1 - 1, y1 - 1), fill=COLOURS[colour])
    return picture
