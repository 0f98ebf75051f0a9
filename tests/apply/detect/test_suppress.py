"""Suppression against a loop over pairs."""

from __future__ import annotations

import numpy as np
import pytest

from contralto.apply.detect.suppress import suppress
from contralto.metrics.overlap import iou


def random_boxes(n, seed=0, side=12):
    random = np.random.default_rng(seed)
    low, high = random.integers(0, side - 1, (n, 2)), random.integers(1, side, (n, 2))
    return np.concatenate([low, low + high], axis=1).astype(np.float64)


def plain_suppress(boxes, scores, limit):
    kept = []
    for i in sorted(range(len(boxes)), key=lambda i: -scores[i]):
        if all(iou(boxes[i][None], boxes[j][None])[0, 0] <= limit for j in kept):
            kept.append(i)
    return kept


@pytest.mark.parametrize("limit", [0.0, 0.2, 0.5, 1.0])
def test_suppression_is_greedy_by_score(limit):
    boxes, scores = random_boxes(40, seed=2), np.random.default_rng(3).integers(0, 9, 40) / 9
    assert suppress(boxes, scores, limit).tolist() == plain_suppress(boxes, scores, limit)


def test_of_equal_boxes_the_first_of_the_best_stays():
    boxes = np.array([[0.0, 0, 4, 4]] * 3)
    assert suppress(boxes, np.array([0.5, 0.9, 0.9]), 0.5).tolist() == [1]
    assert suppress(boxes, np.array([0.5, 0.9, 0.9]), 1).tolist() == [1, 2, 0]
    assert suppress(np.empty((0, 4)), np.empty(0), 0.5).tolist() == []
