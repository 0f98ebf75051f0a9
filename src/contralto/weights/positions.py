"""Learned positions resized to another grid as open_clip does, only on request (`image_size`).

Bicubic with antialiasing (Keys' kernel, a = -0.5, widened where the grid shrinks) and align_corners false: equal to
torch's interpolate(mode="bicubic", antialias=True), which tests/weights/test_positions.py checks. transformers resizes
without antialiasing, which differs where the grid shrinks.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from contralto.contract import Contract
from contralto.errors import ContraltoError
from contralto.weights.checkpoint import Checkpoint, StoredTensor
from contralto.weights.names import expected

GRIDS = ("image.positions", "image.pool.positions")


def resized(checkpoint: Checkpoint, size: int) -> Checkpoint:
    """The checkpoint for square pictures of `size` pixels: positions resized, other tensors unchanged.

    The new contract states the size and the resize. Raises ContraltoError if the picture tower does not take that size.
    """
    before = checkpoint.contract
    if before.image.size == (size, size):
        return checkpoint
    contract = _at_size(before, size)
    cell = before.image.tower.cell
    height, width = (pixels // cell for pixels in before.image.size)
    new_height = new_width = size // cell
    old, new = expected(before), expected(contract)
    tensors = dict(checkpoint.tensors)
    for name in (name for name in new if new[name] != old.get(name)):
        if name not in GRIDS:
            raise ContraltoError(f"{before.name}: image_size={size} cannot be set: {name} depends on the size")
        positions = checkpoint.array(name)
        first = len(positions) - height * width  # the position of the class token (ViT) or of the mean (ResNet), if any
        grid = positions[first:].reshape(height, width, -1)
        resized_grid = bicubic(grid, new_height, new_width).reshape(new_height * new_width, -1)
        tensors[name] = StoredTensor("F32", np.concatenate([positions[:first], resized_grid]))
    return Checkpoint(contract, tensors, checkpoint.files)


def bicubic(grid: NDArray[np.float32], height: int, width: int) -> NDArray[np.float32]:
    """(h, w, channels) -> (height, width, channels), computed in float64."""
    down, across = _weights(grid.shape[0], height), _weights(grid.shape[1], width)
    resized: NDArray[np.float64] = np.einsum("ah,bw,hwc->abc", down, across, grid.astype(np.float64), optimize=True)
    return resized.astype(np.float32)


def _weights(cells: int, target: int) -> NDArray[np.float64]:
    """(target, cells): the weight of each old cell in each new one; rows sum to 1."""
    ratio = cells / target
    reach = max(ratio, 1.0)  # the kernel is widened where the grid shrinks, and never narrowed
    centres = (np.arange(target) + 0.5) * ratio
    x = np.abs(np.arange(cells) + 0.5 - centres[:, None]) / reach
    near = (1.5 * x - 2.5) * x * x + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    weights: NDArray[np.float64] = np.where(x < 1, near, np.where(x < 2, far, 0.0))
    weights /= weights.sum(axis=1, keepdims=True)
    return weights


def _at_size(before: Contract, size: int) -> Contract:
    """The same contract for pictures of `size` x `size` pixels."""
    if before.image.resized is not None:
        raise ContraltoError(f"{before.name}: image_size={size} cannot be set: its pictures are cut from larger ones")
    pixels = f"from {before.image.size[0]} to {size} pixels"
    has_grid = any(name in GRIDS for name in expected(before))
    change = f"positions resized {pixels} (bicubic, antialiased)" if has_grid else f"size of pictures set {pixels}"
    history = "; ".join(part for part in (before.provenance.converted_from, change) if part)
    return before.replace(
        image=dataclasses.replace(before.image, size=(size, size)),
        provenance=dataclasses.replace(before.provenance, converted_from=history),
    )
