import json
import types

import numpy as np
import pytest
import scipy.optimize

from contralto.contract import Score
from contralto.errors import ContraltoError, DataError
from contralto.zeroshot.calibrated import Calibration, label_scores


def drawn(n, labels=20, scale=25.0, bias=-8.0, seed=0):
    """Cosines and truths that follow a sigmoid exactly."""
    random = np.random.default_rng(seed)
    cosines = random.normal(0.15, 0.1, (n, labels))
    return cosines, random.random((n, labels)) < 1 / (1 + np.exp(-(scale * cosines + bias)))


def test_it_finds_the_sigmoid_that_the_truth_follows_as_scipys_minimum_does():
    cosines, truth = drawn(3000)
    fitted = Calibration.fit(cosines, truth, "hash")
    assert (fitted.scale, fitted.bias) == (pytest.approx(25, rel=0.05), pytest.approx(-8, rel=0.05))
    assert (fitted.prior, fitted.contract) == (truth.mean(), "hash")

    def loss(at):
        logits = at[0] * cosines + at[1]
        return np.mean(np.logaddexp(0, logits) - truth * logits)

    peer = scipy.optimize.minimize(loss, (1.0, 0.0), method="Nelder-Mead", options={"xatol": 1e-8, "fatol": 1e-14}).x
    np.testing.assert_allclose([fitted.scale, fitted.bias], peer, rtol=1e-4)
    held_out, truth = drawn(20_000, seed=1)
    likely = fitted.probabilities(held_out)
    for low in np.arange(0, 0.9, 0.1):  # what is said to be 30% likely is true 30% of the time
        some = (likely >= low) & (likely < low + 0.1)
        assert truth[some].mean() == pytest.approx(likely[some].mean(), abs=0.03)


def test_a_label_is_scored_by_itself():
    known = Calibration(20.0, -5.0, 0.1)
    both = known.probabilities([[0.2, 0.4]])
    assert both.dtype == np.float64
    np.testing.assert_allclose(both, [[1 / (1 + np.exp(1.0)), 1 / (1 + np.exp(-3.0))]])
    assert known.probabilities([0.4])[0] == both[0, 1]
    assert known.probabilities([1e6, -1e6]).tolist() == [1, 0]


def test_another_prior_multiplies_the_odds():
    known = Calibration(20.0, -5.0, 0.1)
    plain, shifted = known.probabilities([0.1, 0.3]), known.probabilities([0.1, 0.3], prior=0.5)
    np.testing.assert_allclose(shifted / (1 - shifted), 9 * plain / (1 - plain))
    np.testing.assert_allclose(known.probabilities([0.1, 0.3], prior=0.1), plain)
    for prior in (0, 1, float("nan")):
        with pytest.raises(ContraltoError, match="prior must lie between 0 and 1"):
            known.probabilities([0.1], prior)


def test_json_and_back():
    for known in (Calibration(19.5, -9.25, 0.023, "abc"), Calibration(1.0, 0.0, 0.5)):
        assert Calibration.from_json(known.to_json()) == known


@pytest.mark.parametrize(
    "change",
    [{"calibration": 2}, {"more": 1}, {"scale": "1"}, {"bias": None}, {"prior": 1}, {"scale": True}, {"contract": 3}],
)
def test_anything_else_is_no_calibration(change):
    stated = json.loads(Calibration(1.0, 0.0, 0.5).to_json())
    for text in (json.dumps({**stated, **change}), "{", "[]", "null", json.dumps({**stated, "bias": float("inf")})):
        with pytest.raises(DataError):
            Calibration.from_json(text)


def test_what_cannot_be_fitted_is_an_error():
    with pytest.raises(DataError, match="disagree"):
        Calibration.fit(np.zeros((2, 3)), np.zeros((2, 2), bool))
    with pytest.raises(DataError):
        Calibration.fit(np.zeros((2, 3)), np.zeros((2, 3), bool))


def model(rule):
    """Two pictures and three labels whose cosines are known."""
    score = Score(rule, 10.0, -1.0 if rule == "sigmoid" else None)
    cosines = np.array([[0.1, 0.2, 0.3], [0.0, -0.1, 0.5]], np.float32)
    places = {"a": 0, "b": 1, "c": 2}
    return types.SimpleNamespace(
        contract=types.SimpleNamespace(score=score, name="small", hash="mine"),
        encode_labels=lambda labels, templates: [places[label] for label in labels],
        similarity=lambda items, columns: cosines[:, columns],
    )


def test_scores_do_not_depend_on_the_other_labels():
    clip, known = model("softmax"), Calibration(10.0, -2.0, 0.1, "mine")
    every = label_scores(clip, [0, 1], ["a", "b", "c"], known)
    np.testing.assert_array_equal(label_scores(clip, [0, 1], ["c", "a"], known), every[:, [2, 0]])
    np.testing.assert_allclose(every[0, 2], 1 / (1 + np.exp(-1.0)), rtol=1e-6)
    assert (label_scores(clip, [0, 1], ["a"], known, prior=0.5) > every[:, :1]).all()


def test_a_sigmoid_model_brings_its_own():
    scores = label_scores(model("sigmoid"), [0, 1], ["a", "c"])
    np.testing.assert_allclose(scores, 1 / (1 + np.exp(-(10 * np.array([[0.1, 0.3], [0.0, 0.5]]) - 1))), rtol=1e-6)


def test_without_a_calibration_of_this_model_there_are_none():
    with pytest.raises(ContraltoError, match="need a Calibration"):
        label_scores(model("softmax"), [0], ["a"])
    with pytest.raises(ContraltoError, match="fitted to another model"):
        label_scores(model("softmax"), [0], ["a"], Calibration(1.0, 0.0, 0.5, "other"))
