"""The result of `explain`."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from contralto.apply import maps
from contralto.image.seen import Area

Method = Literal["relevance", "gradcam", "cells", "occlusion", "rise"]
METHODS: Final[tuple[Method, ...]] = ("relevance", "gradcam", "cells", "occlusion", "rise")


class WordEffect(NamedTuple):
    """A word and the cosine that the text loses without it; None for the only word of a text."""

    word: str
    effect: float | None


@dataclass(frozen=True, eq=False)
class Explanation:
    """Where a picture speaks for a text, in cosines; see `explain`.

    grid: float32 (rows, columns), positive where the picture speaks for the text. area: the part of the upright
    picture, x0, y0, x1, y1 in pixels, that the grid covers; seen: the part that the tower saw. size: width and height
    of the upright picture. cosine: of the whole picture with the text. words: in the order of the text. sanity:
    Spearman correlation with the map of random weights, None if it was not asked for.
    """

    grid: NDArray[np.float32]
    area: Area
    seen: Area
    size: tuple[int, int]
    cosine: float
    method: Method
    words: list[WordEffect]
    sanity: float | None = None

    @functools.cached_property
    def map(self) -> NDArray[np.float32]:
        """float32 (height, width), as large as the picture: the grid, bilinear between its cells, 0 outside."""
        return maps.enlarged(self.grid, self.area, self.size)

    @property
    def peak(self) -> tuple[int, int] | None:
        """The pixel (x, y) in the middle of the cell that speaks most for the text; None if no cell does."""
        row, column = divmod(int(self.grid.argmax()), self.grid.shape[1])
        if self.grid[row, column] <= 0:
            return None
        return maps.centre((row, column), self.grid.shape, self.area, self.size)
