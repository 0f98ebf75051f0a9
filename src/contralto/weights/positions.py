"""Learned positions resized to another grid, as open_clip resizes them; only ever done when it is asked for.

Bicubic with antialiasing (Keys' kernel, a = -0.5, widened where the grid shrinks), cells meeting at their borders
(align_corners false): torch's interpolate(mode="bicubic", antialias=True). transformers resizes without antialiasing,
which differs where the grid shrinks.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from contralto.architecture import ResNet
from contralto.contract import Contract
from contralto.errors import ContraltoError
from contralto.weights.checkpoint import Checkpoint, StoredTensor
from contralto.weights.names import expected

GRIDS = ("image.positions", "image.pool.positions")


def resized(checkpoint: Checkpoint, size: int) -> Checkpoint:
    """The checkpoint for square pictures of `size` pixels a side: positions resized, the rest as it was.

    The contract's size and provenance say so. Raises ContraltoError if the picture tower cannot take that size.
    """
    before = checkpoint.contract
    if before.image.size == (size, size):
        return checkpoint
    contract = _at_size(before, size)
    old, new = expected(before), expected(contract)
    tensors = dict(checkpoint.tensors)
    for name in (name for name in new if new[name] != old.get(name)):
        if name not in GRIDS:
            raise ContraltoError(f"{before.name}: image_size={size} cannot be set: {name} depends on the size")
        cells = before.image.size[0] // _step(before) * (before.image.size[1] // _step(before))
        first = old[name][0] - cells  # the row of the class token, or of the mean
        rows = checkpoint.array(name)
        grid = rows[first:].reshape(before.image.size[0] // _step(before), -1, rows.shape[1])
        side = size // _step(before)
        tensors[name] = StoredTensor(
            "F32", np.concatenate([rows[:first], bicubic(grid, side, side).reshape(side**2, -1)])
        )
    return Checkpoint(contract, tensors, checkpoint.files)


def bicubic(grid: NDArray[np.float32], height: int, width: int) -> NDArray[np.float32]:
    """(h, w, channels) -> (height, width, channels), computed in float64."""
    down, across = _weights(grid.shape[0], height), _weights(grid.shape[1], width)
    made: NDArray[np.float64] = np.einsum("ah,bw,hwc->abc", down, across, grid.astype(np.float64), optimize=True)
    return made.astype(np.float32)


def _weights(cells: int, target: int) -> NDArray[np.float64]:
    """(target, cells): what each cell gives to each new one; rows sum to 1."""
    step = cells / target
    reach = max(step, 1.0)  # the kernel is widened where the grid shrinks, and never narrowed
    centres = (np.arange(target) + 0.5) * step
    x = np.abs(np.arange(cells) + 0.5 - centres[:, None]) / reach
    near = (1.5 * x - 2.5) * x * x + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    weights: NDArray[np.float64] = np.where(x < 1, near, np.where(x < 2, far, 0.0))
    weights /= weights.sum(axis=1, keepdims=True)
    return weights


def _at_size(before: Contract, size: int) -> Contract:
    """The same contract for pictures of `size`."""
    if before.image.resized is not None:
        raise ContraltoError(f"{before.name}: image_size={size} cannot be set: its pictures are cut from larger ones")
    sides = f"from {before.image.size[0]} to {size} pixels"
    has_grid = any(name in GRIDS for name in expected(before))
    made = f"positions resized {sides} (bicubic, antialiased)" if has_grid else f"size of pictures set {sides}"
    told = "; ".join(part for part in (before.provenance.converted_from, made) if part)
    return before.replace(
        image=dataclasses.replace(before.image, size=(size, size)),
        provenance=dataclasses.replace(before.provenance, converted_from=told),
    )


def _step(contract: Contract) -> int:
    """Pixels from cell to cell of the grid."""
    tower = contract.image.tower
    return 32 if isinstance(tower, ResNet) else getattr(tower, "patch", 32)
