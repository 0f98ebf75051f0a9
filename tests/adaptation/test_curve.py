"""The learning curve: nested draws, and what the last doubling brought."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from support.adaptable import digests, drawn_rows

from contralto.adaptation.choose import by_default
from contralto.adaptation.curve import Curve, curve, fit_draws
from contralto.adaptation.methods import CLASSIFIERS


def drawn(sizes, seed=0):
    rows = drawn_rows(sizes)
    return rows, fit_draws(by_default(CLASSIFIERS["tip"], ""), rows, digests(rows.count), seed, lambda *told: None)


def test_each_point_is_fitted_to_so_many_pictures_of_each_class_in_all_views():
    rows, fitted = drawn((11, 3, 6))
    assert [(count, len(several)) for count, several in fitted] == [(1, 3), (2, 3), (4, 3), (8, 3), (11, 1)]
    for count, several in fitted:
        for one in several:
            sizes = one.tensors["weights"].sum(axis=0)  # of tip: the one-hot labels of its keys
            assert sizes.tolist() == [2 * min(count, size) for size in (11, 3, 6)]
    assert len(fitted[-1][1][0].tensors["keys"]) == 2 * rows.count


def test_within_a_draw_fewer_pictures_are_a_subset_of_more_and_draws_differ():
    _, fitted = drawn((11, 11))
    keys = [[{tuple(key) for key in one.tensors["keys"]} for one in several] for _, several in fitted[:-1]]
    for fewer, more in itertools.pairwise(keys):
        assert all(one < other for one, other in zip(fewer, more, strict=True))
    assert keys[0][0] != keys[0][1]
    _, again = drawn((11, 11), seed=1)
    assert {tuple(key) for key in again[0][1][0].tensors["keys"]} == keys[0][1]  # seeds follow one another


def test_the_curve_holds_the_accuracies_and_their_means():
    _, fitted = drawn((3, 3))
    figures = iter([0.4, 0.5, 0.6, 0.6, 0.6, 0.9, 0.8])
    made = curve(fitted, lambda classifier: next(figures), 0.3)
    assert made == Curve((1, 2, 3), ((0.4, 0.5, 0.6), (0.6, 0.6, 0.9), (0.8,)), 0.3)
    assert np.allclose(made.means, [0.5, 0.7, 0.8])


@pytest.mark.parametrize(
    ("shots", "means", "gain"),
    [
        ((1, 2, 4), (0.5, 0.6, 0.65), 0.05),
        ((1, 2, 4, 5), (0.5, 0.6, 0.7, 0.7), 0.1 * (1 - np.log2(2.5 / 2))),  # half of 5 lies between 2 and 4
        ((1, 2, 3), (0.5, 0.6, 0.8), 0.8 - (0.5 + 0.1 * np.log2(1.5))),
        ((1,), (0.5,), None),
    ],
)
def test_the_last_doubling_is_from_half_of_the_pictures_to_all(shots, means, gain):
    got = Curve(shots, tuple((one,) for one in means), 0.4).last_doubling
    assert got == (None if gain is None else pytest.approx(gain))
