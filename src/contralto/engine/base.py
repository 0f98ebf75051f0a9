"""The protocol of engines, and the checks of what goes in, which are the same for all of them."""

from __future__ import annotations

from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from contralto.contract import Contract
from contralto.errors import ContraltoError

Float = NDArray[np.float32]
Ids = NDArray[np.int64]
TowerName = Literal["image", "text"]


class Engine(Protocol):
    """Computes embeddings of prepared batches. A tower is loaded on first use; threads may share an engine."""

    @property
    def name(self) -> str:
        """eager, openvino ..."""

    @property
    def precision(self) -> str:
        """What it computes in: fp32, bf16 ..."""

    @property
    def images_at_once(self) -> int:
        """Pictures of a batch that suits it."""

    def expect(self, side: TowerName, count: int) -> Engine:
        """The engine to give the next `count` items to, in batches: all of them go through it in one precision."""

    def image(self, pixels: NDArray[Any]) -> Float:
        """pixels float32 (N, 3, h, w), as the contract prepares them -> embeddings float32 (N, E), not normalised."""

    def text(self, ids: NDArray[Any]) -> Float:
        """ids int64 (N, L), padded -> embeddings float32 (N, E), not normalised.

        L: at most the context; exactly that where the contract's text does not trim.
        """


def checked_pixels(contract: Contract, pixels: NDArray[Any]) -> Float:
    """`pixels` as a contiguous float32 array. Raises ContraltoError if the contract's tower cannot take its shape."""
    wanted = (3, *contract.image.size)
    if pixels.ndim != 4 or pixels.shape[1:] != wanted:
        raise ContraltoError(f"pixels must have shape (N, {', '.join(map(str, wanted))}), got {pixels.shape}")
    return np.ascontiguousarray(pixels, dtype=np.float32)


def checked_ids(contract: Contract, ids: NDArray[Any]) -> Ids:
    """`ids` as a contiguous int64 array. Raises ContraltoError for a wrong shape, or ids outside the vocabulary."""
    context, vocabulary = contract.text.context, contract.text.tower.vocabulary
    fewest = 1 if contract.text.trims else context  # cut short, a text would silently get another embedding
    if ids.ndim != 2 or ids.dtype.kind not in "iu" or not fewest <= ids.shape[1] <= context:
        columns = f"1 to {context}" if contract.text.trims else f"{context}, as this tower sees the padding"
        raise ContraltoError(f"ids must be integers (N, {columns}), got {ids.dtype} {ids.shape}")
    if ids.size and not (ids.min() >= 0 and ids.max() < vocabulary):
        raise ContraltoError(f"ids must be from 0 to {vocabulary - 1}, got {ids.min()} to {ids.max()}")
    return np.ascontiguousarray(ids, dtype=np.int64)
