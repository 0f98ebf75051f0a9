"""Overlap of boxes (x0, y0, x1, y1). One without area overlaps nothing. Plain twin: tests/metrics/test_overlap.py."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from contralto import arrays
from contralto.errors import DataError

Boxes = NDArray[np.float64]


def checked_boxes(values: ArrayLike, what: str) -> Boxes:
    """Boxes as float64 (N, 4). Raises DataError for another shape, a value that is not finite, a box inside out."""
    if not arrays.array(values, what).size:
        return np.empty((0, 4))
    boxes = arrays.finite_numbers(values, what, 2)
    if boxes.shape[1] != 4:
        raise DataError(f"{what} must be (N, 4): x0, y0, x1, y1, got shape {boxes.shape}")
    inside_out = (boxes[:, 2:] < boxes[:, :2]).any(axis=1)
    if inside_out.any():
        place = int(inside_out.argmax())
        raise DataError(f"{what} {boxes[place].tolist()} of item {place} ends before it starts: x0, y0, x1, y1 needed")
    return boxes


def intersections(a: Boxes, b: Boxes) -> NDArray[np.float64]:
    """The area (N, M) that boxes (N, 4) share with boxes (M, 4)."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    sides = np.clip(high - low, 0, None)
    shared: NDArray[np.float64] = sides[..., 0] * sides[..., 1]
    return shared


def areas(boxes: Boxes) -> NDArray[np.float64]:
    """The area (N,) of boxes (N, 4); 0 if a box is inside out."""
    sides: NDArray[np.float64] = np.clip(boxes[:, 2:] - boxes[:, :2], 0, None)
    return sides[:, 0] * sides[:, 1]


def iou(a: Boxes, b: Boxes) -> NDArray[np.float64]:
    """Intersection over union, (N, M) in 0..1, of boxes (N, 4) with boxes (M, 4)."""
    shared = intersections(a, b)
    union = areas(a)[:, None] + areas(b)[None] - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
