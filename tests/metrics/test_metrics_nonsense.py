"""Every argument of every metric, with values outside its domain, gives a one-line error and no number."""

from __future__ import annotations

import numpy as np
import pytest
from support.nonsense import INF, NAN, NO_COUNT, NO_SEED, assert_one_line, call, cases, public_functions

from contralto import arrays, metrics
from contralto.errors import ContraltoError

EYE = np.eye(3)

NO_ARRAY = [
    None,
    "nonsense",
    object(),
    [[1], [1, 2]],
    [1j, 2j, 3j],
    ["a", "b", "c"],
    [None, 1, 0],
    {"a": 1},
    0.5,
    EYE[None],
]
NO_FLAGS = [*NO_ARRAY, [0, 1, 5], [0.5, 0, 1], [NAN, 0, 1], [-1, 0, 1], [True, False], EYE.astype(bool)]
NO_SHARES = [*NO_ARRAY, [0, 1, 1.1], [-0.1, 0, 1], [NAN, 0, 1], [0, INF, 1], EYE]
NO_PLACES = [*NO_ARRAY, [-1, 0, 1], [0.5, 0, 1], [NAN, 0, 1], [0, INF, 1], EYE.astype(int)]
NO_LABELS = [*NO_PLACES, [0, 1, 3], [0, 1], []]
NO_MATRIX = [*NO_ARRAY, [1, 2, 3], EYE[:2], np.zeros((0, 3))]
NO_ROWS = [*NO_MATRIX, EYE[:, :2], np.full((3, 3), NAN), np.full((3, 3), INF), np.zeros((3, 0))]
NO_SHARE = [None, "0.5", NAN, -0.1, 0, 1, 2, True, [0.5], object()]
NO_BOXES = [*NO_ARRAY, EYE, [1, 2, 3], [[2, 0, 1, 1]] * 3, [[0, 0, 1, NAN]] * 3, [[0, 0, 1, INF]] * 3, [[0, 0, 1, 1]]]
NO_ERRORS = [*NO_ARRAY, [-0.1, 0.5, 0.5], [NAN, 0, 1], [], [0.1, 0.2]]
NO_DICT = [None, [], [1, 2], "fog", {}, {"fog": []}, {"fog": [NAN]}, {"fog": "high"}, {"fog": [-1.0]}]
NO_FUNCTION = ["print", 3, []]


def mean(places):
    return float(len(places))


# function -> {argument: (a value that will do, values that must not)}
TABLE = {
    "auc": {"scores": ([0.1, 0.2, 0.3], NO_ARRAY), "positive": ([0, 1, 1], NO_FLAGS)},
    "average_precision": {
        "boxes": ([[0, 0, 2, 2]] * 3, NO_BOXES),
        "scores": ([0.1, 0.2, 0.3], [*NO_ARRAY, [NAN, 0, 1], [0, INF, 1], [0.1, 0.2], []]),
        "owners": ([0, 1, 1], [*NO_PLACES, [0, 1], []]),
        "true_boxes": ([[0, 0, 2, 2]] * 3, NO_BOXES),
        "true_owners": ([0, 1, 1], [*NO_PLACES, [0, 1], []]),
        "iou": (0.5, [v for v in NO_SHARE if v != 1 or v is True]),
    },
    "brier": {"confidence": ([0.1, 0.2, 0.3], NO_SHARES), "right": ([0, 1, 1], [*NO_FLAGS, []])},
    "corruption_error": {
        "errors": ([0.1, 0.2, 0.3], NO_ERRORS),
        "reference": ([0.1, 0.2, 0.3], [*(e for e in NO_ERRORS if e is not None), [0, 0, 0]]),
    },
    "ece": {
        "confidence": ([0.1, 0.2, 0.3], NO_SHARES),
        "right": ([0, 1, 1], [*NO_FLAGS, []]),
        "bins": (15, NO_COUNT),
    },
    "bootstrap": {
        "statistic": (mean, []),
        "n": (3, NO_COUNT),
        "groups": ([0, 1, 1], [[0, 1], [0]]),
        "resamples": (5, NO_COUNT),
        "seed": (0, NO_SEED),
        "level": (0.95, NO_SHARE),
    },
    "clopper_pearson": {
        "successes": (1, [-1, 4, 0.5, NAN, None, "1", True]),
        "n": (3, [-1, 0, 0.5, NAN, None, "3"]),
        "level": (0.95, NO_SHARE),
    },
    "effective_robustness": {
        "in_distribution": (0.5, NO_SHARE),
        "shifted": (0.4, NO_SHARE),
        "baselines": ([[0.5, 0.2], [0.6, 0.3]], [*NO_ARRAY, EYE, [[0.5, 0.2]], [[0.5, NAN], [0.6, 0.3]]]),
    },
    "holm": {"p": ([0.1, 0.2, 0.3], NO_SHARES)},
    "map11": {
        "scores": (EYE, NO_MATRIX),
        "relevant": (EYE, [*NO_MATRIX, 2 * EYE, NAN * EYE]),
        "ignored": (0 * EYE, [*(m for m in NO_MATRIX if m is not None), 2 * EYE]),
    },
    "mcnemar": {"right_a": ([0, 1, 1], NO_FLAGS), "right_b": ([0, 1, 1], NO_FLAGS)},
    "mean_corruption_error": {
        "errors": ({"fog": [0.1]}, NO_DICT),
        "reference": ({"fog": [0.1]}, [*(d for d in NO_DICT if d is not None), {"snow": [0.1]}]),
    },
    "mean_per_class": {"right": ([0, 1, 1], [*NO_FLAGS, []]), "labels": ([0, 1, 1], NO_PLACES)},
    "mean_top1_top5": {"rank": ([0, 1, 1], [*NO_PLACES, []])},
    "median_rank": {"rank": ([0, 1, 1], [*NO_PLACES, []])},
    "paired_bootstrap": {
        "statistic_a": (mean, []),
        "statistic_b": (mean, []),
        "n": (3, NO_COUNT),
        "groups": ([0, 1, 1], [[0, 1], [0]]),
        "resamples": (5, NO_COUNT),
        "seed": (0, NO_SEED),
        "level": (0.95, NO_SHARE),
    },
    "platt": {
        "scores": ([0.1, 0.2, 0.3, 0.4], [*NO_ARRAY, [NAN, 1, 2, 3], [INF, 1, 2, 3], [1, 2]]),
        "right": ([0, 1, 0, 1], [*NO_FLAGS, [0, 1, 0, 2]]),
    },
    "ranks": {"scores": (EYE, NO_MATRIX), "labels": ([0, 1, 2], NO_LABELS)},
    "recall": {
        "images": (EYE, NO_ROWS),
        "texts": (EYE, NO_ROWS),
        "owners": ([0, 1, 2], [*NO_LABELS, [0, 0, 1], [0.0, 1.0, 2.0]]),
        "k": (1, NO_COUNT),
    },
    "relative_corruption_error": {
        "errors": ([0.1, 0.2, 0.3], NO_ERRORS),
        "clean": (0.1, [None, "0.1", NAN, -0.1, [0.1]]),
        "reference": ([0.1, 0.2, 0.3], [*NO_ERRORS, [0.05, 0.05, 0.05]]),
        "reference_clean": (0.1, [None, "0.1", NAN, -0.1, 0.2, [0.1]]),
    },
    "relative_mean_corruption_error": {
        "errors": ({"fog": [0.1]}, NO_DICT),
        "clean": (0.05, [None, "0.1", NAN, -0.1]),
        "reference": ({"fog": [0.1]}, [*NO_DICT, {"snow": [0.1]}]),
        "reference_clean": (0.05, [None, "0.1", NAN, -0.1]),
    },
    "reliability": {
        "confidence": ([0.1, 0.2, 0.3], NO_SHARES),
        "right": ([0, 1, 1], [*NO_FLAGS, []]),
        "bins": (15, NO_COUNT),
    },
    "retrieval_ranks": {
        "images": (EYE, NO_ROWS),
        "texts": (EYE, NO_ROWS),
        "owners": ([0, 1, 2], [*NO_LABELS, [0, 0, 1], [0.0, 1.0, 2.0]]),
        "progress": (None, NO_FUNCTION),
    },
    "share_recall": {
        "own_texts": ([0, 1, 1], [*NO_PLACES, []]),
        "owners": ([0, 1, 1], [*NO_PLACES, [0, 1], []]),
        "k": (1, NO_COUNT),
    },
    "temperature": {
        "logits": ([[1, 0], [1, 0], [1, 0]], [*NO_MATRIX, [[NAN, 1], [0, 1], [0, 1]], [[INF, 1], [0, 1], [0, 1]]]),
        "labels": ([0, 0, 1], [*NO_LABELS, [0, 1, 2], [0, 1, -1]]),
    },
    "text_shares": {
        "own_texts": ([0, 1, 1], [*NO_PLACES, []]),
        "owners": ([0, 1, 1], [*NO_PLACES, [0, 1], []]),
        "k": (1, NO_COUNT),
    },
    "top_k": {"rank": ([0, 1, 1], [*NO_PLACES, []]), "k": (1, NO_COUNT)},
}


def test_every_metric_is_in_the_table():
    assert public_functions(metrics) == TABLE.keys()


@pytest.mark.parametrize("name", TABLE)
def test_the_good_values_are_answered(name):
    assert call(metrics, TABLE, name) is not None


@pytest.mark.parametrize(("name", "argument", "wrong"), cases(TABLE))
def test_nonsense_is_one_line(name, argument, wrong):
    assert_one_line(metrics, TABLE, name, argument, wrong)


@pytest.mark.parametrize(
    ("name", "wrong", "said"),
    [
        ("ece", {"right": [0, 5, 1]}, "right 5 of item 1"),
        ("ece", {"bins": 0}, "bins must be a whole number of at least 1, got 0"),
        ("brier", {"confidence": [0.5, 0.5, 2]}, "confidence 2.0 of item 2"),
        ("top_k", {"k": 2.5}, "k must be .* got 2.5"),
        ("temperature", {"labels": [0, 0, -1]}, "label -1 of item 2"),
        ("map11", {"relevant": 3 * EYE}, r"relevant 3.0 of item \(0, 0\)"),
    ],
)
def test_the_line_names_the_argument_and_the_value(name, wrong, said):
    with pytest.raises(ContraltoError, match=said):
        call(metrics, TABLE, name, **wrong)


@pytest.mark.parametrize("right", [[True, False], [1, 0], [1.0, 0.0], np.array([1, 0], np.uint8)])
def test_what_is_true_may_be_said_by_one_and_zero(right):
    assert metrics.ece([0.9, 0.2], right) == pytest.approx(0.15)


def test_whole_floats_are_class_indices():
    assert metrics.ranks(EYE, [0.0, 1.0, 2.0]).tolist() == [0, 0, 0]
    assert arrays.places(np.array([3], np.uint8), "rank").dtype == np.int64
