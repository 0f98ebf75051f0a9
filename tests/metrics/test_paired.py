"""Paired tests against SciPy's exact ones and by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from contralto.errors import DataError, MissingExtraError
from contralto.metrics import holm, mcnemar, paired_bootstrap


@given(st.integers(0, 10_000), st.integers(0, 200), st.floats(0.1, 0.9))
def test_mcnemar_is_the_binomial_test_of_the_items_that_differ(seed, items, share):
    random = np.random.default_rng(seed)
    a, b = random.random(items) < share, random.random(items) < 0.5
    only_a, differ = int((a & ~b).sum()), int((a != b).sum())
    expected = binomtest(only_a, differ, 0.5).pvalue if differ else 1.0
    assert mcnemar(a, b) == pytest.approx(expected, rel=1e-9)
    assert mcnemar(a, b) == mcnemar(b, a)


def test_mcnemar_by_hand():
    assert mcnemar([1, 1, 1, 1, 0], [0, 0, 0, 0, 0]) == pytest.approx(2 / 16)
    with pytest.raises(DataError, match="the same items"):
        mcnemar([True], [True, False])


def test_without_scipy_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "scipy.special", None)
    with pytest.raises(MissingExtraError, match=r"contralto\[evaluate\]"):
        mcnemar([True], [True])


def compared(a, b, **options):
    return paired_bootstrap(lambda at: a[at].mean(), lambda at: b[at].mean(), len(a), **options)


def test_pairing_sees_what_two_intervals_cannot():
    """b has nearly all of what a has right: the difference is certain, though each accuracy alone is not."""
    random = np.random.default_rng(0)
    a = random.random(500) < 0.5
    b = a & (random.random(500) < 0.95)
    forth = compared(a, b)
    assert forth.value == pytest.approx(a.mean() - b.mean())
    assert 0 < forth.low < forth.value < forth.high < 0.06
    assert forth.p == pytest.approx(2 / 2001)
    back = compared(b, a)
    assert (back.value, back.low, back.high) == pytest.approx((-forth.value, -forth.high, -forth.low))


def test_equal_models_do_not_differ():
    a = np.random.default_rng(0).random(100) < 0.5
    assert compared(a, a, resamples=50) == (0.0, 0.0, 0.0, 1.0)


def test_p_is_uniform_when_there_is_no_difference():
    random = np.random.default_rng(4)
    low = [compared(*random.standard_normal((2, 60)), resamples=200).p < 0.2 for _ in range(300)]
    assert 0.14 < np.mean(low) < 0.28


def test_the_difference_is_drawn_by_groups():
    a, groups = np.repeat(np.random.default_rng(0).standard_normal(50), 4), np.repeat(np.arange(50), 4)
    apart, together = compared(a, 0 * a), compared(a, 0 * a, groups=groups)
    assert together.high - together.low > 1.6 * (apart.high - apart.low)


def test_holm_by_hand():
    np.testing.assert_allclose(holm([0.01, 0.04, 0.03]), [0.03, 0.06, 0.06])
    np.testing.assert_allclose(holm([0.5, 0.001, 0.9]), [1, 0.003, 1])
    assert len(holm([])) == 0


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12), st.sampled_from([0.01, 0.05, 0.2]))
def test_holm_rejects_what_the_steps_reject(p, level):
    rejected = set()
    for step, place in enumerate(sorted(range(len(p)), key=lambda place: p[place])):
        if p[place] * (len(p) - step) > level:
            break
        rejected.add(place)
    assert set(np.flatnonzero(holm(p) <= level)) == rejected
