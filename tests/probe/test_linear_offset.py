"""LinearProbe with an offset against SciPy's minimisation of the objective, written out, and its borders."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize
from sklearn.base import clone
from support.drawn_classes import drawn_classes

from contralto.errors import ContraltoError
from contralto.probe import LinearProbe
from contralto.probe.lbfgs import MAX_GAP
from contralto.probe.linear import Problem
from contralto.probe.objective import Objective
from contralto.probe.on_torch import TorchObjective

SIZES = {"one shot": [1, 1, 1, 1], "an empty class": [5, 0, 4], "unequal classes": [40, 2, 9], "two classes": [6, 7]}


def objective(coef, strength, rows, labels, offset):
    """(value, gradient) of strength sum(losses) + 1/2 |coef|^2."""
    coef = coef.reshape(offset.shape[1], rows.shape[1])
    logits = offset + rows @ coef.T
    logits -= logits.max(axis=1, keepdims=True)
    whole = np.exp(logits).sum(axis=1)
    value = strength * (np.log(whole) - logits[np.arange(len(rows)), labels]).sum() + 0.5 * (coef**2).sum()
    residuals = np.exp(logits) / whole[:, None] - np.eye(offset.shape[1])[labels]
    return value, (strength * residuals.T @ rows + coef).ravel()


@pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize("strength", [1e-4, 1.0, 1e3])
def test_the_objective_is_that_of_scipy(sizes, strength):
    rows, labels, zero_shot = drawn_classes(sizes)
    offset = rows @ zero_shot.T
    probe = LinearProbe(strength).fit(rows, labels, offset)
    given = (strength, rows, labels, offset)
    peer = minimize(
        objective, np.zeros(probe.coef_.size), given, "L-BFGS-B", True,
        options={"maxiter": 20000, "maxfun": 40000, "ftol": 0, "gtol": 1e-9, "maxcor": 30},
    )  # fmt: skip
    value, gradient = objective(probe.coef_, *given)
    assert value == pytest.approx(peer.fun, rel=1e-6)
    assert gradient @ gradient / 2 <= 1e-6 * value  # the objective is strongly convex with modulus 1
    assert probe.gap_ <= MAX_GAP
    assert probe.coef_.shape == (len(sizes), 16)
    assert not probe.intercept_.any()
    assert probe.classes_.tolist() == [*range(len(sizes))]


def test_logits_are_the_offset_and_what_was_fitted(monkeypatch):
    rows, labels, zero_shot = drawn_classes([5, 6])
    test = drawn_classes([4, 4], seed=1)[0]
    probe = LinearProbe(1.0).fit(rows, labels, rows @ zero_shot.T)
    logits = test @ zero_shot.T + test @ probe.coef_.T
    np.testing.assert_allclose(probe.decision_function(test, test @ zero_shot.T), logits, atol=1e-12)
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(probe.predict_proba(test, test @ zero_shot.T), shares, rtol=1e-10)
    monkeypatch.setattr("contralto.probe.linear.ROWS_PER_BLOCK", 3)
    np.testing.assert_array_equal(probe.predict(test, test @ zero_shot.T), logits.argmax(axis=1))
    expected = np.mean(logits.argmax(axis=1) == [0, 1] * 4)
    assert probe.score(test, [0, 1] * 4, test @ zero_shot.T) == expected


def test_a_strength_towards_zero_is_the_offset_alone():
    rows, labels, zero_shot = drawn_classes([5, 0, 6])
    offset = rows @ zero_shot.T
    probe = LinearProbe(1e-9).fit(rows, labels, offset)
    np.testing.assert_allclose(probe.decision_function(rows, offset), offset, atol=1e-6)


def test_an_offset_that_is_right_and_certain_needs_nothing():
    rows, labels, _ = drawn_classes([5, 6])
    probe = LinearProbe(1.0).fit(rows, labels, 1e6 * np.eye(2)[labels])
    assert (probe.gap_, probe.n_iter_) == (0.0, 0)
    assert not probe.coef_.any()


def test_a_constant_added_to_all_offsets_of_a_row_changes_nothing():
    rows, labels, zero_shot = drawn_classes([9, 12, 7])
    offset = rows @ zero_shot.T
    one, other = LinearProbe().fit(rows, labels, offset), LinearProbe().fit(rows, labels, offset + 1e6 * rows[:, :1])
    np.testing.assert_allclose(other.coef_, one.coef_, atol=1e-4)


def test_a_path_of_strengths_starts_from_its_neighbours():
    rows, labels, zero_shot = drawn_classes([60, 80, 70], seed=3)
    offset = rows @ zero_shot.T
    problem = Problem(rows, labels, None, offset)
    neighbour, cold = problem.solve(100.0), problem.solve(130.0)
    warm = problem.solve(130.0, neighbour.theta, neighbour)
    values = [objective(LinearProbe().take(problem, one).coef_, 130.0, rows, labels, offset)[0] for one in (warm, cold)]
    assert values[0] == pytest.approx(values[1], rel=1e-6)
    assert warm.iterations < cold.iterations
    again = problem.solve(130.0, problem.start_from(LinearProbe().take(problem, cold)))
    assert again.iterations == 0


def test_the_pass_by_torch_is_that_of_numpy(monkeypatch):
    rows, labels, zero_shot = drawn_classes([60, 0, 70])
    offset = rows @ zero_shot.T
    monkeypatch.setattr("contralto.probe.objective.LOGITS_PER_BLOCK", 3)  # blocks of 64 rows
    monkeypatch.setattr("contralto.probe.on_torch.LOGITS_PER_BLOCK", 3)
    plain, by_torch = Objective(rows, labels, 3, offset), TorchObjective(rows, labels, 3, "cpu", offset)
    theta = np.vstack([np.random.default_rng(0).standard_normal((16, 3)), np.zeros(3)])
    one, other = plain.at(theta, 1e-3), by_torch.at(theta, 1e-3)
    assert other.value == pytest.approx(one.value, rel=1e-12)
    np.testing.assert_allclose(other.gradient, one.gradient, atol=1e-12)
    assert not other.gradient[-1].any()
    probes = [LinearProbe(device=device).fit(rows, labels, offset) for device in (None, "cpu")]
    np.testing.assert_allclose(probes[1].coef_, probes[0].coef_, atol=1e-3)


def test_with_or_without_an_offset_is_what_was_fitted():
    rows, labels, zero_shot = drawn_classes([5, 6])
    offset = rows @ zero_shot.T
    probe = LinearProbe().fit(rows, labels, offset)
    for call in (probe.predict, probe.decision_function, probe.predict_proba):
        with pytest.raises(ContraltoError, match="fitted with an offset: give the offset of these rows"):
            call(rows)
    with pytest.raises(ContraltoError, match="fitted without an offset: give none"):
        LinearProbe().fit(rows, labels).predict(rows, offset)
    assert clone(probe).fit(rows, labels).intercept_.shape == (1,)


ROWS, LABELS, ZERO_SHOT = drawn_classes([2, 2, 2])


@pytest.mark.parametrize(
    ("labels", "offset", "says"),
    [
        (LABELS, np.zeros((5, 3)), r"offset has the shape \(5, 3\): give logits \(6, K\)"),
        (LABELS, np.zeros((6, 1)), "of at least two classes"),
        (LABELS, np.zeros(6), "offset are float64 of shape"),
        (LABELS, np.full((6, 3), np.nan), "offset: row 0 is not finite"),
        (LABELS, np.full((6, 3), 1e30), r"numbers as large as 1e\+30, which is too large for logits"),
        (LABELS, np.zeros((6, 2)), "label 2 of item . is not one of the 2 classes"),
        ([*"abcabc"], np.zeros((6, 3)), "give the index of each row's class"),
    ],
)
def test_what_cannot_be_fitted_is_one_line(labels, offset, says):
    with pytest.raises(ContraltoError, match=says) as caught:
        LinearProbe().fit(ROWS, labels, offset)
    assert "\n" not in str(caught.value)
    with pytest.raises(ContraltoError, match=r"give logits \(6, 3\)"):
        LinearProbe().fit(ROWS, LABELS, ROWS @ ZERO_SHOT.T).predict(ROWS, np.zeros((6, 4)))
