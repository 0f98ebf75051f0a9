"""The order of pictures between two texts, and how wide they spread along it."""

from __future__ import annotations

import numpy as np
import pytest
from support.fake_clip import FakeClip

from contralto.embeddings import unit
from contralto.errors import ContraltoError
from contralto.search.axis import Axis, encode_axis, relative_spread
from contralto.search.relevance import NOUNS


def random_rows(*shape: int, seed: int = 0) -> np.ndarray:
    return unit(np.random.default_rng(seed).standard_normal(shape))


def test_the_score_is_the_difference_of_the_two_cosines():
    rows = np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0.6, 0.8, 0, 0], [0, 0, 1, 0]], np.float32)
    axis = Axis(rows[0], rows[1])
    assert axis.scores(rows) == pytest.approx([-1, 1, 0.2, 0], abs=1e-6)
    assert axis.length() == pytest.approx(np.sqrt(2))
    turned = Axis(axis.end, axis.start)
    assert np.array_equal(turned.scores(rows), -axis.scores(rows))


def test_an_axis_between_equal_texts_has_no_direction():
    with pytest.raises(ContraltoError, match="the same embedding"):
        encode_axis(FakeClip(), "red", "something red")
    assert encode_axis(FakeClip(), "red", "blue").length() > 0.1


class NounEncoder(FakeClip):
    """Gives every noun a given embedding."""

    def __init__(self, nouns: np.ndarray) -> None:
        super().__init__()
        self.nouns = nouns

    def encode_labels(self, labels, templates="photo"):
        assert (list(labels), templates) == (list(NOUNS), None)
        return self.nouns


def plain_spread(nouns: np.ndarray, axis: Axis, rows: np.ndarray) -> float:
    """Pair by pair, from the scores themselves."""

    def deviation(start: np.ndarray, end: np.ndarray) -> float:
        direction = end.astype(np.float64) - start
        return float(np.std(rows @ direction / np.linalg.norm(direction)))

    usual = [deviation(nouns[i], nouns[j]) for i in range(len(nouns)) for j in range(i)]
    return deviation(axis.start, axis.end) / float(np.median(usual))


def test_the_spread_is_that_of_a_plain_reading():
    nouns, rows, texts = random_rows(len(NOUNS), 12), random_rows(300, 12, seed=1), random_rows(2, 12, seed=2)
    axis = Axis(*texts)
    assert relative_spread(NounEncoder(nouns), axis, rows) == pytest.approx(plain_spread(nouns, axis, rows), rel=1e-5)


def test_the_spread_does_not_depend_on_how_far_apart_the_texts_are():
    nouns, rows = random_rows(len(NOUNS), 12), random_rows(300, 12, seed=1)
    start, direction = np.eye(12, dtype=np.float32)[:2]
    near, far = (Axis(start, (start + step * direction).astype(np.float32)) for step in (0.01, 1))
    spreads = [relative_spread(NounEncoder(nouns), axis, rows) for axis in (near, far)]
    assert spreads[0] == pytest.approx(spreads[1], rel=1e-4)


def test_an_axis_that_the_pictures_vary_along_spreads_wide_and_another_does_not():
    rng = np.random.default_rng(3)
    rows = np.full((400, 12), 0.3) + rng.standard_normal((400, 12)) * np.array([1.0, *[0.2] * 10, 0.01])
    nouns, basis = random_rows(len(NOUNS), 12), np.eye(12, dtype=np.float32)
    wide, flat = Axis(-basis[0], basis[0]), Axis(-basis[11], basis[11])
    assert relative_spread(NounEncoder(nouns), wide, unit(rows)) > 1.5
    assert relative_spread(NounEncoder(nouns), flat, unit(rows)) < 0.5


def test_too_few_or_equal_pictures_have_no_spread():
    nouns, axis = random_rows(len(NOUNS), 12), Axis(*random_rows(2, 12, seed=2))
    rows = random_rows(8, 12, seed=1)
    assert relative_spread(NounEncoder(nouns), axis, rows[:7]) is None
    assert relative_spread(NounEncoder(nouns), axis, rows) is not None
    assert relative_spread(NounEncoder(nouns), axis, np.tile(rows[:1], (20, 1))) is None
