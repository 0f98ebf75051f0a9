"""Run pixels and ids through the engine in batches, and normalise the result. Batch sizes are chosen here.

Texts are sorted so that common prefixes meet; tests/encoder/test_runner.py compares with one text at a time.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from contralto import arrays
from contralto.contract import Contract
from contralto.embeddings import Embeddings, unit
from contralto.encoder.stream import windows
from contralto.engine.base import Engine, TowerName, require_embeddings
from contralto.engine.forest import in_order
from contralto.errors import ContraltoError
from contralto.progress import log_progress

Ids = NDArray[np.int64]

TEXTS_PER_CALL = 1024  # the engine splits them into batches of its own
MANY_TEXTS = 8192  # more than these take seconds: progress is logged unless the caller asks for it


class Runner:
    """An engine with the batches that suit it.

    reproducible: each item goes through alone, so that its bits do not depend on its neighbours. In a batch they would,
    because kernels split their sums by the shape of the batch. The price is the speed of batches (docs/speed.md).
    """

    def __init__(
        self,
        contract: Contract,
        engine: Engine,
        reproducible: bool,
        *,
        normalise: bool = True,
        changes: Mapping[TowerName, Callable[[Embeddings], Embeddings]] | None = None,
    ) -> None:
        """normalise: whether picture embeddings are scaled to unit length. changes: what an adapter does to the unit
        embeddings (N, d) of a tower."""
        self.contract, self.engine, self.reproducible = contract, engine, reproducible
        self._changes = changes or {}
        self._scale = unit if normalise else np.asarray
        self.images_at_once = engine.images_at_once

    def images(self, pixels: Sequence[NDArray[np.float32]], engine: Engine) -> Embeddings:
        """One batch, N times (3, H, W) -> embeddings (N, d). engine: the result of `engine_for` for the whole call."""
        if not len(pixels):
            return np.empty((0, self.contract.embedding), np.float32)
        step = 1 if self.reproducible else len(pixels)
        parts = [engine.image(np.stack(pixels[i : i + step])) for i in range(0, len(pixels), step)]
        return self._changed("image", self._scale(self._finite(np.concatenate(parts))))

    def pixels(self, given: ArrayLike) -> Embeddings:
        """Pixels float32 (N, 3, H, W) -> embeddings (N, d). Raises ContraltoError for other arrays."""
        require_embeddings(self.contract)
        array, shape = arrays.array(given, "pixels"), (3, *self.contract.image.size)
        if array.dtype.kind != "f" or array.ndim != 4 or array.shape[1:] != shape:
            wanted = f"floats of shape (N, {', '.join(map(str, shape))}), as preprocess makes them"
            raise ContraltoError(f"pixels must be {wanted}, got {array.dtype} of shape {array.shape}")
        with np.errstate(over="ignore"):
            array = np.ascontiguousarray(array, dtype=np.float32)
        for index, picture in enumerate(array):
            if not np.isfinite(picture).all():
                raise ContraltoError(f"pixels of picture {index} are not finite (NaN or inf)")
        engine = self.engine.engine_for("image", len(array))
        empty = np.empty((0, self.contract.embedding), np.float32)
        return np.concatenate([empty, *(self.images(some, engine) for some in windows(array, self.images_at_once))])

    def texts(
        self, ids: Ids, batch_size: int | None = None, progress: Callable[[int, int], Any] | None = None
    ) -> Embeddings:
        """ids (N, context) -> unit embeddings (N, d) in the order given.

        Texts that begin alike go to the engine together. If the tower allows it, their common prefix is computed once.
        """
        engine = self.engine.engine_for("text", len(ids))
        if progress is None and len(ids) > MANY_TEXTS:
            progress = functools.partial(log_progress, "encoding texts")
            progress(0, len(ids))
        embeddings = np.empty((len(ids), self.contract.embedding), np.float32)
        order, step = in_order(ids), 1 if self.reproducible else batch_size or TEXTS_PER_CALL
        for start in range(0, len(ids), step):
            batch = order[start : start + step]
            embeddings[batch] = self._changed("text", unit(self._finite(engine.text(ids[batch]))))
            if progress is not None:
                progress(start + len(batch), len(ids))
        return embeddings

    def _changed(self, tower: TowerName, embeddings: Embeddings) -> Embeddings:
        """After the tower's adapter, if it has one; row by row if the bits must not depend on the other rows."""
        if (change := self._changes.get(tower)) is None:
            return embeddings
        step = 1 if self.reproducible else max(1, len(embeddings))
        return np.concatenate([change(embeddings[i : i + step]) for i in range(0, len(embeddings), step)])

    def _finite(self, vectors: NDArray[Any]) -> NDArray[Any]:
        """The engine's output, unchanged. Raises ContraltoError if it is not finite: half precision may overflow."""
        if not np.isfinite(vectors).all():
            where = f"{self.contract.name}: {self.engine.name} in {self.engine.precision}"
            raise ContraltoError(
                f"{where} gave an embedding that is not finite: use precision fp32, or repair the weights"
            )
        return vectors
