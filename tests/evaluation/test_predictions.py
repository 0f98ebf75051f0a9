"""Ranks, predictions and confidences from class embeddings, against cases worked out by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import expit, softmax
from support.planned_clip import PlannedClip, planned_set

from contralto.contract import Score
from contralto.embeddings import unit
from contralto.evaluation.cached_embeddings import PictureEmbeddings
from contralto.evaluation.predictions import predict, predicted_classes
from contralto.evaluation.zero_shot import zero_shot
from contralto.sets.items import Class

RULE = Score("softmax", 10.0)


def pictures(rows, seed=0):
    digests = tuple(bytes(row) for row in np.random.default_rng(seed).integers(0, 256, (len(rows), 32), np.uint8))
    return PictureEmbeddings(np.array(rows, np.float32), digests, {})


def test_the_best_cosine_is_the_answer_and_softmax_its_confidence():
    rows = unit(np.array([[1.0, 0, 0], [0.6, 0.8, 0], [0, 0.6, 0.8]]))
    predictions = predict(pictures(rows), np.eye(3, dtype=np.float32), np.array([0, 0, 1]), RULE)
    assert predictions.predicted.tolist() == [0, 1, 2]
    assert predictions.rank.tolist() == [0, 1, 1]
    assert np.allclose(predictions.confidence, softmax(10 * rows, axis=1).max(axis=1), atol=1e-6)


def test_a_sigmoid_model_has_independent_confidences():
    rows = unit(np.array([[1.0, 0, 0], [0.6, 0.8, 0]]))
    rule = Score("sigmoid", 10.0, -5.0)
    predictions = predict(pictures(rows), np.eye(3, dtype=np.float32), np.array([0, 1]), rule)
    assert np.allclose(predictions.confidence, expit(10 * rows.max(axis=1) - 5), atol=1e-6)
    assert predictions.tempered is None


def test_a_tie_is_wrong_and_the_wrong_class_is_what_was_told():
    row = unit(np.array([[1.0, 1.0, 0]]))
    predictions = predict(pictures(row), np.eye(3, dtype=np.float32), np.array([0]), RULE)
    assert predictions.rank.tolist() == [1]
    assert predictions.predicted.tolist() == [1]
    assert predicted_classes(np.array([[1.0, 1.0]]), np.array([1]), np.array([1])).tolist() == [0]


def test_a_picture_that_failed_is_wrong_at_any_k():
    predictions = predict(pictures(np.zeros((1, 3))), np.eye(3, dtype=np.float32), np.array([0]), RULE)
    assert predictions.rank.tolist() == [3]
    assert predictions.predicted.tolist() == [-1]
    assert predictions.confidence.tolist() == [0]


def test_merged_classes_score_as_the_best_of_theirs():
    rows = unit(np.array([[0.0, 0.9, 0.4, 0.1], [0.5, 0.1, 0.2, 0.6]]))
    predictions = predict(pictures(rows), np.eye(4, dtype=np.float32), np.array([0, 1]), RULE, np.array([0, 0, 1, 1]))
    assert predictions.predicted.tolist() == [0, 1]
    assert predictions.rank.tolist() == [0, 0]
    assert predictions.margin is None


def test_the_margin_of_two_classes_is_the_second_above_the_first():
    rows = unit(np.array([[1.0, 0], [0.6, 0.8]]))
    two = np.eye(2, dtype=np.float32)
    soft = predict(pictures(rows), two, np.array([0, 1]), RULE).margin
    assert soft is not None
    assert np.allclose(soft, [-1, 0.2], atol=1e-6)
    sigmoid = predict(pictures(rows), two, np.array([0, 1]), Score("sigmoid", 10.0, 0.0)).margin
    assert sigmoid is not None
    assert np.allclose(sigmoid, [0, 0.8], atol=1e-6)


def test_each_half_is_tempered_by_what_was_fitted_on_the_other():
    random = np.random.default_rng(1)
    labels = random.integers(0, 5, 400)
    rows = unit(np.eye(5)[labels] + random.normal(0, 0.7, (400, 5)))
    given = pictures(rows)
    predictions = predict(given, np.eye(5, dtype=np.float32), labels, Score("softmax", 100.0))
    odd = np.array([digest[0] % 2 == 1 for digest in given.digests])  # type: ignore[index]
    assert predictions.temperatures is not None
    assert predictions.tempered is not None
    for half, temperature in ((odd, predictions.temperatures[0]), (~odd, predictions.temperatures[1])):
        expected = softmax(100 / temperature * rows[half], axis=1).max(axis=1)
        assert np.allclose(predictions.tempered[half], expected, atol=1e-4)
        other = rows[~half]
        likelihoods = [
            -np.log(softmax(100 / t * other, axis=1)[np.arange(len(other)), labels[~half]]).mean()
            for t in (temperature * 0.97, temperature, temperature * 1.03)
        ]
        assert likelihoods[1] == min(likelihoods)


def test_the_figures_of_a_set_by_hand():
    texts = dict(zip("abcd", np.eye(4), strict=True))
    clip = PlannedClip([[1, 0, 0, 0], [0, 1, 0, 0], [0.9, 0.1, 0, 0], [0, 0, 0, 1]], texts)
    data = planned_set([0, 1, 1, 3], "abcd")
    given = PictureEmbeddings(clip.rows, (b"0" * 32, b"1" * 32, b"2" * 32, b"3" * 32), {})
    outcome = zero_shot(clip, data, given, ("{}",), "bare")
    figures = {figure.metric: figure for figure in outcome.figures}
    assert figures["top1"].value == 0.75
    assert figures["top1"].chance == 0.25
    assert figures["mean_per_class"].value == pytest.approx((1 + 0.5 + 1) / 3)
    assert "top5" not in figures
    assert (figures["top1"].low, figures["top1"].high) == pytest.approx((0.19412, 0.99369), abs=1e-5)
    assert all(figure.low <= figure.value <= figure.high for figure in outcome.figures)
    assert outcome.records.predicted.tolist() == [0, 1, 0, 3]


@pytest.mark.parametrize(("metric", "names"), [("mean_per_class", "abcd"), ("mean_top1_top5", "abcdefgh")])
def test_the_set_s_own_metric_comes_first(metric, names):
    texts = {name: np.random.default_rng(ord(name)).normal(size=4) for name in names}
    clip = PlannedClip(np.eye(4), texts)
    data = planned_set([0, 1, 2, 3], names, metric=metric)
    outcome = zero_shot(clip, data, pictures(clip.rows), ("{}",), "bare")
    assert outcome.figures[0].metric == metric
    if metric == "mean_top1_top5":
        assert outcome.figures[0].value == pytest.approx((outcome.figures[1].value + outcome.figures[2].value) / 2)


def test_objectnet_s_classes_are_those_of_the_data():
    clip = PlannedClip([[1, 0, 0, 0], [0, 0.7, 0.6, 0]], dict(zip("abcd", np.eye(4), strict=True)))
    classes = (Class("a", group="one"), Class("b", group="one"), Class("c", group="two"), Class("d", group="two"))
    data = replace(planned_set([1, 2], "abcd"), classes=classes)
    several = [replace(data.items[0], labels=(0, 1)), replace(data.items[1], labels=(2, 3))]
    outcome = zero_shot(clip, replace(data, items=several), pictures(clip.rows), ("{}",), "bare")
    assert outcome.classes == ("one", "two")
    assert outcome.records.label.tolist() == [0, 1]
    assert outcome.records.predicted.tolist() == [0, 0]
    assert outcome.figures[0].chance == 0.5
    assert "merged" in outcome.protocol
