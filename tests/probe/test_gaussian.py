"""GaussianProbe against its formula in plain NumPy, with a pseudo-inverse and numpy.cov, and its borders."""

from __future__ import annotations

import numpy as np
import pytest
from support.drawn_classes import drawn_classes

from contralto.probe import GaussianProbe


def plain(rows, labels, zero_shot, test, alpha):
    width, classes = rows.shape[1], len(zero_shot)
    means = [rows[labels == place].mean(axis=0) if (labels == place).any() else None for place in range(classes)]
    average = np.mean([mean for mean in means if mean is not None], axis=0)
    means = [average if mean is None else mean for mean in means]
    covariance = np.cov(np.array([row - means[label] for row, label in zip(rows, labels, strict=True)]).T)
    precision = width * np.linalg.pinv((len(rows) - 1) * covariance + np.trace(covariance) * np.eye(width))
    logits = test @ zero_shot.T
    for place, mean in enumerate(means):
        logits[:, place] += alpha * (test @ precision @ mean - mean @ precision @ mean / 2 - np.log(classes))
    return logits


@pytest.mark.parametrize(
    "sizes", [[8, 8, 8], [40, 2, 9], [5, 0, 4], [2, 1, 1, 0], [60, 70]],
    ids=["equal", "unequal", "an empty class", "nearly one shot", "more rows than columns"],
)  # fmt: skip
@pytest.mark.parametrize("alpha", [1.0, 0.1])
def test_the_formula(sizes, alpha):
    rows, labels, zero_shot = drawn_classes(sizes)
    test = drawn_classes([4] * len(sizes), seed=1)[0]
    probe = GaussianProbe(alpha).fit(rows, labels, zero_shot)
    expected = plain(rows, labels, zero_shot, test, alpha)
    np.testing.assert_allclose(probe.decision_function(test), expected, rtol=1e-9, atol=1e-9)
    stored = test @ zero_shot.T + test @ probe.weight_.T + probe.bias_
    np.testing.assert_allclose(stored, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("noise", [0.0, 1e-7])
def test_one_picture_a_class_is_zero_shot_even_if_it_is_given_several_times(noise):
    rows, labels, zero_shot = drawn_classes([1, 1, 0, 1])
    rows = np.repeat(rows, 3, axis=0)
    rows += noise * np.random.default_rng(0).standard_normal(rows.shape)  # as batches of another size give
    probe = GaussianProbe().fit(rows, np.repeat(labels, 3), zero_shot)
    np.testing.assert_array_equal(probe.decision_function(rows), rows @ zero_shot.T)
    assert not probe.weight_.any()
    assert not probe.bias_.any()


def test_one_row_alone_is_zero_shot():
    rows, _, zero_shot = drawn_classes([1, 1])
    probe = GaussianProbe().fit(rows[:1], [1], zero_shot)
    np.testing.assert_array_equal(probe.decision_function(rows), rows @ zero_shot.T)


def test_the_rows_are_not_changed():
    rows, labels, zero_shot = drawn_classes([4, 4])
    before = rows.copy()
    GaussianProbe().fit(rows, labels, zero_shot)
    np.testing.assert_array_equal(rows, before)
