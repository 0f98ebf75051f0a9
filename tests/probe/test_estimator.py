"""The probes that start from a zero-shot classifier, as scikit-learn's classifiers, and what they refuse."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import clone, is_classifier
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.utils.validation import check_is_fitted
from support.drawn_classes import drawn_classes

from contralto.errors import ContraltoError
from contralto.probe import GaussianProbe, KernelProbe, TipAdapter

PROBES = [TipAdapter(), TipAdapter(tune=2), GaussianProbe(), KernelProbe()]
ARGUMENTS = {
    TipAdapter: {"alpha": 2.0, "beta": 3.0, "tune": 1, "seed": 5},
    GaussianProbe: {"alpha": 0.5},
    KernelProbe: {"strength": 2.0, "beta": 3.0},
}


@pytest.mark.parametrize("kind", ARGUMENTS)
def test_the_arguments_are_complete_and_a_clone_has_them_alone(kind):
    given = ARGUMENTS[kind]
    probe = kind(**given).fit(*drawn_classes([4, 4, 4]))
    copy = clone(probe)
    assert copy.get_params() == given
    assert vars(copy) == given
    assert is_classifier(copy)
    assert repr(copy) == f"{kind.__name__}({', '.join(f'{name}={value!r}' for name, value in given.items())})"
    check_is_fitted(probe)
    with pytest.raises(ContraltoError, match="has no parameter 'gamma'"):
        copy.set_params(gamma=1)


@pytest.mark.parametrize("probe", PROBES, ids=repr)
def test_cross_validation_is_the_same_as_by_hand(probe):
    rows, labels, zero_shot = drawn_classes([12, 9, 15])
    halves = [(np.arange(18), np.arange(18, 36)), (np.arange(18, 36), np.arange(18))]
    by_hand = [clone(probe).fit(rows[one], labels[one], zero_shot).score(rows[two], labels[two]) for one, two in halves]
    scores = cross_val_score(probe, rows, labels, cv=halves, params={"zero_shot": zero_shot}, error_score="raise")
    assert scores.tolist() == by_hand


def test_grid_search_chooses_a_strength():
    rows, labels, zero_shot = drawn_classes([12, 9, 15])
    search = GridSearchCV(KernelProbe(), {"strength": [1e-6, 10.0]}, cv=3, error_score="raise")
    assert search.fit(rows, labels, zero_shot=zero_shot).best_params_ == {"strength": 10.0}


@pytest.mark.parametrize("probe", PROBES, ids=repr)
def test_what_follows_from_the_logits(probe, monkeypatch):
    rows, labels, zero_shot = drawn_classes([5, 3, 4])
    probe = clone(probe).fit(rows.astype(np.float32), labels, zero_shot.astype(np.float32))
    logits = probe.decision_function(rows)
    assert (logits.shape, logits.dtype) == ((12, 3), np.float64)
    assert probe.classes_.tolist() == [0, 1, 2]
    assert probe.n_features_in_ == 16
    np.testing.assert_array_equal(probe.predict(rows), logits.argmax(axis=1))
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(probe.predict_proba(rows), shares, rtol=1e-12)
    assert probe.score(rows, labels) == np.mean(logits.argmax(axis=1) == labels)
    monkeypatch.setattr("contralto.probe.estimator.ROWS_PER_BLOCK", 5)
    monkeypatch.setattr("contralto.probe.kernel.CLOSENESS_PER_BLOCK", 25)
    np.testing.assert_allclose(probe.decision_function(rows), logits, rtol=1e-12)


ROWS, LABELS, ZERO_SHOT = drawn_classes([2, 2, 2])
NOT_FINITE = np.where(np.eye(6, 16) > 0, np.nan, ROWS)


@pytest.mark.parametrize("kind", ARGUMENTS)
@pytest.mark.parametrize(
    ("rows", "labels", "zero_shot", "says"),
    [
        (NOT_FINITE, LABELS, ZERO_SHOT, "rows: row 0 is not finite"),
        (ROWS, LABELS[:5], ZERO_SHOT, "give one label per row"),
        (ROWS, LABELS + 1, ZERO_SHOT, "label 3 of item . is not one of the 3 classes"),
        (ROWS, [*"abcabc"], ZERO_SHOT, "give the index of each row's class"),
        (ROWS, LABELS, ZERO_SHOT[:, :8], "rows have 16 columns, zero_shot has 8"),
        (ROWS, np.zeros(6, int), ZERO_SHOT[:1], "just one class"),
        (ROWS, LABELS, ZERO_SHOT * np.inf, "zero_shot: row 0 is not finite"),
        (ROWS[0], LABELS, ZERO_SHOT, "rows are float64 of shape"),
    ],
)
def test_what_cannot_be_fitted_is_one_line(kind, rows, labels, zero_shot, says):
    with pytest.raises(ContraltoError, match=says) as caught:
        kind().fit(rows, labels, zero_shot)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("probe", "says"),
    [
        (TipAdapter(alpha=-1), "alpha must be a finite number of at least 0"),
        (TipAdapter(beta=0), "beta must be a finite number above 0"),
        (TipAdapter(tune=1.5), "tune must be a whole number"),
        (TipAdapter(seed=None), "seed must be a whole number"),
        (GaussianProbe(alpha="1"), "alpha must be a finite number"),
        (KernelProbe(strength=0), "strength must be a finite number above 0"),
        (KernelProbe(beta=np.nan), "beta must be a finite number above 0"),
    ],
    ids=repr,
)
def test_arguments_are_judged_by_fit(probe, says):
    with pytest.raises(ContraltoError, match=says):
        probe.fit(ROWS, LABELS, ZERO_SHOT)


@pytest.mark.parametrize("kind", ARGUMENTS)
def test_a_probe_is_fitted_first_and_keeps_its_columns(kind):
    with pytest.raises(ContraltoError, match="call fit first"):
        kind().predict(ROWS)
    with pytest.raises(ContraltoError, match="rows have 8 columns, those fitted have 16"):
        kind().fit(ROWS, LABELS, ZERO_SHOT).predict(ROWS[:, :8])
