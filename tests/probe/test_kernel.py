"""KernelProbe against its formula in plain NumPy, and leave-one-out against as many refits."""

from __future__ import annotations

import numpy as np
import pytest
from support.drawn_classes import drawn_classes, unit

from contralto.errors import ContraltoError
from contralto.probe import KernelProbe
from contralto.probe.kernel import KernelProblem, _lower_inverse, closeness

SIZES = {"one shot": [1, 1, 1, 1], "an empty class": [5, 0, 4], "unequal classes": [40, 2, 9], "two classes": [6, 7]}


def plain(rows, labels, zero_shot, test, strength, beta):
    """The formula with loops for the kernel and an explicit inverse."""

    def kernel(left, right):
        return np.array([[np.exp(-beta * (1 - one @ other)) for other in right] for one in left])

    scale = np.sqrt((zero_shot[0] ** 2).sum())
    wanted = np.array([[float(label == place) for place in range(len(zero_shot))] for label in labels])
    lacking = wanted - rows @ zero_shot.T / scale
    inverse = np.linalg.inv(kernel(rows, rows) + np.eye(len(rows)) / strength)
    return test @ zero_shot.T + scale * kernel(test, rows) @ inverse @ lacking


@pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize(("strength", "beta"), [(10.0, 5.5), (0.1, 1.0), (1e4, 20.0)])
def test_the_formula(sizes, strength, beta):
    rows, labels, zero_shot = drawn_classes(sizes)
    test = drawn_classes([4] * len(sizes), seed=1)[0]
    probe = KernelProbe(strength, beta).fit(rows, labels, zero_shot)
    expected = plain(rows, labels, zero_shot, test, strength, beta)
    np.testing.assert_allclose(probe.decision_function(test), expected, atol=1e-9)
    stored = test @ zero_shot.T + np.exp(-beta * (1 - test @ probe.keys_.T)) @ probe.weights_
    np.testing.assert_allclose(stored, expected, atol=1e-9)


def test_by_hand():
    """One row, at 60 degrees to the next: k = exp(-2 ln 2 / 2) = 1/2 and (1 + 1)^-1 = 1/2; the scale is 2."""
    rows, test = [[1.0, 0.0]], [[0.5, np.sqrt(0.75)]]
    probe = KernelProbe(1.0, 2 * np.log(2)).fit(rows, [1], [[2.0, 0.0], [0.0, 2.0]])
    np.testing.assert_allclose(probe.weights_, [[-1.0, 1.0]])
    np.testing.assert_allclose(probe.decision_function(test), [[1 - 0.5, 2 * np.sqrt(0.75) + 0.5]])


def test_a_strength_towards_zero_is_zero_shot():
    rows, labels, zero_shot = drawn_classes([5, 5])
    logits = KernelProbe(1e-12).fit(rows, labels, zero_shot).decision_function(rows)
    np.testing.assert_allclose(logits, rows @ zero_shot.T, atol=1e-8)


@pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES)
def test_leaving_one_out_is_a_refit_without_it(sizes):
    rows, labels, zero_shot = drawn_classes(sizes)
    left_out = KernelProbe().fit(rows, labels, zero_shot).leave_out()
    for row in range(len(rows)):
        others = np.arange(len(rows)) != row
        refit = KernelProbe().fit(rows[others], labels[others], zero_shot)
        np.testing.assert_allclose(left_out[row], refit.decision_function(rows[row : row + 1])[0], atol=1e-9)


@pytest.mark.parametrize("strength", [0.1, 10.0, 1e3])
def test_leaving_groups_out_is_a_refit_without_them(strength):
    rows, labels, zero_shot = drawn_classes([9, 6, 0, 12])
    rows[::2] = unit(rows[1::2].repeat(2, axis=0)[: len(rows[::2])] + 0.01 * rows[::2])  # views that are much alike
    groups = np.array([7, -3, 7, 2, 7, 5, 5, 11, *range(20, 39)])[np.random.default_rng(0).permutation(27)]
    left_out = KernelProblem(rows, labels, zero_shot).solve(strength).leave_out(groups)
    for group in np.unique(groups):
        out = groups == group
        refit = KernelProbe(strength).fit(rows[~out], labels[~out], zero_shot)
        np.testing.assert_allclose(left_out[out], refit.decision_function(rows[out]), atol=1e-8)


def test_without_any_other_row_the_logits_are_zero_shot():
    rows, labels, zero_shot = drawn_classes([3, 2])
    left_out = KernelProbe().fit(rows, labels, zero_shot).leave_out(np.zeros(5, int))
    np.testing.assert_allclose(left_out, rows @ zero_shot.T, atol=1e-9)


def test_one_problem_serves_many_strengths():
    rows, labels, zero_shot = drawn_classes([30, 50, 70])
    problem = KernelProblem(rows, labels, zero_shot, 3.0)
    for strength in (0.5, 20.0):
        alone = KernelProbe(strength, 3.0).fit(rows, labels, zero_shot)
        solution = problem.solve(strength)
        np.testing.assert_array_equal(solution.weights, alone.weights_)
        np.testing.assert_array_equal(solution.leave_out(), alone.leave_out())
        np.testing.assert_array_equal(KernelProbe().take(problem, solution).predict(rows), alone.predict(rows))


def test_what_was_fitted_counts_until_the_next_fit():
    rows, labels, zero_shot = drawn_classes([4, 5])
    probe = KernelProbe().fit(rows, labels, zero_shot)
    logits, left_out = probe.decision_function(rows), probe.leave_out()
    probe.set_params(strength=1e-3, beta=1.0)
    np.testing.assert_array_equal(probe.decision_function(rows), logits)
    np.testing.assert_array_equal(probe.leave_out(), left_out)


@pytest.mark.parametrize("count", [1, 64, 65, 200])
def test_the_inverse_of_a_triangle(count):
    lower = np.tril(np.random.default_rng(0).standard_normal((count, count)) / count) + np.eye(count)
    inverse = _lower_inverse(lower)
    np.testing.assert_allclose(inverse @ lower, np.eye(count), atol=1e-12)
    assert (np.triu(inverse, 1) == 0).all()


def test_closeness():
    rows = unit(np.array([[1.0, 0.0], [1.0, 1.0]]))
    expected = [[1.0, np.exp(-2 * (1 - np.sqrt(0.5)))], [np.exp(-2 * (1 - np.sqrt(0.5))), 1.0]]
    np.testing.assert_allclose(closeness(rows, rows, 2.0), expected)
    np.testing.assert_array_equal(rows, unit(np.array([[1.0, 0.0], [1.0, 1.0]])))
    assert closeness(rows.astype(np.float32), rows.astype(np.float32), 2.0).dtype == np.float64


def test_errors_are_one_line():
    rows, labels, zero_shot = drawn_classes([2, 2])
    with pytest.raises(ContraltoError, match="row 0 is all zeros, but its length is the scale"):
        KernelProbe().fit(rows, labels, np.zeros_like(zero_shot))
    with pytest.raises(ContraltoError, match="call fit first"):
        KernelProbe().leave_out()
    for groups in ([0, 1], np.zeros(4), [[0, 0, 0, 0]]):
        with pytest.raises(ContraltoError, match="a whole number for each of 4 rows"):
            KernelProbe().fit(rows, labels, zero_shot).leave_out(groups)
    with pytest.raises(ContraltoError, match="too long for a probe by cosine"):
        KernelProbe().fit(100 * rows, labels, zero_shot)
    alike = np.repeat(rows[:1], 4, axis=0)
    with pytest.raises(ContraltoError, match=r"strength 1e\+300 is too large for rows so much alike"):
        KernelProbe(1e300).fit(alike, labels, zero_shot)
