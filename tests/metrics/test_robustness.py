"""Robustness by hand and against NumPy's line."""

import numpy as np
import pytest
from scipy.special import expit, logit

from contralto.errors import DataError
from contralto.metrics import (
    corruption_error,
    effective_robustness,
    mean_corruption_error,
    relative_corruption_error,
    relative_mean_corruption_error,
)

SKETCH = [(0.762, 0.252), (0.883, 0.476)]  # ImageNet and Sketch: ResNet-101, Noisy Student


def test_zero_shot_clip_is_more_robust_than_models_of_its_accuracy():
    assert effective_robustness(0.762, 0.602, SKETCH) == pytest.approx(0.35)  # it stands where ResNet-101 does


def test_baselines_on_their_own_line_have_none():
    assert effective_robustness(*SKETCH[1], SKETCH) == pytest.approx(0, abs=1e-12)


def test_the_line_is_the_least_squares_line_through_logits():
    inside, outside = np.random.default_rng(0).uniform(0.1, 0.9, (2, 12))
    line = np.polyfit(logit(inside), logit(outside), 1)
    expected = 0.4 - expit(np.polyval(line, logit(0.7)))
    assert effective_robustness(0.7, 0.4, list(zip(inside, outside, strict=True))) == pytest.approx(expected)


def test_corruption_errors_by_hand():
    ours, theirs = {"fog": [0.1, 0.3], "snow": [0.2, 0.2]}, {"snow": [0.4, 0.4], "fog": [0.5, 0.3]}
    assert corruption_error([0.1, 0.3]) == pytest.approx(0.2)
    assert corruption_error(ours["fog"], theirs["fog"]) == pytest.approx(0.5)  # of sums, not a mean of ratios
    assert mean_corruption_error(ours) == pytest.approx(0.2)
    assert mean_corruption_error(ours, theirs) == pytest.approx(0.5)
    assert relative_corruption_error(ours["fog"], 0.1, theirs["fog"], 0.2) == pytest.approx(0.2 / 0.4)
    both = relative_mean_corruption_error(ours, 0.1, theirs, 0.2)
    assert both == pytest.approx((0.2 / 0.4 + 0.2 / 0.4) / 2)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: effective_robustness(0.5, 1.0, SKETCH), "between 0 and 1"),
        (lambda: effective_robustness(0.5, 0.5, [(0.5, 0.0), (0.6, 0.1)]), "between 0 and 1"),
        (lambda: effective_robustness(0.5, 0.5, [(0.5, 0.2), (0.5, 0.3)]), "two different accuracies"),
        (lambda: mean_corruption_error({}), "at least one corruption"),
        (lambda: mean_corruption_error({"fog": [1]}, {}), "no errors for fog"),
        (lambda: corruption_error([0.1], [0.1, 0.2]), "cannot be divided"),
        (lambda: corruption_error([0.1], [0.0]), "cannot be divided"),
    ],
)
def test_what_has_no_robustness_is_said_in_a_line(call, message):
    with pytest.raises(DataError, match=message):
        call()
