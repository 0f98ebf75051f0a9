"""Few-shot probes: which rows are drawn, how often, and what the result says."""

from __future__ import annotations

import numpy as np
import pytest
from support.drawn_features import drawn

from contralto.errors import ContraltoError
from contralto.probe import FewShot, LinearProbe, few_shot
from contralto.probe.few_shot import _turns


def test_draws_are_of_k_rows_a_class_nested_and_new_in_each_repeat(monkeypatch):
    rows = np.arange(60, dtype=np.float64)[:, None]
    labels = np.repeat([3, 1, 2], [10, 20, 30])
    drawn_rows = []
    plain = LinearProbe.fit

    def fit(self, given, truth):
        assert labels[given[:, 0].astype(int)].tolist() == truth.tolist()
        drawn_rows.append((set(given[:, 0]), sorted(np.bincount(truth)[1:])))
        return plain(self, given, truth)

    monkeypatch.setattr(LinearProbe, "fit", fit)
    few_shot(rows, labels, rows, labels, (4, 1), repeats=2, seed=7)
    assert [counts for _, counts in drawn_rows] == [[1] * 3, [4] * 3] * 2
    assert drawn_rows[0][0] < drawn_rows[1][0]
    assert drawn_rows[1][0] != drawn_rows[3][0]


def test_every_row_of_a_class_is_as_likely():
    places = np.array([0, 1, 0, 1, 1, 0])
    generator = np.random.default_rng(0)
    turns = np.array([_turns(places, generator) for _ in range(3000)])
    assert sorted(turns[0, places == 1]) == [0, 1, 2]
    np.testing.assert_allclose((turns == 0).mean(axis=0), 1 / 3, atol=0.04)


def test_more_shots_are_better_and_a_seed_is_a_result():
    rows, labels = drawn(800, 16, 5, apart=0.5)
    given = (rows[:400], labels[:400], rows[400:], labels[400:])
    curve = few_shot(*given, seed=3)
    assert curve.shots == (1, 2, 4, 8, 16)
    assert curve.accuracies.shape == (5, 3)
    assert curve.mean[-1] > curve.mean[0] + 0.1
    np.testing.assert_array_equal(few_shot(*given, seed=3).accuracies, curve.accuracies)
    assert (few_shot(*given, seed=4).accuracies != curve.accuracies).any()


def test_shots_that_reach_an_accuracy_by_hand():
    right = np.array([[2, 4], [5, 5], [7, 7]])  # of ten, in each of two draws
    predicted = np.where(np.arange(10) < right[:, :, None], "a", "b")
    curve = FewShot((1, 2, 8), predicted, np.full(10, "a"))
    assert curve.accuracies == pytest.approx(right / 10)
    assert curve.mean == pytest.approx([0.3, 0.5, 0.7])
    assert curve.reaches(0.6) == pytest.approx(4.0)  # half way from 2 to 8 in the logarithm
    assert curve.reaches(0.5) == pytest.approx(2.0)
    assert curve.reaches(0.1) == 1.0
    assert curve.reaches(0.71) is None


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"shots": (1, 4)}, "class b has 3 rows: too few for 4 shots"),
        ({"shots": (0, 1)}, "at least 1"),
        ({"shots": ()}, "at least 1"),
        ({"shots": (1,), "repeats": 0}, "at least 1"),
    ],
)
def test_what_cannot_be_drawn_is_one_line(options, says):
    rows = np.arange(8.0)[:, None]
    labels = ["a"] * 5 + ["b"] * 3
    with pytest.raises(ContraltoError, match=says):
        few_shot(rows, labels, rows, labels, **options)
