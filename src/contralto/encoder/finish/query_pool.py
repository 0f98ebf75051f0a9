"""A ViT that pools by a learned query (SigLIP): the last norm, the pool with its MLP, the head if there is one.

The grid is what the last block gives: the class token if the tower has one, then the cells.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from contralto.architecture import ViT
from contralto.encoder.finish import layers
from contralto.encoder.finish.base import LastAttention
from contralto.encoder.finish.layers import FinishWeights, Numbers
from contralto.encoder.finish.one_query import OneQuery

POOL = "image.pool"


@dataclass(frozen=True)
class QueryPoolFinish:
    """See `Finish`. A cell's vector is its own value's way through the pool."""

    weights: FinishWeights
    tower: ViT
    places: tuple[int, int]
    ways: ClassVar[tuple[str, ...]] = ("plain",)

    def embed(self, grid: Numbers) -> Numbers:
        _, values = self._query.attend(self._q, self._norm_post(grid))
        return self._embed(self._out(values))

    def gradient(self, grid: Numbers, direction: Numbers) -> Numbers:
        y = self._norm_post(grid)
        attention, values = self._query.attend(self._q, y)
        by_values = self._back_to_values(values, direction)
        _, by_y = self._query.back(self._q, y, attention, by_values)
        return layers.norm_back(self.weights, "image.norm_post", grid, self.tower.norm_eps, by_y)

    def attention(self, grid: Numbers, direction: Numbers) -> LastAttention:
        y = self._norm_post(grid)
        attention, values = self._query.attend(self._q, y)
        gradient = self._query.attention_gradient(y, self._back_to_values(values, direction))
        first, shape = len(grid) - self.places[0] * self.places[1], (self.tower.heads, *self.places)
        return LastAttention(attention[:, first:].reshape(shape), gradient[:, first:].reshape(shape))

    def cells(self, grid: Numbers, how: str) -> Numbers:
        y = self._norm_post(grid[-self.places[0] * self.places[1] :])
        values = layers.linear(self.weights, f"{POOL}.v", y)
        return self._embed(self._out(values)).reshape(*self.places, -1)

    @property
    def _query(self) -> OneQuery:
        return OneQuery(self.weights, POOL, self.tower.heads)

    @property
    def _q(self) -> Numbers:
        """(W,): the same for all pictures."""
        return layers.linear(self.weights, f"{POOL}.q", self.weights[f"{POOL}.query"])

    def _norm_post(self, grid: Numbers) -> Numbers:
        return layers.norm(self.weights, "image.norm_post", grid, self.tower.norm_eps)

    def _out(self, values: Numbers) -> Numbers:
        return layers.linear(self.weights, f"{POOL}.out", values)

    def _refined(self, z: Numbers) -> Numbers:
        normed = layers.norm(self.weights, f"{POOL}.norm", z, self.tower.norm_eps)
        return z + layers.mlp(self.weights, f"{POOL}.mlp", self.tower.activation, normed)

    def _embed(self, z: Numbers) -> Numbers:
        return layers.head(self.weights, self.tower.head, self._refined(z))

    def _back_to_values(self, values: Numbers, direction: Numbers) -> Numbers:
        """The gradient (W,) with respect to the mixed values."""
        weights, eps = self.weights, self.tower.norm_eps
        z = self._out(values)
        by_w = layers.head_back(weights, self.tower.head, self._refined(z), direction)
        normed = layers.norm(weights, f"{POOL}.norm", z, eps)
        by_mlp = layers.mlp_back(weights, f"{POOL}.mlp", self.tower.activation, normed, by_w)
        by_z = by_w + layers.norm_back(weights, f"{POOL}.norm", z, eps, by_mlp)
        return layers.linear_back(weights, f"{POOL}.out", by_z)
