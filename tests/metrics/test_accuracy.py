"""Accuracies against sorting, SciPy's rank statistic and cases worked out by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import mannwhitneyu

from contralto.errors import DataError
from contralto.metrics import auc, map11, mean_per_class, mean_top1_top5, ranks, top_k


@given(st.integers(0, 10_000), st.integers(1, 9), st.integers(1, 7))
def test_ranks_are_the_places_of_sorting_with_wrong_classes_first_among_equals(seed, items, classes):
    random = np.random.default_rng(seed)
    scores = random.integers(0, 4, (items, classes)).astype(np.float32)
    labels = random.integers(0, classes, items)
    ours = ranks(scores, labels)
    assert ours.dtype == np.int64
    for row, label, rank in zip(scores, labels, ours, strict=True):
        order = sorted(range(classes), key=lambda c: (-row[c], c == label))
        assert order.index(label) == rank


def test_nan_counts_against_wherever_it_stands():
    nan = np.nan
    assert ranks([[nan, 1, 2], [5, nan, 2], [nan, nan, nan], [0, 1, nan]], [0, 0, 1, 1]).tolist() == [2, 1, 2, 1]


def test_top_k_and_the_mean_of_top_1_and_top_5():
    rank = np.array([0, 1, 4, 5])
    assert [top_k(rank, k) for k in (1, 2, 5, 6)] == [0.25, 0.5, 0.75, 1.0]
    assert mean_top1_top5(rank) == 0.5


def test_mean_per_class_counts_each_class_once():
    assert mean_per_class([True, True, False, True], [7, 7, 7, 3]) == pytest.approx((2 / 3 + 1) / 2)


def eleven_points(scores, relevant, ignored):
    """The development kit's loop: the best precision among the places whose recall is at least t."""
    kept = ~ignored
    order = sorted(np.flatnonzero(kept), key=lambda i: (-scores[i], relevant[i]))
    hits = np.cumsum([relevant[i] for i in order])
    total, tenths = hits[-1], 0.0
    for t in range(11):
        reached = [hits[n] / (n + 1) for n in range(len(order)) if 10 * hits[n] >= t * total]
        tenths += max(reached) / 11
    return tenths


@given(st.integers(0, 10_000), st.integers(2, 40), st.integers(1, 4))
def test_map11_is_the_development_kits_loop(seed, items, classes):
    random = np.random.default_rng(seed)
    scores = random.integers(0, 9, (items, classes))
    relevant, ignored = random.random((items, classes)) < 0.3, random.random((items, classes)) < 0.2
    relevant[0], ignored[0] = True, False
    plain = [eleven_points(scores[:, c], relevant[:, c], ignored[:, c]) for c in range(classes)]
    assert map11(scores, relevant, ignored) == pytest.approx(np.mean(plain), abs=1e-12)


def test_map11_by_hand():
    scores = [[0.9, 0], [0.8, 1], [0.7, 2]]
    relevant = [[True, False], [False, False], [True, False]]  # nothing shows the second class
    assert map11(scores, relevant) == pytest.approx((6 * 1 + 5 * 2 / 3) / 11)
    assert map11([[1], [1]], [[True], [False]]) == 0.5  # a tie: the wrong one goes first
    assert map11([[np.nan], [1]], [[True], [False]]) == 0.5
    assert map11([[1], [2]], [[True], [False]], [[False], [True]]) == 1.0
    with pytest.raises(DataError, match="no class has one"):
        map11([[1]], [[True]], [[True]])


@given(st.integers(0, 10_000), st.integers(2, 60))
def test_auc_is_the_rank_statistic(seed, items):
    random = np.random.default_rng(seed)
    scores, positive = random.integers(0, 12, items), random.random(items) < 0.4
    positive[:2] = True, False
    statistic = mannwhitneyu(scores[positive], scores[~positive], method="asymptotic").statistic
    assert auc(scores, positive) == pytest.approx(statistic / (positive.sum() * (~positive).sum()), abs=1e-12)


def test_auc_counts_nan_against():
    assert auc([np.nan, 3, 1], [True, True, False]) == 0.5
    assert auc([2, 3, np.nan], [True, True, False]) == 0.0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ranks(np.zeros((2, 3)), [0]), "disagree"),
        (lambda: ranks(np.zeros((2, 3)), [0, 3]), "label 3 of item 1 is not one of the 3 classes"),
        (lambda: ranks(np.zeros((2, 3)), [-1, 0]), "label -1 of item 0"),
        (lambda: top_k([], 1), "at least one item"),
        (lambda: mean_per_class([True], [1, 2]), "disagree"),
        (lambda: mean_per_class([], []), "at least one item"),
        (lambda: map11([[1]], [[True, False]]), r"all must be \(N, C\)"),
        (lambda: auc([1, 2], [True]), "disagree"),
        (lambda: auc([1, 2], [True, True]), "one of the kinds is absent"),
    ],
)
def test_what_cannot_be_measured_is_said_in_a_line(call, message):
    with pytest.raises(DataError, match=message):
        call()
