"""Probes refuse nonsense in one line, whatever argument it comes in."""

from __future__ import annotations

import numpy as np
import pytest
from support.drawn_features import drawn
from support.nonsense import INF, NAN, NO_COUNT, NO_SEED, assert_one_line, call, cases, public_functions

from contralto import probe
from contralto.errors import ContraltoError
from contralto.probe.inputs import ProbeError

ROWS, LABELS = drawn(40, 3, 2)

NO_ROWS = [
    *(None, "nonsense", object(), 0.5, [], [[]], {"a": 1}, [["a", "b", "c"]] * 40, [[1], [1, 2]], [[None] * 3] * 40),
    *(ROWS[0], ROWS[None], ROWS[:, :0], ROWS[:0], ROWS.astype(complex)),
    *(np.where(np.eye(40, 3), bad, ROWS) for bad in (NAN, INF, -INF)),
]
NO_LABELS = [
    *(None, "nonsense", object(), 3, [], LABELS[:-1], LABELS[:, None], [[0]] * 39 + [[0, 1]], {"a": 1}),
    *(LABELS + 0.5, np.where(LABELS, NAN, 0.0), np.where(LABELS, INF, 0.0), LABELS.astype(complex)),
    *([None] + [1] * 39, ["a", 1] * 20, [NAN, "a"] * 20, [b"a", "a"] * 20, np.array(["a", 1] * 20, object)),
]
ONE_CLASS = [np.zeros(40, int), ["a"] * 40]
NO_NUMBER = [None, "0.5", 0, -1, NAN, INF, True, [0.5], object()]
OTHER_KIND = [np.where(LABELS, "one", "none")]

FIT = {"rows": (ROWS, NO_ROWS), "labels": (LABELS, [*NO_LABELS, *ONE_CLASS])}
TEST = {"test_rows": (ROWS, [*NO_ROWS, ROWS[:, :2]])}
TABLE = {
    "few_shot": {
        **FIT,
        **TEST,
        "test_labels": (LABELS, [*NO_LABELS, *OTHER_KIND]),
        "shots": ((1, 2), [None, "3", 0, [], [0], [1.5], ["a"], [None], [99]]),
        "seed": (0, NO_SEED),
        "repeats": (1, NO_COUNT),
        "strength": (0.3, NO_NUMBER),
    },
    "knn": {**FIT, **TEST, "k": (3, NO_COUNT), "temperature": (0.07, NO_NUMBER)},
    "prototypes": {**FIT, **TEST},
    "sweep": {
        **FIT,
        "validation_rows": (ROWS, [*NO_ROWS, ROWS[:, :2]]),
        "validation_labels": (LABELS, [*NO_LABELS, *OTHER_KIND, LABELS + 1]),
        "strengths": ([0.1], ["0.1", [], [0], [-1], ["a"], [NAN], [None], 0]),
        "progress": (None, ["print", 3]),
        "device": (None, [3, object()]),
    },
}


def test_every_function_is_in_the_table():
    assert public_functions(probe) == TABLE.keys()


@pytest.mark.parametrize("name", TABLE)
def test_the_good_values_are_answered(name):
    assert call(probe, TABLE, name) is not None


@pytest.mark.parametrize(("name", "argument", "wrong"), cases(TABLE))
def test_nonsense_is_one_line(name, argument, wrong):
    assert_one_line(probe, TABLE, name, argument, wrong)


@pytest.mark.parametrize("wrong", NO_ROWS)
@pytest.mark.parametrize("method", ["fit", "score", "predict", "predict_proba", "decision_function"])
def test_a_linear_probe_refuses_rows(method, wrong):
    fitted = probe.LinearProbe().fit(ROWS, LABELS)
    with pytest.raises(ProbeError):
        getattr(fitted, method)(*((wrong, LABELS) if method in ("fit", "score") else (wrong,)))


@pytest.mark.parametrize("wrong", [*NO_LABELS, *OTHER_KIND])
def test_a_linear_probe_refuses_labels(wrong):
    with pytest.raises(ProbeError):
        probe.LinearProbe().fit(ROWS, LABELS).score(ROWS, wrong)


@pytest.mark.parametrize("wrong", [None, "0.5", -0.1, 1.1, NAN, True])
def test_an_accuracy_to_reach_lies_in_0_to_1(wrong):
    with pytest.raises(ContraltoError, match="accuracy must be a number from 0 to 1"):
        call(probe, TABLE, "few_shot").reaches(wrong)


def test_rows_of_mixed_columns_are_numbers():
    mixed = ROWS.astype(object)
    mixed[:, 0] = [int(one) for one in range(40)]
    assert probe.LinearProbe().fit(mixed, LABELS).coef_.dtype == np.float64


@pytest.mark.parametrize("labels", [LABELS.astype(bool), LABELS.astype(float), LABELS.astype(object), OTHER_KIND[0]])
def test_labels_may_be_names_booleans_and_whole_numbers(labels):
    fitted = probe.LinearProbe().fit(ROWS, labels)
    assert fitted.score(ROWS, labels) == probe.LinearProbe().fit(ROWS, LABELS).score(ROWS, LABELS)


def test_rows_too_large_for_the_arithmetic_are_refused():
    with pytest.raises(ProbeError, match="too large"):
        probe.LinearProbe().fit(ROWS.astype(np.float64) * 1e200, LABELS)
