"""Unit vectors and scores, against plain NumPy in float64."""

from __future__ import annotations

import numpy as np
import pytest

from contralto.contract import Score
from contralto.embeddings import probabilities, unit


def test_the_sigmoid_rule():
    cosines = np.array([[0.1, -0.05, 1.0], [-1.0, 0.0, 0.2]], np.float32)
    wanted = 1 / (1 + np.exp(-(50 * cosines.astype(np.float64) - 5)))
    np.testing.assert_allclose(probabilities(cosines, Score("sigmoid", 50, -5)), wanted, rtol=1e-6)


@pytest.mark.parametrize("rule", [Score("softmax", 1e6), Score("sigmoid", 1e6, -1e5)])
def test_no_scale_overflows(rule):
    score = probabilities(np.array([[1, -1, 0.5]], np.float32), rule)
    assert np.isfinite(score).all()
    np.testing.assert_allclose(score[0, :2], [1, 0])


def test_unit_neither_overflows_nor_divides_by_nothing():
    rows = unit(np.array([[3e38, 3e38], [1e-40, 0], [0, 0], [3, -4]], np.float32))
    np.testing.assert_allclose(rows, [[0.5**0.5] * 2, [1, 0], [0, 0], [0.6, -0.8]], atol=1e-6)
