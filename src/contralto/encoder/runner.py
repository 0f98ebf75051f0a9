"""Pixels and ids in batches through the engine, as unit rows: where batch sizes and equal bits are settled."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contralto.contract import Contract
from contralto.encoder.rows import Rows, unit
from contralto.engine.base import Engine
from contralto.engine.forest import in_order
from contralto.progress import tell

Ids = NDArray[np.int64]

TEXTS_AT_ONCE = 1024  # an engine makes batches of its own of them
MANY_TEXTS = 8192  # more than these take seconds: how far they are is told, if not to the caller


class Runner:
    """The engine, with the batches that suit it.

    reproducible: each item goes through alone, so that its bits depend on nothing beside it. A row's last bits follow
    the shape of the batch, as the kernels split their sums by it. The price is the gain of batches (docs/speed.md).
    """

    def __init__(self, contract: Contract, engine: Engine, reproducible: bool, *, normalise: bool = True) -> None:
        """normalise: whether pictures' rows are made unit."""
        self.contract, self.engine, self.reproducible = contract, engine, reproducible
        self._scaled = unit if normalise else np.asarray
        self.images_at_once = engine.images_at_once

    def images(self, pixels: Sequence[NDArray[np.float32]], engine: Engine) -> Rows:
        """One batch, N times (3, H, W) -> rows (N, d). engine: what `engine.expect` gave for the whole call."""
        if not len(pixels):
            return np.empty((0, self.contract.embedding), np.float32)
        step = 1 if self.reproducible else len(pixels)
        parts = [engine.image(np.stack(pixels[i : i + step])) for i in range(0, len(pixels), step)]
        return self._scaled(np.concatenate(parts))

    def texts(self, ids: Ids, batch_size: int | None = None, progress: Callable[[int, int], Any] | None = None) -> Rows:
        """ids (N, context) -> unit rows (N, d) in the order given.

        Texts that begin alike go to the engine together, which computes what they share once if the tower allows it.
        """
        engine = self.engine.expect("text", len(ids))
        if progress is None and len(ids) > MANY_TEXTS:
            progress = functools.partial(tell, "encoding texts")
            progress(0, len(ids))
        found = np.empty((len(ids), self.contract.embedding), np.float32)
        order, step = in_order(ids), 1 if self.reproducible else batch_size or TEXTS_AT_ONCE
        for start in range(0, len(ids), step):
            places = order[start : start + step]
            found[places] = unit(engine.text(ids[places]))
            if progress is not None:
                progress(start + len(places), len(ids))
        return found
