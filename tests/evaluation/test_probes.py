"""Probes of a data set: what they are fitted to, what selects the strength, and what is measured."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from support.planned_clip import PlannedClip, picture

import contralto
from contralto.errors import DataError
from contralto.sets.items import Class, DataSet, Item

TRAIN, TEST = 60, 12


@pytest.fixture
def clip():
    """Picture n lies at class n % 3, with noise; a zero-shot text for each class."""
    random = np.random.default_rng(0)
    rows = np.eye(4)[np.arange(TRAIN + TEST + 30) % 3] + random.normal(0, 0.15, (TRAIN + TEST + 30, 4))
    return PlannedClip(rows, dict(zip("abc", np.eye(4), strict=False)))


def split(name, numbers, splits):
    items = [Item(f"{name}/{n}", picture(n), n % 3) for n in numbers]
    made = DataSet("planned", name, "classes", "top1", items, tuple(map(Class, "abc")), ("{}",), "bare", splits)
    ranges = {"train": range(TRAIN), "test": range(TRAIN, TRAIN + TEST), "val": range(TRAIN + TEST, TRAIN + TEST + 30)}
    return replace(made, open_split=lambda other: split(other, ranges[other], splits))


@pytest.fixture
def data():
    return split("test", range(TRAIN, TRAIN + TEST), ("train", "test"))


def test_the_linear_probe_is_fitted_to_train_and_chosen_on_what_is_held_out(clip, data):
    _, outcome = contralto.evaluate(clip, data, probe="linear")
    assert outcome.variant == "linear probe"
    assert outcome.figures[0].value == 1
    said = outcome.protocol
    assert said["features"].startswith("before the projection")
    assert said["train"]["items"] == TRAIN
    assert said["train_also_measured"] == 0
    assert said["validation"].endswith(": 12"), "a fifth of each class"
    assert said["strength"] in [pytest.approx(float(one), rel=0.01) for one in said["validation_accuracy"]]
    assert np.isfinite(outcome.records.confidence).all()
    assert {figure.metric for figure in outcome.figures} >= {"top1", "mean_per_class", "ece"}


def test_a_validation_split_chooses_where_there_is_one(clip):
    data = split("test", range(TRAIN, TRAIN + TEST), ("train", "val", "test"))
    _, outcome = contralto.evaluate(clip, data, probe="linear")
    assert outcome.protocol["validation"]["split"] == "val"
    assert outcome.protocol["validation"]["items"] == 30


def test_pictures_that_are_in_both_splits_are_counted(clip, data):
    twice = replace(data, items=[*data.items[:-1], replace(data.items[-1], picture=picture(2), label=2)])
    _, outcome = contralto.evaluate(clip, twice, probe="linear")
    assert outcome.protocol["train_also_measured"] == 1


def test_neighbours_and_prototypes_have_no_confidence_to_be_judged_by(clip, data):
    outcomes = contralto.evaluate(clip, data, probe="knn")[1:]
    assert [one.variant for one in outcomes] == ["20-NN", "prototypes"]
    for one in outcomes:
        assert [figure.metric for figure in one.figures] == ["top1", "mean_per_class"]
        assert one.figures[0].value == 1


def test_few_shots_are_the_mean_over_draws(clip, data):
    outcomes = contralto.evaluate(clip, data, probe="few-shot", shots=[1, 4])[1:]
    assert [one.variant for one in outcomes] == ["few-shot 1", "few-shot 4"]
    assert outcomes[0].protocol["draws"] == 3
    assert 1 / 3 < outcomes[0].figures[0].value <= outcomes[1].figures[0].value == 1


@pytest.mark.parametrize(("shots", "given"), [([1, 32], ["few-shot 1"]), ([32], [])])
def test_shots_that_a_class_is_too_small_for_cost_themselves(clip, data, caplog, shots, given):
    with caplog.at_level("INFO", "contralto"):
        outcomes = contralto.evaluate(clip, data, probe="few-shot", shots=shots)
    assert [one.variant for one in outcomes] == ["", *given]
    assert "training pictures: too few for 32 shots" in caplog.text


@pytest.mark.parametrize("kind", ["linear", "knn", "few-shot"])
def test_a_picture_that_fails_is_wrong_for_every_probe(clip, data, kind):
    broken = replace(data, items=[*data.items[:-1], Item("bad", b"none", 2)])
    for one in contralto.evaluate(clip, broken, probe=kind, shots=[8])[1:]:
        assert one.figures[0].value == pytest.approx((TEST - 1) / TEST)
        assert one.records.predicted[-1] == -1


def test_what_is_measured_is_not_fitted_to(clip, data):
    with pytest.raises(DataError, match="measure another split"):
        contralto.evaluate(clip, data.other("train"), probe="linear")
    with pytest.raises(DataError, match="no split 'train'"):
        contralto.evaluate(clip, replace(data, splits=("test",)), probe="linear")


def test_two_classes_have_a_margin():
    random = np.random.default_rng(1)
    rows = np.eye(4)[np.arange(80) % 2] + random.normal(0, 0.3, (80, 4))
    clip = PlannedClip(rows, dict(zip("ab", np.eye(4), strict=False)))

    def two(name, numbers):
        items = [Item(f"{name}/{n}", picture(n), n % 2) for n in numbers]
        return DataSet(
            "two", name, "classes", "auc", items, (Class("a"), Class("b")), ("{}",), "bare", ("train", "test")
        )

    data = replace(two("test", range(60, 80)), open_split=lambda name: two(name, range(60)))
    zero_shot, probed = contralto.evaluate(clip, data, probe="linear")
    assert [zero_shot.figures[0].metric, probed.figures[0].metric] == ["auc", "auc"]
    assert probed.figures[0].value > 0.9
