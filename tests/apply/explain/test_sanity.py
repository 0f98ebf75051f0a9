"""Spearman's correlation against scipy's, and its edge cases."""

from __future__ import annotations

import numpy as np
import pytest

from contralto.apply.explain.sanity import spearman


def test_it_agrees_with_scipy_also_for_equal_numbers():
    stats = pytest.importorskip("scipy.stats")
    random = np.random.default_rng(0)
    for _ in range(5):
        a, b = random.integers(0, 6, (4, 5)), random.normal(size=(4, 5))
        assert spearman(a, b) == pytest.approx(stats.spearmanr(a.ravel(), b.ravel()).statistic)


def test_only_the_order_counts():
    a = np.array([0.1, 5.0, 2.0, 90.0])
    assert spearman(a, np.exp(a / 50)) == pytest.approx(1)
    assert spearman(a, -a) == pytest.approx(-1)


def test_equal_numbers_have_no_order():
    assert spearman(np.zeros(4), np.arange(4.0)) == 0
