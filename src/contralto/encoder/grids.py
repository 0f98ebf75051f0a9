"""Grids of pictures, and what lies behind them: a vector for each place that the tower sees.

The plain twins of the ways to read cells are in tests/encoder/finish/test_cells.py.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import assert_never

import numpy as np
from numpy.typing import NDArray

from contralto import arguments
from contralto.architecture import ConvNeXt, EfficientNet, Eva, FastViT, ResNet, ViT
from contralto.embeddings import Embeddings, unit
from contralto.encoder.finish import Finish, finish_of
from contralto.encoder.finish.layers import Numbers
from contralto.engine import Engine
from contralto.engine.base import require_embeddings
from contralto.image.seen import Area, seen
from contralto.weights.checkpoint import Checkpoint

AUTO = "auto"


class Grids:
    """The picture tower up to its grid, by the engine; and its finish, which starts on first use."""

    def __init__(
        self, checkpoint: Checkpoint, engine: Engine, change: Callable[[Embeddings], Embeddings] | None = None
    ) -> None:
        """change: what an adapter does to unit embeddings."""
        self._checkpoint, self._engine, self.change = checkpoint, engine, change

    @property
    def images_at_once(self) -> int:
        """Pictures that a call of `of` should have at most."""
        return self._engine.images_at_once

    @property
    def places(self) -> tuple[int, int]:
        """Rows and columns of the grid."""
        return self._places

    def of(self, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        """pixels (N, 3, H, W), N at least 1 -> tokens (N, L, W) or a map (N, C, h, w)."""
        return self._engine.grid(pixels)

    @functools.cached_property
    def finish(self) -> Finish:
        """From a grid to the embedding, with gradients. Raises ContraltoError for a detector."""
        return finish_of(self._checkpoint, self._places)

    @functools.cached_property
    def _fast_finish(self) -> Finish:
        """The same in float32, for many cells."""
        return finish_of(self._checkpoint, self._places, dtype=np.float32)

    def randomised(self, seed: int) -> Finish:
        """The finish with random weights: what an explanation must depend on."""
        return finish_of(self._checkpoint, self._places, randomised=seed)

    @functools.cached_property
    def _places(self) -> tuple[int, int]:
        """Rows and columns of the grid. A map's depend on how the tower pads, so one blank picture tells them."""
        require_embeddings(self._checkpoint.contract)
        image = self._checkpoint.contract.image
        match image.tower:
            case ViT() | Eva():
                return image.size[0] // image.tower.cell, image.size[1] // image.tower.cell
            case ResNet() | EfficientNet() | ConvNeXt() | FastViT():
                rows, columns = self.of(np.zeros((1, 3, *image.size), np.float32)).shape[2:]
                return rows, columns
            case _:
                assert_never(image.tower)

    def area(self, size: tuple[int, int]) -> Area:
        """The part of an upright picture of this (width, height) that the grid covers.

        Pixels at the right and at the bottom that do not fill a cell are not part of it.
        """
        image = self._checkpoint.contract.image
        x0, y0, x1, y1 = seen(image, size)
        rows, columns = self.places
        down, across = (
            min(1.0, n * image.tower.cell / side) for n, side in zip((rows, columns), image.size, strict=True)
        )
        return x0, y0, x0 + (x1 - x0) * across, y0 + (y1 - y0) * down

    def way(self, how: str) -> str:
        """The way to read cells that `how` names. Raises ContraltoError for one that the tower does not have."""
        ways = self._fast_finish.ways
        return ways[0] if how == AUTO else arguments.one_of(how, "how", ways)

    def cells(self, grids: NDArray[np.float32], how: str = AUTO) -> Embeddings:
        """Grids of N pictures -> unit rows (N, h, w, E). how: one of `ways`."""
        way = self.way(how)
        return np.stack([self.unit_cells(self._fast_finish, grid, way) for grid in grids])

    def unit_cells(self, finish: Finish, grid: Numbers, way: str) -> Embeddings:
        """The grid of one picture, in the dtype of the finish -> unit rows (h, w, E), after the adapter if any."""
        cells = unit(finish.cells(grid, way))
        if self.change is None:
            return cells
        return self.change(cells.reshape(-1, cells.shape[-1])).reshape(cells.shape)
