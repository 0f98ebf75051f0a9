"""Attention of one query to many tokens, and its gradient.

Only one row asks, so neither keys nor values of the tokens are computed: q . (Wk y) = (Wk^T q) . y, and a sum of values
is Wv times the sum of the tokens. The cost is that of a few products with vectors. The bias of the keys adds the same
number to all scores, which the softmax ignores.

Shapes: L tokens, W width, H heads, D = W / H.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from contralto.encoder.finish.layers import FinishWeights, Numbers, softmax, softmax_back


@dataclass(frozen=True)
class OneQuery:
    """Attention with the tensors `name`.k and `name`.v; the caller computes q and applies the output projection."""

    weights: FinishWeights
    name: str
    heads: int

    def attend(self, q: Numbers, y: Numbers) -> tuple[Numbers, Numbers]:
        """q (W,), tokens y (L, W) -> (attention (H, L), mixed values (W,))."""
        attention = softmax(self._keys(q) @ y.T)
        values = self._split("v.weight") @ (attention @ y)[:, :, None]  # (H, D, 1)
        return attention, values.reshape(-1) + self.weights[f"{self.name}.v.bias"]

    def attention_gradient(self, y: Numbers, gradient: Numbers) -> Numbers:
        """The gradient (W,) of the mixed values -> that of the attention (H, L): gradient . value, in each head."""
        by_head = gradient.reshape(self.heads, -1)
        bias = self.weights[f"{self.name}.v.bias"].reshape(self.heads, -1)
        result: Numbers = self._values_back(gradient) @ y.T + (by_head * bias).sum(1, keepdims=True)
        return result

    def back(self, q: Numbers, y: Numbers, attention: Numbers, gradient: Numbers) -> tuple[Numbers, Numbers]:
        """The gradient (W,) of the mixed values -> those of q (W,) and of the tokens y (L, W)."""
        by_score = softmax_back(attention, self.attention_gradient(y, gradient))  # (H, L)
        by_token = by_score.T @ self._keys(q) + attention.T @ self._values_back(gradient)
        mixed = (by_score @ y)[:, :, None]  # (H, W, 1)
        by_query = (self._split("k.weight") @ mixed).reshape(-1) * self._scale
        return by_query, by_token

    @property
    def _scale(self) -> float:
        return 1 / math.sqrt(self.weights[f"{self.name}.k.weight"].shape[0] // self.heads)

    def _split(self, name: str) -> Numbers:
        """A matrix (W, W) by its heads: (H, D, W)."""
        matrix = self.weights[f"{self.name}.{name}"]
        return matrix.reshape(self.heads, -1, matrix.shape[1])

    def _keys(self, q: Numbers) -> Numbers:
        """(H, W): what a token is multiplied with to get its scores."""
        keys: Numbers = (q.reshape(self.heads, 1, -1) @ self._split("k.weight"))[:, 0] * self._scale
        return keys

    def _values_back(self, gradient: Numbers) -> Numbers:
        """(H, W): the gradient (W,) of the values, taken back through their matrix."""
        back: Numbers = (gradient.reshape(self.heads, 1, -1) @ self._split("v.weight"))[:, 0]
        return back
