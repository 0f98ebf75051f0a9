"""LinearProbe as a scikit-learn classifier, by scikit-learn's own checks and tools."""

from __future__ import annotations

import subprocess
import sys
import warnings

import numpy as np
import pytest
from sklearn.base import clone, is_classifier
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator
from sklearn.utils.validation import check_is_fitted
from support.drawn_features import drawn

from contralto.probe import LinearProbe
from contralto.probe.inputs import ProbeError

OTHER_WORDS = "refused, in other words than scikit-learn's"
EXPECTED = {
    "check_fit_score_takes_y": "the arguments are called rows and labels",
    "check_estimators_unfitted": "the error is ours: scikit-learn's class cannot be had without scikit-learn",
    "check_supervised_y_2d": "a column of labels is refused, not flattened with a warning",
    "check_n_features_in_after_fitting": OTHER_WORDS,
    "check_complex_data": OTHER_WORDS,
    "check_dtype_object": OTHER_WORDS,
    "check_estimators_empty_data_messages": OTHER_WORDS,
    "check_fit2d_predict1d": OTHER_WORDS,
    "check_requires_y_none": OTHER_WORDS,
}


def test_scikit_learns_checks():
    """All but those above pass, and none of those above has come to pass unnoticed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it does not inherit from BaseEstimator, and the like
        results = check_estimator(LinearProbe(), on_fail=None)
    failed = {one["check_name"]: one["exception"] for one in results if one["status"] == "failed"}
    assert failed.keys() == EXPECTED.keys(), {name: failed[name] for name in failed.keys() - EXPECTED.keys()}
    assert sum(one["status"] == "passed" for one in results) > 30


def test_clone_takes_the_arguments_and_nothing_that_was_learnt():
    rows, labels = drawn(40, 3, 2)
    probe = LinearProbe(0.5).fit(rows, labels)
    copy = clone(probe)
    assert (copy.get_params(), hasattr(copy, "coef_")) == ({"strength": 0.5, "device": None}, False)
    assert is_classifier(copy)
    assert repr(copy) == "LinearProbe(strength=0.5)"
    assert repr(LinearProbe(2, "cuda")) == "LinearProbe(strength=2, device='cuda')"
    check_is_fitted(probe)
    with pytest.raises(NotFittedError):
        check_is_fitted(copy)


def test_init_and_set_params_keep_what_is_given_and_fit_judges_it():
    rows, labels = drawn(40, 3, 2)
    assert LinearProbe("strong").strength == "strong"
    probe = LinearProbe().set_params(strength=-1)
    with pytest.raises(Exception, match=r"strength must be .* above 0, got -1"):
        probe.fit(rows, labels)
    with pytest.raises(ProbeError, match=r"no parameter 'C' \(it has strength, device\)"):
        probe.set_params(strength=3, C=1)
    assert probe.strength == -1


def test_cross_validation_grid_search_and_pipeline():
    rows, labels = drawn(120, 6, 3)
    scores = cross_val_score(LinearProbe(), rows, labels, cv=4, error_score="raise")
    by_hand = []
    for fold in range(2):  # the same by hand, on halves
        test = np.arange(120) % 2 == fold
        by_hand.append(LinearProbe().fit(rows[~test], labels[~test]).score(rows[test], labels[test]))
    halves = [
        (np.flatnonzero(np.arange(120) % 2 != fold), np.flatnonzero(np.arange(120) % 2 == fold)) for fold in (0, 1)
    ]
    assert cross_val_score(LinearProbe(), rows, labels, cv=halves).tolist() == by_hand
    assert len(scores) == 4
    search = GridSearchCV(LinearProbe(), {"strength": [1e-6, 1.0]}, cv=3, error_score="raise").fit(rows, labels)
    assert search.best_params_ == {"strength": 1.0}
    search = GridSearchCV(make_pipeline(StandardScaler(), LinearProbe()), {"linearprobe__strength": [0.1]}, cv=2)
    assert search.fit(rows, labels).predict(rows).shape == (120,)


def test_fitting_twice_is_fitting_once():
    rows, labels = drawn(60, 5, 3)
    probe = LinearProbe(2.0).fit(*drawn(50, 4, 2))
    assert probe.n_features_in_ == 4
    assert probe.fit(rows, labels) is probe
    once = LinearProbe(2.0).fit(rows, labels)
    np.testing.assert_array_equal(probe.coef_, once.coef_)
    assert vars(probe).keys() == vars(once).keys()
    assert probe.n_features_in_ == 5


def test_nothing_of_scikit_learn_is_loaded_before_it_asks():
    script = (
        "import sys; from contralto.probe import LinearProbe; LinearProbe().fit([[0.0], [1.0]], [0, 1]).get_params()"
    )
    done = subprocess.run([sys.executable, "-c", f"{script}; sys.exit('sklearn' in sys.modules)"], timeout=60)
    assert done.returncode == 0
