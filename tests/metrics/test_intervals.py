"""Intervals against SciPy's, and what a bootstrap must fulfil."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from contralto import metrics
from contralto.errors import ContraltoError, DataError, MissingExtraError
from contralto.metrics import auc, bootstrap, clopper_pearson
from contralto.metrics.intervals import resampled


@given(st.integers(1, 3000), st.floats(0, 1), st.sampled_from([0.9, 0.95, 0.995]))
def test_clopper_pearson_is_scipys_exact_interval(n, share, level):
    successes = round(n * share)
    expected = binomtest(successes, n).proportion_ci(level, method="exact")
    assert clopper_pearson(successes, n, level) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_clopper_pearson_of_nothing_is_all():
    assert clopper_pearson(0, 0) == (0.0, 1.0)
    assert clopper_pearson(0, 10).low == 0.0
    assert clopper_pearson(10, 10).high == 1.0


@pytest.mark.parametrize(("successes", "n"), [(-1, 3), (4, 3)])
def test_what_is_not_a_share(successes, n):
    with pytest.raises(ContraltoError, match=r"is not a share|at least 0"):
        clopper_pearson(successes, n)


def test_without_scipy_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "scipy.special", None)
    with pytest.raises(MissingExtraError, match=r"contralto\[evaluate\]"):
        clopper_pearson(1, 2)


def test_the_bootstrap_of_a_mean_is_near_the_normal_interval():
    right = np.random.default_rng(0).random(4000) < 0.3
    low, high = bootstrap(lambda at: right[at].mean(), 4000)
    half = 1.96 * np.sqrt(right.mean() * (1 - right.mean()) / 4000)
    assert (low, high) == pytest.approx((right.mean() - half, right.mean() + half), abs=0.1 * half)


def test_items_that_repeat_within_groups_tell_no_more_than_the_groups():
    """Five equal captions a picture: by picture the interval is that of the pictures, by caption it is too narrow."""
    pictures = np.random.default_rng(1).random(400) < 0.5
    captions, owners = np.repeat(pictures, 5), np.repeat(np.arange(400), 5)
    widths = [
        np.diff(bootstrap(lambda at, values=values: values[at].mean(), len(values), groups=groups, resamples=4000))[0]
        for values, groups in ((pictures, None), (captions, owners), (captions, None))
    ]
    assert widths[1] == pytest.approx(widths[0], rel=0.06)
    assert widths[2] == pytest.approx(widths[0] / np.sqrt(5), rel=0.06)


@given(st.lists(st.integers(0, 6), min_size=1, max_size=30), st.integers(0, 100))
def test_groups_are_drawn_whole(groups, seed):
    groups = np.array(groups)
    sizes = {group: np.flatnonzero(groups == group) for group in groups}
    for drawn in resampled(len(groups), groups, 5, seed):
        times = np.bincount(drawn, minlength=len(groups))
        assert all(len({int(times[at]) for at in members}) == 1 for members in sizes.values())
        assert sum(times[members[0]] for members in sizes.values()) == len(sizes)


def test_a_seed_gives_the_same_interval_and_another_seed_another():
    values = np.random.default_rng(0).standard_normal(50)

    def interval(seed):
        return bootstrap(lambda at: values[at].mean(), 50, seed=seed, resamples=100)

    assert interval(1) == interval(1) != interval(2)


def test_a_degenerate_sample_has_an_interval_of_no_width():
    assert bootstrap(lambda at: 1.0, 10, resamples=20) == (1.0, 1.0)
    assert bootstrap(lambda at: float(at.mean()), 1, resamples=20) == (0.0, 0.0)


def test_resamples_without_a_value_are_left_out():
    scores, positive = np.array([1.0, 2.0, 3.0]), np.array([True, False, True])
    low, high = bootstrap(lambda at: auc(scores[at], positive[at]), 3, resamples=300)
    assert 0 <= low <= 0.5 <= high <= 1
    with pytest.raises(DataError, match="no resample has a value"):
        bootstrap(lambda at: float("nan"), 3, resamples=5)


def test_what_cannot_be_resampled():
    with pytest.raises(DataError, match="at least one item"):
        bootstrap(lambda at: 0.0, 0)
    with pytest.raises(DataError, match="2 groups are given for 3 items"):
        bootstrap(lambda at: 0.0, 3, groups=[0, 1])


@pytest.mark.parametrize(
    "figure",
    [
        lambda: metrics.top_k([], 1),
        lambda: metrics.mean_per_class([], []),
        lambda: metrics.auc([0.1, 0.2], [True, True]),
        lambda: metrics.auc([], []),
        lambda: metrics.map11([[0.1, 0.2]], [[False, False]]),
        lambda: metrics.median_rank([]),
        lambda: metrics.bootstrap(lambda places: 1.0, 0),
        lambda: metrics.bootstrap(lambda places: float("nan"), 3),
    ],
)
def test_a_figure_without_a_value_is_told_from_nonsense(figure):
    with pytest.raises(metrics.UndefinedError):
        figure()


def test_nonsense_is_no_figure_without_a_value():
    with pytest.raises(DataError) as error:
        metrics.auc([0.1, 0.2], [True])
    assert not isinstance(error.value, metrics.UndefinedError)
