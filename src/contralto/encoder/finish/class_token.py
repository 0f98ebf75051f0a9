"""A ViT that pools its class token: the last block, the last norm, the head.

The grid is what enters the last block: the class token, prompts if there are any, then the cells. Only the class token
asks in the last block, so the way back is short.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from contralto.architecture import ViT
from contralto.encoder.finish import dense, layers
from contralto.encoder.finish.base import LastAttention
from contralto.encoder.finish.layers import FinishWeights, Numbers
from contralto.encoder.finish.one_query import OneQuery


@dataclass(frozen=True)
class ClassTokenFinish:
    """See `Finish`."""

    weights: FinishWeights
    tower: ViT
    places: tuple[int, int]
    ways: ClassVar[tuple[str, ...]] = dense.WAYS

    def embed(self, grid: Numbers) -> Numbers:
        y = self._norm("norm1", grid)
        _, values = self._query.attend(self._q(y), y)
        z = grid[0] + self._out(values)
        return self._embed(self._refined(z))

    def gradient(self, grid: Numbers, direction: Numbers) -> Numbers:
        y = self._norm("norm1", grid)
        q = self._q(y)
        attention, values = self._query.attend(q, y)
        by_z = self._back_to_residual(grid[0] + self._out(values), direction)
        by_values = layers.linear_back(self.weights, f"{self._block}.attention.out", by_z)
        by_q, by_y = self._query.back(q, y, attention, by_values)
        by_y[0] += layers.linear_back(self.weights, f"{self._block}.attention.q", by_q)
        by_grid = layers.norm_back(self.weights, f"{self._block}.norm1", grid, self.tower.norm_eps, by_y)
        by_grid[0] += by_z
        return by_grid

    def attention(self, grid: Numbers, direction: Numbers) -> LastAttention:
        y = self._norm("norm1", grid)
        attention, values = self._query.attend(self._q(y), y)
        by_z = self._back_to_residual(grid[0] + self._out(values), direction)
        by_values = layers.linear_back(self.weights, f"{self._block}.attention.out", by_z)
        gradient, shape = self._query.attention_gradient(y, by_values), (self.tower.heads, *self.places)
        first = len(grid) - self.places[0] * self.places[1]
        return LastAttention(attention[:, first:].reshape(shape), gradient[:, first:].reshape(shape))

    def cells(self, grid: Numbers, how: str) -> Numbers:
        y = self._norm("norm1", grid)
        q, k, v = (layers.linear(self.weights, f"{self._block}.attention.{part}", y) for part in "qkv")
        attended = self._out(dense.mixed_values(how, q, k, v, self.tower.heads, self.places))
        if how not in dense.REDUCED:
            attended = self._refined(grid[-len(attended) :] + attended)
        return self._embed(attended).reshape(*self.places, -1)

    @property
    def _block(self) -> str:
        return f"image.blocks.{self.tower.layers - 1}"

    @property
    def _query(self) -> OneQuery:
        return OneQuery(self.weights, f"{self._block}.attention", self.tower.heads)

    def _norm(self, name: str, x: Numbers) -> Numbers:
        return layers.norm(self.weights, f"{self._block}.{name}", x, self.tower.norm_eps)

    def _q(self, y: Numbers) -> Numbers:
        """(W,): what the class token asks."""
        return layers.linear(self.weights, f"{self._block}.attention.q", y[0])

    def _out(self, values: Numbers) -> Numbers:
        return layers.linear(self.weights, f"{self._block}.attention.out", values)

    def _refined(self, z: Numbers) -> Numbers:
        """(..., W): z and what the MLP adds."""
        return z + layers.mlp(self.weights, f"{self._block}.mlp", self.tower.activation, self._norm("norm2", z))

    def _embed(self, w: Numbers) -> Numbers:
        """(..., W) -> (..., E): the last norm and the head."""
        normed = layers.norm(self.weights, "image.norm_post", w, self.tower.norm_eps)
        return layers.head(self.weights, self.tower.head, normed)

    def _back_to_residual(self, z: Numbers, direction: Numbers) -> Numbers:
        """The gradient (W,) with respect to z, the class token after the attention."""
        weights, eps = self.weights, self.tower.norm_eps
        w = self._refined(z)
        by_w = layers.head_back(weights, self.tower.head, layers.norm(weights, "image.norm_post", w, eps), direction)
        by_w = layers.norm_back(weights, "image.norm_post", w, eps, by_w)
        by_mlp = layers.mlp_back(weights, f"{self._block}.mlp", self.tower.activation, self._norm("norm2", z), by_w)
        return by_w + layers.norm_back(weights, f"{self._block}.norm2", z, eps, by_mlp)
