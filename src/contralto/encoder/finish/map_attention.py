"""CLIP's ResNets: the attention pool. The mean of the cells asks; the mean and all cells answer.

The grid is the map (C, h, w) that the pool reads. The output projection is part of the pool, so there is no head.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from contralto.architecture import ResNet
from contralto.encoder.finish import layers
from contralto.encoder.finish.base import LastAttention
from contralto.encoder.finish.layers import FinishWeights, Numbers
from contralto.encoder.finish.one_query import OneQuery

POOL = "image.pool"


@dataclass(frozen=True)
class MapAttentionFinish:
    """See `Finish`. A cell's vector is its own value's way through the pool (Zhou et al. 2022, arXiv 2112.01071)."""

    weights: FinishWeights
    tower: ResNet
    places: tuple[int, int]
    ways: ClassVar[tuple[str, ...]] = ("plain",)

    def embed(self, grid: Numbers) -> Numbers:
        tokens = self._tokens(grid)
        _, values = self._query.attend(self._q(tokens), tokens)
        return layers.linear(self.weights, f"{POOL}.out", values)

    def gradient(self, grid: Numbers, direction: Numbers) -> Numbers:
        tokens = self._tokens(grid)
        q, by_values = self._q(tokens), layers.linear_back(self.weights, f"{POOL}.out", direction)
        attention, _ = self._query.attend(q, tokens)
        by_q, by_tokens = self._query.back(q, tokens, attention, by_values)
        by_tokens[0] += layers.linear_back(self.weights, f"{POOL}.q", by_q)
        by_cells: Numbers = by_tokens[1:] + by_tokens[0] / (len(tokens) - 1)  # the first token is the mean of the cells
        return by_cells.T.reshape(grid.shape)

    def attention(self, grid: Numbers, direction: Numbers) -> LastAttention:
        tokens, shape = self._tokens(grid), (self.tower.heads, *self.places)
        attention, _ = self._query.attend(self._q(tokens), tokens)
        by_values = layers.linear_back(self.weights, f"{POOL}.out", direction)
        gradient = self._query.attention_gradient(tokens, by_values)
        return LastAttention(attention[:, 1:].reshape(shape), gradient[:, 1:].reshape(shape))

    def cells(self, grid: Numbers, how: str) -> Numbers:
        values = layers.linear(self.weights, f"{POOL}.v", self._tokens(grid)[1:])
        return layers.linear(self.weights, f"{POOL}.out", values).reshape(*self.places, -1)

    @property
    def _query(self) -> OneQuery:
        return OneQuery(self.weights, POOL, self.tower.heads)

    def _tokens(self, grid: Numbers) -> Numbers:
        """(1 + cells, C): the mean of the cells, then the cells, each with its position."""
        cells = grid.reshape(len(grid), -1).T
        tokens: Numbers = np.concatenate([cells.mean(0, keepdims=True), cells]) + self.weights[f"{POOL}.positions"]
        return tokens

    def _q(self, tokens: Numbers) -> Numbers:
        return layers.linear(self.weights, f"{POOL}.q", tokens[0])
