"""A ViT that pools the mean of its patches (CLIPA): the mean, the last norm, the head.

The grid is what the last block gives: the class token if the tower has one, then the cells.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from contralto.architecture import ViT
from contralto.encoder.finish import layers
from contralto.encoder.finish.layers import FinishWeights, Numbers


@dataclass(frozen=True)
class PatchMeanFinish:
    """See `Finish`. A cell's vector is what the picture's would be if all cells were like it."""

    weights: FinishWeights
    tower: ViT
    places: tuple[int, int]
    ways: ClassVar[tuple[str, ...]] = ("plain",)

    def embed(self, grid: Numbers) -> Numbers:
        return self._embed(self._cells(grid).mean(0))

    def gradient(self, grid: Numbers, direction: Numbers) -> Numbers:
        cells = self._cells(grid)
        mean, eps = cells.mean(0), self.tower.norm_eps
        normed = layers.norm(self.weights, "image.norm_post", mean, eps)
        by_normed = layers.head_back(self.weights, self.tower.head, normed, direction)
        by_mean = layers.norm_back(self.weights, "image.norm_post", mean, eps, by_normed)
        by_grid = np.zeros_like(grid)
        by_grid[-len(cells) :] = by_mean / len(cells)
        return by_grid

    def attention(self, grid: Numbers, direction: Numbers) -> None:
        return None

    def cells(self, grid: Numbers, how: str) -> Numbers:
        return self._embed(self._cells(grid)).reshape(*self.places, -1)

    def _cells(self, grid: Numbers) -> Numbers:
        return grid[-self.places[0] * self.places[1] :]

    def _embed(self, x: Numbers) -> Numbers:
        """(..., W) -> (..., E)."""
        normed = layers.norm(self.weights, "image.norm_post", x, self.tower.norm_eps)
        return layers.head(self.weights, self.tower.head, normed)
