"""The linear probe and L-BFGS against scikit-learn run to convergence, and against properties of the objective."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from support.drawn_features import drawn

from contralto.errors import ContraltoError
from contralto.probe import LinearProbe
from contralto.probe.lbfgs import MAX_GAP, minimise
from contralto.probe.linear import Problem
from contralto.probe.objective import Objective


def objective(probe, strength, rows, labels):
    """scikit-learn's, written out in float64, of one logit or of K."""
    logits = rows.astype(np.float64) @ probe.coef_.T + probe.intercept_
    if logits.shape[1] == 1:
        logits = np.hstack([np.zeros_like(logits), logits])
    places = np.searchsorted(probe.classes_, labels)
    right = logits[np.arange(len(logits)), places]
    losses = np.log(np.exp(logits - right[:, None]).sum(axis=1))
    return strength * losses.sum() + 0.5 * np.sum(probe.coef_.astype(np.float64) ** 2)


def peer(strength, rows, labels):
    return LogisticRegression(C=strength, solver="newton-cholesky", tol=1e-10).fit(rows.astype(np.float64), labels)


@pytest.mark.parametrize("strength", [1e-6, 1e-3, 0.316, 30.0, 1e4])
@pytest.mark.parametrize("classes", [2, 7])
def test_the_objective_and_the_predictions_are_those_of_scikit_learn(strength, classes):
    rows, labels = drawn(600, 12, classes)
    ours, theirs = LinearProbe(strength).fit(rows, labels), peer(strength, rows, labels)
    loss, expected = objective(ours, strength, rows, labels), objective(theirs, strength, rows, labels)
    assert loss <= expected * (1 + 1e-6)
    assert loss >= expected * (1 - 1e-6)
    assert np.mean(ours.predict(rows) == theirs.predict(rows)) >= 0.999
    assert ours.coef_.shape == theirs.coef_.shape
    assert ours.intercept_.shape == theirs.intercept_.shape
    np.testing.assert_allclose(ours.predict_proba(rows), theirs.predict_proba(rows), atol=5e-3)
    assert ours.decision_function(rows).shape == theirs.decision_function(rows).shape


def test_fewer_rows_than_columns_and_classes_that_can_be_told_apart_without_fault():
    rows, labels = drawn(40, 60, 5, apart=2.0)
    ours, theirs = LinearProbe(1e4).fit(rows, labels), peer(1e4, rows, labels)
    assert ours.score(rows, labels) == 1.0
    expected = objective(theirs, 1e4, rows, labels)
    assert objective(ours, 1e4, rows, labels) == pytest.approx(expected, rel=1e-6)


def test_columns_of_very_different_scale_cost_few_iterations():
    rows, labels = drawn(2000, 16, 4)
    scaled = rows * np.logspace(-3, 3, 16, dtype=np.float32)
    probe = LinearProbe(1.0).fit(scaled, labels)
    assert probe.gap_ <= MAX_GAP
    assert probe.n_iter_ < 60


def test_where_float32_says_no_more_float64_goes_on():
    """Weak regularisation of large features: the gradient has to be known to more digits than float32 sums have."""
    rows, labels = drawn(500, 12, 5)
    problem = Problem(rows * np.float32(3000), labels)
    minimum = problem.solve(1e4)
    assert minimum.gap <= MAX_GAP
    float32 = problem.objective.at(minimum.theta, minimum.ridge, np.float32).gradient
    assert np.vdot(float32[:-1], float32[:-1]) / (2 * minimum.ridge) > 100 * minimum.gap


def test_a_constant_column_and_equal_rows_are_borne():
    rows, labels = drawn(90, 6, 3)
    rows[:, 2] = 5.0
    rows[1] = rows[0]
    labels[1] = (labels[0] + 1) % 3
    probe = LinearProbe(1.0).fit(rows, labels)
    assert np.abs(probe.coef_[:, 2]).max() < 1e-6
    assert objective(probe, 1.0, rows, labels) == pytest.approx(objective(peer(1.0, rows, labels), 1.0, rows, labels))


def test_two_rows_two_classes_by_hand():
    """Rows -1 and 1: w minimises log(1 + exp(-w)) 2 C + w^2 / 2, so w = 2 C / (1 + exp(w)); C = (1 + e) / 2 gives 1."""
    probe = LinearProbe((1 + np.e) / 2).fit([[-1.0], [1.0]], ["no", "yes"])
    assert probe.coef_ == pytest.approx(1.0, abs=2e-3)
    assert probe.intercept_ == pytest.approx(0.0, abs=1e-3)
    assert probe.predict([[-0.1], [0.1]]).tolist() == ["no", "yes"]
    assert probe.predict_proba([[0.0]])[0] == pytest.approx([0.5, 0.5], abs=1e-3)


def test_gradient_and_curvature_by_differences():
    rows, labels = drawn(150, 5, 3)
    one = Objective(rows, labels, 3)
    generator = np.random.default_rng(1)
    theta, direction = generator.standard_normal((2, 6, 3))
    before, after = (one.at(theta + sign * 1e-2 * direction, 0.1) for sign in (-1, 1))
    slope = np.vdot(one.at(theta, 0.1).gradient, direction)
    assert (after.value - before.value) / 2e-2 == pytest.approx(slope, rel=1e-3)
    logits = (rows - rows.mean(axis=0)) @ one.as_given(theta)[0].T + theta[-1]
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(one.at(theta, 0.1).spread, (shares * (1 - shares)).mean(axis=0), rtol=1e-4)


def test_losses_far_below_the_precision_of_one_are_kept():
    rows = np.array([[-30.0], [30.0]], np.float32)
    one = Objective(rows, np.array([0, 1]), 2)
    theta = (
        np.array([[-0.5], [0.0]]) * np.array([1.0, -1.0]) * np.sign(one.as_given(np.array([[-1.0, 1], [0, 0]]))[0][1])
    )
    assert one.at(theta, 0.0).value == pytest.approx(np.exp(-30.0), rel=1e-5)


def test_blocks_do_not_matter(monkeypatch):
    rows, labels = drawn(500, 8, 4)
    whole = LinearProbe(1.0).fit(rows, labels)
    monkeypatch.setattr("contralto.probe.objective.LOGITS_PER_BLOCK", 4)
    monkeypatch.setattr("contralto.probe.objective.ROWS_PER_BLOCK", 33)
    monkeypatch.setattr("contralto.probe.linear.ROWS_PER_BLOCK", 33)
    blocks = LinearProbe(1.0).fit(rows, labels)
    np.testing.assert_allclose(blocks.coef_, whole.coef_, atol=1e-4)
    assert blocks.predict(rows).tolist() == whole.predict(rows).tolist()


def test_each_iteration_lowers_the_objective(monkeypatch):
    rows, labels = drawn(400, 10, 5)
    problem = Problem(rows, labels)
    values = []
    for most in range(12):
        monkeypatch.setattr("contralto.probe.lbfgs.MAX_ITERATIONS", most)
        minimum = problem.solve(10.0)
        values.append(problem.objective.at(minimum.theta, problem.ridge(10.0)).value)
        assert minimum.iterations == most
    assert (np.diff(values) < 0).all()


def test_the_gap_bounds_what_is_left(monkeypatch):
    rows, labels = drawn(400, 10, 5)
    problem = Problem(rows, labels)
    ridge = problem.ridge(10.0)
    least = problem.objective.at(problem.solve(10.0).theta, ridge).value
    monkeypatch.setattr("contralto.probe.lbfgs.MAX_GAP", 1e-2)
    monkeypatch.setattr("contralto.probe.lbfgs.MAX_GAIN_GAP", 1e-2)
    early = problem.solve(10.0)
    value = problem.objective.at(early.theta, ridge).value
    assert 1e-7 < (value - least) / value <= early.gap <= 1e-2


def test_a_warm_start_ends_where_a_cold_one_does_and_sooner():
    rows, labels = drawn(800, 20, 6)
    problem = Problem(rows, labels)
    neighbour, cold = problem.solve(100.0), problem.solve(130.0)
    warm = problem.solve(130.0, neighbour.theta, neighbour)
    ridge = problem.ridge(130.0)
    values = [problem.objective.at(one.theta, ridge).value for one in (warm, cold)]
    assert values[0] == pytest.approx(values[1], rel=1e-6)
    assert warm.iterations < cold.iterations
    assert minimise(problem.objective, ridge, cold.theta).iterations == 0


@pytest.mark.parametrize(
    ("rows", "labels", "says"),
    [
        ([[1.0, np.nan], [0, 1]], [0, 1], "row 0 is not finite"),
        ([[1.0], [np.inf]], [0, 1], "row 1 is not finite"),
        ([[1.0], [2.0]], [0, 1, 1], "2 rows"),
        ([[1.0], [2.0]], [1, 1], "at least two classes"),
        ([1.0, 2.0], [0, 1], "shape"),
        (np.zeros((0, 3)), [], "shape"),
        ([["a"], ["b"]], [0, 1], "numbers"),
        ([[1.0], [2.0]], [0.0, np.nan], "label 1 is not finite"),
    ],
)
def test_what_cannot_be_fitted_is_one_line(rows, labels, says):
    with pytest.raises(ContraltoError, match=says) as caught:
        LinearProbe().fit(rows, labels)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("strength", [0.0, -1.0, np.nan, np.inf, "1"])
def test_a_strength_is_above_zero(strength):
    with pytest.raises(ContraltoError, match="above 0"):
        LinearProbe(strength).fit([[0.0], [1.0]], [0, 1])


def test_a_probe_is_fitted_first_and_keeps_its_columns():
    with pytest.raises(ContraltoError, match="call fit first"):
        LinearProbe().predict([[0.0]])
    with pytest.raises(ContraltoError, match="1 columns"):
        LinearProbe().fit([[0.0, 1.0], [1.0, 0.0]], [0, 1]).predict([[0.0]])
