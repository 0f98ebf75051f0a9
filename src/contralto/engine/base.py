"""The engine protocol, and the input checks that all engines share."""

from __future__ import annotations

from typing import Any, Final, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from contralto.contract import Contract
from contralto.errors import ContraltoError

Float = NDArray[np.float32]
Ids = NDArray[np.int64]
TowerName = Literal["image", "text"]
PartName = Literal["image", "text", "grid"]
"""A tower, or the image tower up to its grid."""

TOWER_NAMES: Final[tuple[TowerName, TowerName]] = ("image", "text")

LENGTH_MULTIPLE: Final = 8
"""Compiling engines pad texts to multiples of this length, as each new shape costs them time and memory."""


class Engine(Protocol):
    """Computes embeddings of prepared batches. A tower is loaded on first use; threads may share an engine."""

    @property
    def name(self) -> str:
        """eager, openvino ..."""

    @property
    def precision(self) -> str:
        """The precision in use: fp32, bf16 ..."""

    @property
    def images_at_once(self) -> int:
        """The batch size that suits this engine."""

    def engine_for(self, tower: TowerName, count: int) -> Engine:
        """The engine for the next `count` items, which may come in several batches: all get the same precision."""

    def image(self, pixels: NDArray[Any]) -> Float:
        """pixels float32 (N, 3, h, w), as the contract prepares them -> embeddings float32 (N, E), not normalised."""

    def grid(self, pixels: NDArray[Any]) -> Float:
        """pixels float32 (N, 3, h, w) -> what the end of the tower reads: tokens (N, L, W) or a map (N, C, h, w).

        N is at least 1. `contralto.encoder.finish` computes the embedding from it. Of a detector: the numbers that its
        heads give for each cell, (N, L, E + 6 or 7), see `contralto.apply.detect.owl`.
        """

    def text(self, ids: NDArray[Any]) -> Float:
        """ids int64 (N, L), padded -> embeddings float32 (N, E), not normalised.

        L: at most the context; exactly the context if the contract's text does not trim.
        """


def checked_pixels(contract: Contract, pixels: NDArray[Any]) -> Float:
    """`pixels` as a contiguous float32 array. Raises ContraltoError if the contract's tower cannot take its shape."""
    shape = (3, *contract.image.size)
    if pixels.ndim != 4 or pixels.shape[1:] != shape:
        raise ContraltoError(f"pixels must have shape (N, {', '.join(map(str, shape))}), got {pixels.shape}")
    return np.ascontiguousarray(pixels, dtype=np.float32)


def require_embeddings(contract: Contract) -> None:
    """Raises ContraltoError for a detector: it embeds no whole picture, as its files hold an untrained projection."""
    if contract.detector is not None:
        why = "it is a detector, whose files hold no trained picture projection"
        raise ContraltoError(f"{contract.name} has no picture embeddings: {why}; use contralto.detect")


def checked_ids(contract: Contract, ids: NDArray[Any]) -> Ids:
    """`ids` as a contiguous int64 array. Raises ContraltoError for a wrong shape, or ids outside the vocabulary."""
    context, vocabulary = contract.text.context, contract.text.tower.vocabulary
    shortest = 1 if contract.text.trims else context  # a trimmed text would silently get another embedding
    if ids.ndim != 2 or ids.dtype.kind not in "iu" or not shortest <= ids.shape[1] <= context:
        columns = f"1 to {context}" if contract.text.trims else f"{context}, as this tower sees the padding"
        raise ContraltoError(f"ids must be integers (N, {columns}), got {ids.dtype} {ids.shape}")
    if ids.size and not (ids.min() >= 0 and ids.max() < vocabulary):
        raise ContraltoError(f"ids must be from 0 to {vocabulary - 1}, got {ids.min()} to {ids.max()}")
    return np.ascontiguousarray(ids, dtype=np.int64)
