"""CLIP-Adapter (Gao et al. 2021, arXiv 2110.04544): a small network over unit rows, blended with them.

    x' = unit((1 - ratio) x + ratio relu(relu(x A) B))

Towers stay as they are: it is trained over cached rows, by AdamW in batches. The plain twin is PyTorch's autograd, in
tests/probe/test_adapter.py.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from contralto import arguments
from contralto.probe.adamw import AdamW
from contralto.probe.estimator import training_data
from contralto.probe.inputs import ROWS_PER_BLOCK, ProbeError, checked_owners, checked_rows
from contralto.probe.projection import FitProgress
from contralto.probe.unit_losses import Array, Places, class_loss, pair_loss, unit_rows

Floats32 = NDArray[np.float32]

BATCH: Final = 256
DECAY: Final = 0.01
SHRINK: Final = 4  # the bottleneck is a quarter of the embedding, as in the paper


class Adapter(NamedTuple):
    """A (d, h) and B (h, d), float32."""

    A: Floats32
    B: Floats32


def apply_adapter(rows: ArrayLike, A: Floats32, B: Floats32, ratio: float) -> Floats32:
    """Unit rows float32 (N, d) after the adapter A (d, h), B (h, d); with ratio 0 the given rows, bit for bit. Raises
    ContraltoError.

    ratio: 0..1, the share of the network.
    """
    ratio = arguments.number(ratio, "ratio", 0, 1)
    if A.ndim != 2 or A.shape != B.shape[::-1]:
        raise ProbeError(f"the adapter's matrices are {A.shape} and {B.shape}: give A (d, h) and B (h, d)")
    given = checked_rows(rows, "rows", len(A)).astype(np.float32)
    if ratio == 0:
        return given
    for start in range(0, len(given), ROWS_PER_BLOCK):
        block = slice(start, start + ROWS_PER_BLOCK)
        given[block] = _Adapted(given[block], Adapter(A, B), ratio).units.rows
    return given


def fit_adapter(
    rows: ArrayLike,
    labels: ArrayLike,
    zero_shot: ArrayLike,
    *,
    ratio: float = 0.2,
    hidden: int | None = None,
    epochs: int = 100,
    rate: float = 1e-3,
    seed: int = 0,
    progress: FitProgress | None = None,
) -> Adapter:
    """The adapter of unit rows (N, d) that suits the labels (N,), indices of zero_shot's rows (K, d): scale times unit
    rows. The loss is cross-entropy.

    ratio: 0..1. hidden: h, by default d // 4. rate: AdamW's first learning rate. seed: of the first weights
    and of the order. Raises ContraltoError.
    """
    training = _Training(ratio, hidden, epochs, rate, seed, progress)
    given, places, classes = training_data(rows, labels, zero_shot)
    images, start = given.astype(np.float32), classes.astype(np.float32)
    adapter = training.first(images.shape[1])

    def gradients(batch: Places) -> list[Array]:
        after = _Adapted(images[batch], adapter, training.ratio)
        return after.gradients(class_loss(after.units.rows, places[batch], start).gradient)

    training.run(adapter, len(images), gradients)
    return adapter


def fit_adapter_pairs(
    images: ArrayLike,
    texts: ArrayLike,
    owners: ArrayLike,
    scale: float,
    *,
    ratio: float = 0.2,
    hidden: int | None = None,
    epochs: int = 100,
    rate: float = 1e-3,
    seed: int = 0,
    progress: FitProgress | None = None,
) -> tuple[Adapter, Adapter]:
    """The adapters of pictures and of texts that suit unit rows of pictures (N, d) and of their texts (M, d).

    owners (M,): the index of each text's picture. scale: the factor on cosines. The loss is CLIP's, in batches of 256
    pairs; texts of one picture are not each other's negatives. The rest as for `fit_adapter`. Raises ContraltoError.
    """
    training = _Training(ratio, hidden, epochs, rate, seed, progress)
    scale = arguments.number(scale, "scale", 0, edges=False)
    pictures = checked_rows(images, "image rows").astype(np.float32)
    captions = checked_rows(texts, "text rows", pictures.shape[1]).astype(np.float32)
    owner = checked_owners(owners, len(captions), len(pictures))
    for_images, for_texts = training.first(pictures.shape[1]), training.first(pictures.shape[1])

    def gradients(batch: Places) -> list[Array]:
        image = _Adapted(pictures[owner[batch]], for_images, training.ratio)
        text = _Adapted(captions[batch], for_texts, training.ratio)
        by_images, by_texts = pair_loss(image.units.rows, text.units.rows, owner[batch], scale)
        return image.gradients(by_images.gradient) + text.gradients(by_texts.gradient)

    training.run((*for_images, *for_texts), len(captions), gradients)
    return for_images, for_texts


class _Adapted:
    """Unit rows (N, d) after an adapter, and the way back."""

    def __init__(self, rows: Array, adapter: Adapter, ratio: float) -> None:
        self._rows, self._adapter, self._ratio = rows, adapter, ratio
        self._inner = np.maximum(rows @ adapter.A, 0)
        self._outer = np.maximum(self._inner @ adapter.B, 0)
        self.units = unit_rows((1 - ratio) * rows + ratio * self._outer)

    def gradients(self, gradient: Array) -> list[Array]:
        """The gradients by A and B, from that by the unit rows."""
        outer = self._ratio * self.units.through(gradient) * (self._outer > 0)
        inner = (outer @ self._adapter.B.T) * (self._inner > 0)
        return [self._rows.T @ inner, self._inner.T @ outer]


class _Training:
    """The settings of a training, checked, and its loop."""

    def __init__(
        self, ratio: object, hidden: object, epochs: object, rate: object, seed: object, progress: FitProgress | None
    ) -> None:
        arguments.function(progress, "progress", "done, total")
        self.ratio = arguments.number(ratio, "ratio", 0, 1)
        self._hidden = None if hidden is None else arguments.whole(hidden, "hidden")
        self._epochs, self._rate = arguments.whole(epochs, "epochs"), arguments.number(rate, "rate", 0, edges=False)
        self._generator = np.random.default_rng(arguments.whole(seed, "seed", 0))
        self._progress = progress

    def first(self, width: int) -> Adapter:
        """Random weights, uniform within 1 / sqrt(inputs), as PyTorch's linear layers start."""
        hidden = self._hidden or max(width // SHRINK, 1)
        A = self._generator.uniform(-1, 1, (width, hidden)) / math.sqrt(width)
        B = self._generator.uniform(-1, 1, (hidden, width)) / math.sqrt(hidden)
        return Adapter(A.astype(np.float32), B.astype(np.float32))

    def run(self, weights: Sequence[Floats32], count: int, gradients: Callable[[Places], list[Array]]) -> None:
        """Trains the weights in place, by their gradients for batches of `count` items in random order."""
        optimiser = AdamW(weights, self._rate, self._epochs * -(-count // BATCH), DECAY)
        for epoch in range(self._epochs):
            order = self._generator.permutation(count)
            for first in range(0, count, BATCH):
                optimiser.step(*gradients(order[first : first + BATCH]))
            if self._progress is not None:
                self._progress(epoch + 1, self._epochs)
