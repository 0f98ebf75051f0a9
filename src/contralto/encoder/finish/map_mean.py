"""EfficientNet (nano), ConvNeXt and FastViT: the mean over the map (C, h, w), ConvNeXt's norm, the head.

With softmax units in the head (nano), the embedding is not linear in the mean: a picture's vector is not the mean of
its cells' vectors.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from contralto.architecture import ConvNeXt, EfficientNet, FastViT
from contralto.encoder.finish import layers
from contralto.encoder.finish.layers import FinishWeights, Numbers


@dataclass(frozen=True)
class MapMeanFinish:
    """See `Finish`. A cell's vector is what the picture's would be if all cells were like it (Zhou et al. 2016)."""

    weights: FinishWeights
    tower: EfficientNet | ConvNeXt | FastViT
    places: tuple[int, int]
    ways: ClassVar[tuple[str, ...]] = ("plain",)

    def embed(self, grid: Numbers) -> Numbers:
        return self._embed(grid.mean((1, 2)))

    def gradient(self, grid: Numbers, direction: Numbers) -> Numbers:
        mean = grid.mean((1, 2))
        by_mean = layers.head_back(self.weights, self.tower.head, self._normed(mean), direction)
        if isinstance(self.tower, ConvNeXt):
            by_mean = layers.norm_back(self.weights, "image.norm_post", mean, self.tower.norm_eps, by_mean)
        by_cell = by_mean / (grid.shape[1] * grid.shape[2])
        return np.broadcast_to(by_cell[:, None, None], grid.shape).copy()

    def attention(self, grid: Numbers, direction: Numbers) -> None:
        return None

    def cells(self, grid: Numbers, how: str) -> Numbers:
        return self._embed(grid.transpose(1, 2, 0))

    def _normed(self, x: Numbers) -> Numbers:
        if isinstance(self.tower, ConvNeXt):
            return layers.norm(self.weights, "image.norm_post", x, self.tower.norm_eps)
        return x

    def _embed(self, x: Numbers) -> Numbers:
        """(..., C) -> (..., E)."""
        return layers.head(self.weights, self.tower.head, self._normed(x))
