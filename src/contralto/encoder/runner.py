"""Pixels and ids in batches through the engine, as unit rows: where batch sizes and equal bits are settled."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from contralto import arrays
from contralto.contract import Contract
from contralto.embeddings import Embeddings, unit
from contralto.encoder.stream import windows
from contralto.engine.base import Engine
from contralto.engine.forest import in_order
from contralto.errors import ContraltoError
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

    def images(self, pixels: Sequence[NDArray[np.float32]], engine: Engine) -> Embeddings:
        """One batch, N times (3, H, W) -> rows (N, d). engine: what `engine.expect` gave for the whole call."""
        if not len(pixels):
            return np.empty((0, self.contract.embedding), np.float32)
        step = 1 if self.reproducible else len(pixels)
        parts = [engine.image(np.stack(pixels[i : i + step])) for i in range(0, len(pixels), step)]
        return self._scaled(self._finite(np.concatenate(parts)))

    def pixels(self, given: ArrayLike) -> Embeddings:
        """float32 (N, 3, H, W), as a picture is prepared -> rows (N, d). Raises ContraltoError for anything else."""
        array, shape = arrays.array(given, "pixels"), (3, *self.contract.image.size)
        if array.dtype.kind != "f" or array.ndim != 4 or array.shape[1:] != shape:
            wanted = f"floats of shape (N, {', '.join(map(str, shape))}), as preprocess makes them"
            raise ContraltoError(f"pixels must be {wanted}, got {array.dtype} of shape {array.shape}")
        with np.errstate(over="ignore"):
            array = np.ascontiguousarray(array, dtype=np.float32)
        for index, picture in enumerate(array):
            if not np.isfinite(picture).all():
                raise ContraltoError(f"pixels of picture {index} are not finite (NaN or inf)")
        engine = self.engine.expect("image", len(array))
        empty = np.empty((0, self.contract.embedding), np.float32)
        return np.concatenate([empty, *(self.images(some, engine) for some in windows(array, self.images_at_once))])

    def texts(
        self, ids: Ids, batch_size: int | None = None, progress: Callable[[int, int], Any] | None = None
    ) -> Embeddings:
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
            found[places] = unit(self._finite(engine.text(ids[places])))
            if progress is not None:
                progress(start + len(places), len(ids))
        return found

    def _finite(self, rows: NDArray[Any]) -> NDArray[Any]:
        """The engine's rows, if they are numbers. Raises ContraltoError: half precision may overflow."""
        if not np.isfinite(rows).all():
            told = f"{self.contract.name}: {self.engine.name} in {self.engine.precision} gave a row that is not finite"
            raise ContraltoError(f"{told}: use precision fp32, or repair the weights")
        return rows
