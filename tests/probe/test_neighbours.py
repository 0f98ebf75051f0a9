"""k-NN and prototypes against plain loops and hand-computed cases."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier
from support.drawn_features import drawn

from contralto.errors import ContraltoError
from contralto.probe import knn, prototypes
from contralto.probe.neighbours import _nearest


def unit(rows):
    return rows / np.linalg.norm(rows.astype(np.float64), axis=1, keepdims=True)


@pytest.mark.parametrize("k", [1, 20])
def test_the_vote_is_scikit_learns_with_these_weights(monkeypatch, k):
    monkeypatch.setattr("contralto.probe.neighbours.KNOWN_PER_BLOCK", 37)
    monkeypatch.setattr("contralto.probe.neighbours.QUERIES_PER_BLOCK", 19)
    rows, labels = drawn(400, 10, 6)
    peer = KNeighborsClassifier(k, metric="cosine", algorithm="brute", weights=lambda far: np.exp((1 - far) / 0.07))
    expected = peer.fit(rows[:300].astype(np.float64), labels[:300]).predict(rows[300:].astype(np.float64))
    assert knn(rows[:300], labels[:300], rows[300:], k).tolist() == expected.tolist()


def test_a_near_row_outvotes_two_that_are_far_when_the_temperature_is_low():
    rows = np.array([[1.0, 0.0], [0.0, 5.0], [0.0, 2.0]])
    labels = ["near", "far", "far"]
    asked = [[3.0, 1.0]]
    assert knn(rows, labels, asked, 3, temperature=0.07).tolist() == ["near"]
    assert knn(rows, labels, asked, 3, temperature=100.0).tolist() == ["far"]
    assert knn(rows, labels, asked, 99, temperature=1e-4).tolist() == ["near"]


def test_among_equal_rows_the_first_counts_whatever_the_blocks(monkeypatch):
    rows = np.tile(np.array([[0.3, -0.2, 0.7]]), (50, 1))
    query = unit(rows[:1])
    for block in (50, 7, 1):
        monkeypatch.setattr("contralto.probe.neighbours.KNOWN_PER_BLOCK", block)
        cosines, places = _nearest(rows, query, 5)
        assert sorted(places[0]) == [0, 1, 2, 3, 4]
        np.testing.assert_allclose(cosines, 1.0)


def test_negative_cosines_are_kept_as_they_are():
    rows = np.array([[1.0, 0.0], [-1.0, 0.0], [-3.0, 4.0]])
    cosines, places = _nearest(rows, np.array([[1.0, 0.0]]), 3)
    assert dict(zip(places[0].tolist(), cosines[0].round(8).tolist(), strict=True)) == {0: 1.0, 1: -1.0, 2: -0.6}


def test_prototypes_are_means_of_unit_rows(monkeypatch):
    monkeypatch.setattr("contralto.probe.neighbours.KNOWN_PER_BLOCK", 41)
    monkeypatch.setattr("contralto.probe.neighbours.QUERIES_PER_BLOCK", 13)
    rows, labels = drawn(300, 8, 4)
    rows = rows * np.random.default_rng(0).uniform(0.1, 9, (300, 1))
    means = unit(np.stack([unit(rows[:200])[labels[:200] == one].mean(axis=0) for one in range(4)]))
    expected = (unit(rows[200:]) @ means.T).argmax(axis=1)
    assert prototypes(rows[:200], labels[:200], rows[200:]).tolist() == expected.tolist()


@pytest.mark.parametrize("classify", [knn, prototypes])
@pytest.mark.parametrize(
    ("rows", "labels", "asked", "says"),
    [
        ([[1.0, 0.0], [0.0, 0.0]], [0, 1], [[1.0, 0.0]], "rows: row 1 is all zeros"),
        ([[1.0, 0.0], [0.0, 1.0]], [0, 1], [[0.0, 0.0]], "test rows: row 0 is all zeros"),
        ([[1.0, 0.0], [0.0, 1.0]], [0, 1], [[1.0]], "1 columns"),
        ([[1.0, 0.0], [0.0, 1.0]], [0], [[1.0, 0.0]], "2 rows"),
    ],
)
def test_what_has_no_direction_or_does_not_fit_is_one_line(classify, rows, labels, asked, says):
    with pytest.raises(ContraltoError, match=says):
        classify(rows, labels, asked)


@pytest.mark.parametrize(
    ("k", "temperature", "said"),
    [(0, 0.07, "k must be a whole number of at least 1"), (3, 0.0, "temperature .* above 0")],
)
def test_k_and_temperature_are_above_zero(k, temperature, said):
    with pytest.raises(ContraltoError, match=said):
        knn([[1.0], [2.0]], [0, 1], [[1.0]], k, temperature)
