"""What every finish offers. All arrays belong to one picture and have the dtype of the finish."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from contralto.encoder.finish.layers import Numbers


class LastAttention(NamedTuple):
    """How the pooled token attends to the cells: its weights (heads, h, w), and the gradient with respect to them."""

    weights: Numbers
    gradient: Numbers


class Finish(Protocol):
    """From the grid of one picture, tokens (L, W) or a map (C, h, w), to its embedding (E,), not normalised."""

    @property
    def places(self) -> tuple[int, int]:
        """Rows and columns of cells."""

    @property
    def ways(self) -> tuple[str, ...]:
        """The values of `how` that `cells` takes; the first is the best for this tower."""

    def embed(self, grid: Numbers) -> Numbers:
        """The embedding (E,), as the whole tower computes it."""

    def gradient(self, grid: Numbers, direction: Numbers) -> Numbers:
        """The gradient of (embedding . direction) with respect to the grid; direction (E,)."""

    def attention(self, grid: Numbers, direction: Numbers) -> LastAttention | None:
        """The last attention, and the gradient of (embedding . direction); None for a tower that pools by the mean."""

    def cells(self, grid: Numbers, how: str) -> Numbers:
        """(h, w, E): for each cell a vector of the joint space, not normalised."""
