"""The search for a strength against cold fits."""

from __future__ import annotations

import numpy as np
import pytest
from support.drawn_features import drawn

from contralto.errors import ContraltoError
from contralto.probe import ALL, LinearProbe, sweep
from contralto.probe.linear import Problem


def split(classes=5, rows=900):
    features, labels = drawn(rows, 16, classes, apart=0.35)
    half = rows // 2
    return features[:half], labels[:half], features[half:], labels[half:]


def test_all_are_the_96_strengths_of_the_paper():
    assert len(ALL) == 96
    assert (ALL[0], ALL[-1]) == pytest.approx((1e-6, 1e6))
    assert np.ptp(np.diff(np.log10(ALL))) < 1e-9


@pytest.mark.parametrize("classes", [2, 5])
def test_each_strength_tried_has_the_accuracy_of_a_cold_fit_and_the_best_is_refitted_on_both(classes):
    rows, labels, validation, truth = split(classes)
    strengths = [1e-4, 3e-4, 1e-2, 1.0, 2.0, 50.0]
    result = sweep(rows, labels, validation, truth, strengths[::-1])
    assert list(result.accuracies) == strengths
    for strength, accuracy in result.accuracies.items():
        cold = LinearProbe(strength).fit(rows, labels).score(validation, truth)
        assert accuracy == pytest.approx(cold, abs=2 / len(truth))
    assert result.strength == max(strengths, key=lambda one: (result.accuracies[one], -one))
    both = LinearProbe(result.strength).fit(np.vstack([rows, validation]), np.concatenate([labels, truth]))
    np.testing.assert_allclose(result.probe.coef_, both.coef_, atol=2e-3 * np.abs(both.coef_).max())
    assert result.probe.strength == result.strength


def test_the_search_halves_the_interval_about_the_peak_to_eight_steps_a_decade(monkeypatch):
    """Accuracies are replaced by a curve with a known peak, 10^0.3: its nearest eighth of a decade is 0.25."""
    rows, labels, validation, truth = split(rows=60)
    monkeypatch.setattr(LinearProbe, "score", lambda self, *_: -abs(np.log10(self.strength) - 0.3))
    order = []
    result = sweep(rows, labels, validation, truth, progress=lambda strength, _: order.append(np.log10(strength)))
    expected = [-6, -4, -2, 0, 2, 4, 6, -1, 1, -0.5, 0.5, 0.25, 0.75, 0.125, 0.375]
    assert order == pytest.approx(expected)
    assert np.log10(result.strength) == pytest.approx(0.25) or np.log10(result.strength) == pytest.approx(0.375)


def test_of_equal_strengths_the_one_that_regularises_most_is_taken_and_the_search_keeps_within_its_range(monkeypatch):
    rows, labels, validation, truth = split(rows=60)
    monkeypatch.setattr(LinearProbe, "score", lambda *_: 0.5)
    result = sweep(rows, labels, validation, truth)
    assert result.strength == pytest.approx(1e-6)
    assert min(result.accuracies) == result.strength
    assert len(result.accuracies) == 7 + 4


def test_along_the_path_starts_are_near_their_ends(monkeypatch):
    """96 fits cost less than four passes each on features that are no trouble, cold ones many times as many."""
    rows, labels, validation, truth = split()
    passes = 0
    plain = Problem.solve

    def counted(self, *arguments):
        nonlocal passes
        minimum = plain(self, *arguments)
        passes += minimum.iterations
        return minimum

    monkeypatch.setattr(Problem, "solve", counted)
    sweep(rows, labels, validation, truth, ALL)
    warm, passes = passes, 0
    for strength in ALL:
        LinearProbe(strength).fit(rows, labels)
    assert warm < 4 * 97
    assert warm < passes / 3


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"validation_labels": [9] * 30}, "no training row has the validation label 9"),
        ({"validation_rows": np.zeros((30, 4))}, "4 columns"),
        ({"validation_labels": [0]}, "30 rows"),
        ({"strengths": []}, "no strengths"),
        ({"strengths": [1.0, -1.0]}, "above 0"),
    ],
)
def test_splits_that_do_not_fit_are_one_line(change, says):
    names = ("rows", "labels", "validation_rows", "validation_labels")
    given = dict(zip(names, split(rows=60), strict=True)) | change
    with pytest.raises(ContraltoError, match=says):
        sweep(**given)
