"""Overlap of boxes against counting of pixels."""

from __future__ import annotations

import numpy as np
import pytest

from contralto.metrics.overlap import areas, intersections, iou


def random_boxes(n, seed=0, side=12):
    random = np.random.default_rng(seed)
    low, high = random.integers(0, side - 1, (n, 2)), random.integers(1, side, (n, 2))
    return np.concatenate([low, low + high], axis=1).astype(np.float64)


def pixels(box):
    """The unit squares of a box with whole coordinates."""
    x0, y0, x1, y1 = map(int, box)
    return {(x, y) for x in range(x0, x1) for y in range(y0, y1)}


def test_iou_is_the_share_of_common_pixels():
    a, b = random_boxes(7), random_boxes(9, seed=1)
    for i, j in np.ndindex(7, 9):
        first, second = pixels(a[i]), pixels(b[j])
        assert iou(a, b)[i, j] == pytest.approx(len(first & second) / len(first | second))
        assert intersections(a, b)[i, j] == len(first & second)
    assert areas(a).tolist() == [len(pixels(box)) for box in a]


def test_boxes_without_area_overlap_nothing():
    flat, inside_out = np.array([[1.0, 1, 1, 5]]), np.array([[4.0, 4, 2, 2]])
    for box in (flat, inside_out):
        assert iou(box, box)[0, 0] == 0
        assert iou(box, np.array([[0.0, 0, 9, 9]]))[0, 0] == 0
    assert iou(np.empty((0, 4)), flat).shape == (0, 1)
