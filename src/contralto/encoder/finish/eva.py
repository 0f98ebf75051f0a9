"""EVA-02's Transformer: the last block with rotary positions, inner norms and gated MLP, the last norm, the head.

The grid is what enters the last block: the class token, then the cells. The class token does not turn; the keys of the
cells do, so their scores need the keys themselves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from contralto.architecture import Eva
from contralto.encoder.finish import dense, layers
from contralto.encoder.finish.base import LastAttention
from contralto.encoder.finish.layers import FinishWeights, Numbers, softmax
from contralto.engine.graph.eva import rotary_angles


@dataclass(frozen=True)
class EvaFinish:
    """See `Finish`. Shapes: L tokens, H heads, D numbers of a head."""

    weights: FinishWeights
    tower: Eva
    places: tuple[int, int]
    ways: ClassVar[tuple[str, ...]] = dense.WAYS

    def embed(self, grid: Numbers) -> Numbers:
        _, _, _, _, values = self._attended(grid)
        return self._embed(self._refined(grid[0] + self._out(values)))

    def gradient(self, grid: Numbers, direction: Numbers) -> Numbers:
        q, k, v, attention, values = self._attended(grid)
        by_z = self._back_to_residual(grid[0] + self._out(values), direction)
        by_values = self._back_to_values(values, by_z).reshape(len(attention), -1)  # (H, D)
        by_score = layers.softmax_back(attention, np.einsum("hd,lhd->hl", by_values, v)) * self._scale
        by_q = np.einsum("hl,lhd->hd", by_score, k)
        by_k = self._turned(np.einsum("hl,hd->lhd", by_score, q), back=True)
        by_v = np.einsum("hl,hd->lhd", attention, by_values)
        by_y = self._linear_back("k", by_k.reshape(len(grid), -1)) + self._linear_back("v", by_v.reshape(len(grid), -1))
        by_y[0] += self._linear_back("q", by_q.reshape(-1))
        by_grid = layers.norm_back(self.weights, f"{self._block}.norm1", grid, self.tower.norm_eps, by_y)
        by_grid[0] += by_z
        return by_grid

    def attention(self, grid: Numbers, direction: Numbers) -> LastAttention:
        _, _, v, attention, values = self._attended(grid)
        by_z = self._back_to_residual(grid[0] + self._out(values), direction)
        by_values = self._back_to_values(values, by_z).reshape(len(attention), -1)
        gradient, shape = np.einsum("hd,lhd->hl", by_values, v), (self.tower.heads, *self.places)
        return LastAttention(attention[:, 1:].reshape(shape), gradient[:, 1:].reshape(shape))

    def cells(self, grid: Numbers, how: str) -> Numbers:
        y = self._norm("norm1", grid)
        q, k, v = (self._linear(f"attention.{part}", y) for part in "qkv")
        q, k = (self._turned(self._by_head(part)).reshape(part.shape) for part in (q, k))
        attended = self._out(dense.mixed_values(how, q, k, v, self.tower.heads, self.places))
        if how not in dense.REDUCED:
            attended = self._refined(grid[-len(attended) :] + attended)
        return self._embed(attended).reshape(*self.places, -1)

    @property
    def _block(self) -> str:
        return f"image.blocks.{self.tower.layers - 1}"

    @property
    def _scale(self) -> float:
        return float((self.tower.width // self.tower.heads) ** -0.5)

    def _linear(self, name: str, x: Numbers) -> Numbers:
        return layers.linear(self.weights, f"{self._block}.{name}", x)

    def _linear_back(self, part: str, gradient: Numbers) -> Numbers:
        return layers.linear_back(self.weights, f"{self._block}.attention.{part}", gradient)

    def _norm(self, name: str, x: Numbers) -> Numbers:
        return layers.norm(self.weights, f"{self._block}.{name}", x, self.tower.norm_eps)

    def _by_head(self, x: Numbers) -> Numbers:
        """(..., W) -> (..., H, D)."""
        return x.reshape(*x.shape[:-1], self.tower.heads, -1)

    def _turned(self, x: Numbers, back: bool = False) -> Numbers:
        """(L, H, D): each pair (a, b) turned by its token's angle. back: by the negative angle, for a gradient."""
        angles = rotary_angles(self.places, self.tower.grid, x.shape[-1])[:, None].astype(x.dtype)  # (L, 1, D)
        quarter = np.stack([-x[..., 1::2], x[..., ::2]], -1).reshape(x.shape)
        turned: Numbers = x * np.cos(angles) + quarter * np.sin(-angles if back else angles)
        return turned

    def _attended(self, grid: Numbers) -> tuple[Numbers, Numbers, Numbers, Numbers, Numbers]:
        """q (H, D) of the class token, k and v (L, H, D), its attention (H, L), and the mixed values (W,)."""
        y = self._norm("norm1", grid)
        q = self._by_head(self._linear("attention.q", y[0]))
        k = self._turned(self._by_head(self._linear("attention.k", y)))
        v = self._by_head(self._linear("attention.v", y))
        attention = softmax(np.einsum("hd,lhd->hl", q, k) * self._scale)
        return q, k, v, attention, np.einsum("hl,lhd->hd", attention, v).reshape(-1)

    def _out(self, values: Numbers) -> Numbers:
        """(..., W): the inner norm, then the output projection."""
        return self._linear("attention.out", self._norm("attention.norm", values))

    def _back_to_values(self, values: Numbers, by_out: Numbers) -> Numbers:
        by_normed = self._linear_back("out", by_out)
        return layers.norm_back(self.weights, f"{self._block}.attention.norm", values, self.tower.norm_eps, by_normed)

    def _gated(self, x: Numbers) -> tuple[Numbers, Numbers, Numbers]:
        """Gate before its activation, the other half, and their product (..., hidden)."""
        gate, up = self._linear("mlp.gate", x), self._linear("mlp.up", x)
        return gate, up, layers.activation("silu", gate) * up

    def _refined(self, z: Numbers) -> Numbers:
        """(..., W): z and what the gated MLP adds."""
        _, _, product = self._gated(self._norm("norm2", z))
        return z + self._linear("mlp.down", self._norm("mlp.norm", product))

    def _embed(self, w: Numbers) -> Numbers:
        normed = layers.norm(self.weights, "image.norm_post", w, self.tower.norm_eps)
        return layers.head(self.weights, self.tower.head, normed)

    def _back_to_residual(self, z: Numbers, direction: Numbers) -> Numbers:
        """The gradient (W,) with respect to z, the class token after the attention."""
        weights, eps, mlp = self.weights, self.tower.norm_eps, f"{self._block}.mlp"
        w = self._refined(z)
        by_w = layers.head_back(weights, self.tower.head, layers.norm(weights, "image.norm_post", w, eps), direction)
        by_w = layers.norm_back(weights, "image.norm_post", w, eps, by_w)
        gate, up, product = self._gated(self._norm("norm2", z))
        by_product = layers.linear_back(weights, f"{mlp}.down", by_w)
        by_product = layers.norm_back(weights, f"{mlp}.norm", product, eps, by_product)
        by_gate = layers.activation_back("silu", gate, by_product * up)
        by_normed = layers.linear_back(weights, f"{mlp}.gate", by_gate)
        by_normed += layers.linear_back(weights, f"{mlp}.up", by_product * layers.activation("silu", gate))
        return by_w + layers.norm_back(weights, f"{self._block}.norm2", z, eps, by_normed)
