"""Calibration by hand, against plain loops over the bins, and against SciPy's minimisers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq, minimize, minimize_scalar
from scipy.special import expit, logsumexp

from contralto.errors import DataError
from contralto.metrics import brier, calibration, ece, platt, reliability, temperature


def test_ece_by_hand():
    confidence, right = [0.95, 0.85, 0.85, 0.05], [True, True, False, False]
    assert ece(confidence, right, bins=10) == pytest.approx((1 * 0.05 + 2 * 0.35 + 1 * 0.05) / 4)
    assert ece([1.0, 1.0], [True, True]) == 0.0
    assert ece([0.0], [True]) == 1.0


def test_a_bin_has_its_upper_edge_and_zero_goes_into_the_first():
    edges = [number / 15 for number in range(16)]
    assert reliability(edges, [True] * 16).count.tolist() == [2] + [1] * 14
    just_above = np.nextafter(edges[:-1], 1)
    assert reliability(just_above, [True] * 15).count.tolist() == [1] * 15


@given(st.integers(0, 10_000), st.integers(1, 80), st.integers(1, 20))
def test_ece_is_the_sum_over_the_bins(seed, items, bins):
    random = np.random.default_rng(seed)
    confidence, right = random.random(items), random.random(items) < 0.6
    total, diagram = 0.0, reliability(confidence, right, bins)
    for number in range(bins):
        low, high = number / bins, (number + 1) / bins
        inside = (confidence > low) & (confidence <= high)
        assert (diagram.low[number], diagram.high[number], diagram.count[number]) == (low, high, inside.sum())
        if inside.any():
            assert diagram.accuracy[number] == pytest.approx(right[inside].mean())
            assert diagram.confidence[number] == pytest.approx(confidence[inside].mean())
            total += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
        else:
            assert np.isnan([diagram.accuracy[number], diagram.confidence[number]]).all()
    assert ece(confidence, right, bins) == pytest.approx(total, abs=1e-12)


def test_brier_by_hand():
    assert brier([1.0, 0.5, 0.2], [True, True, False]) == pytest.approx((0 + 0.25 + 0.04) / 3)


@pytest.mark.parametrize("scale", [1.0, 1e-4, 1e3])
@pytest.mark.parametrize("seed", range(4))
def test_the_temperature_is_that_of_scipys_minimiser(seed, scale, monkeypatch):
    monkeypatch.setattr(calibration, "LOGITS_PER_BLOCK", 300)  # several blocks
    random = np.random.default_rng(seed)
    logits = random.standard_normal((400, 7)) * scale * 3
    labels = np.where(random.random(400) < 0.5, logits.argmax(axis=1), random.integers(0, 7, 400))

    def slope(factor):
        weights = np.exp(factor * logits - logsumexp(factor * logits, axis=1, keepdims=True))
        return np.mean((weights * logits).sum(axis=1) - logits[np.arange(400), labels])

    expected = 1 / brentq(slope, 1e-3 / scale, 1e2 / scale, xtol=1e-14 / scale, rtol=1e-14)
    assert temperature(logits, labels) == pytest.approx(expected, rel=1e-9)
    theirs = minimize_scalar(
        lambda t: np.mean(logsumexp(logits / t, axis=1) - logits[np.arange(400), labels] / t),
        bounds=(expected / 10, expected * 10),
        method="bounded",
        options={"xatol": 1e-9 * scale},
    )
    assert temperature(logits, labels) == pytest.approx(theirs.x, rel=1e-6)


def test_the_temperature_follows_the_logits_scale_and_ignores_their_offset():
    random = np.random.default_rng(1)
    logits, labels = random.standard_normal((300, 5)), random.integers(0, 5, 300)
    labels[:150] = logits[:150].argmax(axis=1)
    one = temperature(logits, labels)
    assert temperature(logits * 100, labels) == pytest.approx(100 * one, rel=1e-9)
    assert temperature(logits + random.standard_normal((300, 1)) * 50, labels) == pytest.approx(one, rel=1e-9)


def test_nearly_separable_logits_have_a_small_temperature():
    logits = np.array([[1.0, 0.0]] * 100_000)
    labels = np.zeros(100_000, int)
    labels[0] = 1
    assert temperature(logits, labels) == pytest.approx(1 / np.log(99_999), rel=1e-9)


def test_platt_is_scipys_logistic_fit():
    random = np.random.default_rng(3)
    scores = random.standard_normal(500) * 3 + 40
    right = random.random(500) < expit(0.8 * (scores - 41))

    def loss(at):
        return np.mean(np.logaddexp(0, at[0] * (scores - 40) + at[1]) - right * (at[0] * (scores - 40) + at[1]))

    theirs = minimize(loss, [1.0, 0.0], method="BFGS", options={"gtol": 1e-10}).x
    scale, bias = platt(scores, right)
    assert scale == pytest.approx(theirs[0], rel=1e-5)
    assert bias + 40 * scale == pytest.approx(theirs[1], rel=1e-4)
    likely = expit(scale * scores + bias)
    assert likely.mean() == pytest.approx(right.mean(), abs=1e-10)  # what a best fit with a bias must fulfil
    assert (likely * scores).mean() == pytest.approx((right * scores).mean(), abs=1e-8)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ece([], []), "N > 0"),
        (lambda: ece([0.5], [True, False]), "disagree"),
        (lambda: ece([0.5, 1.5], [True, False]), "confidence 1.5 of item 1"),
        (lambda: ece([np.nan], [True]), "confidence nan of item 0"),
        (lambda: temperature([[1.0, 0.0]], [0, 1]), "disagree"),
        (lambda: temperature([[np.inf, 0.0]], [0]), "not finite"),
        (lambda: temperature([[1.0, 0.0], [0.0, 2.0]], [0, 1]), "highest logit at its label"),
        (lambda: temperature([[1.0, 0.0], [1.0, 0.0]], [0, 1]), "no higher than the others"),
        (lambda: platt([1.0, 2.0], [True, True]), "needs finite scores of right and of wrong"),
        (lambda: platt([1.0, np.nan], [True, False]), "needs finite scores of right and of wrong"),
        (lambda: platt([1.0, 1.0], [True, False]), "all scores are equal"),
        (lambda: platt([1.0, 2.0, 3.0], [False, True, True]), "a threshold separates"),
    ],
)
def test_what_cannot_be_fitted_is_said_in_a_line(call, message):
    with pytest.raises(DataError, match=message):
        call()
