"""Suppression of boxes that repeat a better one. Its plain twin is in tests/apply/detect/test_suppress.py."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from contralto.metrics.overlap import Boxes, iou


def suppress(boxes: Boxes, scores: NDArray[np.float64], limit: float) -> NDArray[np.intp]:
    """Indices of the boxes (N, 4) that stay, best first: none overlaps a better one that stays by an IoU above `limit`.

    scores (N,); of equal scores the earlier box counts as better. limit: 1 keeps all boxes.
    """
    order = np.argsort(-np.asarray(scores), kind="stable")
    kept: list[np.intp] = []
    while len(order):
        best, rest = order[0], order[1:]
        kept.append(best)
        order = rest[iou(boxes[best][None], boxes[rest])[0] <= limit]
    return np.array(kept, np.intp)
