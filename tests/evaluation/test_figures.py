"""A metric without a value on the items at hand costs only itself, in every task."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from support.planned_clip import PlannedClip, picture, planned_set

import contralto
from contralto.data.omissions import Omissions
from contralto.errors import DataError
from contralto.evaluation.figures import FigureCollector, bootstrapped, mean, share
from contralto.metrics import UndefinedError
from contralto.sets.data_set import Class, DataSet, Item

BROKEN = Item("broken", b"none", 0)


@pytest.fixture
def clip():
    texts = dict(zip("abcdefg", np.eye(4)[[0, 1, 2, 3, 0, 1, 2]], strict=True))
    return PlannedClip([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0.8, 0.6, 0, 0]], texts)


def figures(outcome):
    return {figure.metric: figure for figure in outcome.figures}


def two_classes(labels, **changes):
    return planned_set(labels, "ab", **changes)


@pytest.mark.parametrize("labels", [[0], [1], [0, 0, 0], [1, 1]])
def test_with_one_class_absent_there_is_no_auc_and_all_else(clip, labels, caplog):
    with caplog.at_level("INFO", "contralto"):
        (outcome,) = contralto.evaluate(clip, two_classes(labels))
    assert {"top1", "mean_per_class", "ece"} <= figures(outcome).keys()
    assert "auc" not in figures(outcome)
    assert "one of the kinds is absent" in outcome.protocol["without"]["auc"]
    assert "planned:test has no auc: the ROC area needs positive and negative items" in caplog.text


def test_where_all_has_a_value_nothing_is_said(clip):
    (outcome,) = contralto.evaluate(clip, two_classes([0, 1]))
    assert "auc" in figures(outcome)
    assert "without" not in outcome.protocol


def test_where_the_set_s_own_metric_has_no_value_the_others_come_first(clip):
    (outcome,) = contralto.evaluate(clip, two_classes([0, 0], metric="auc"))
    assert outcome.figures[0].metric == "top1"


def test_a_class_of_which_all_pictures_fail_is_wrong_and_everything_has_a_value(clip):
    of_the_first = [Item("one", picture(0), 0), Item("two", picture(3), 0)]
    items = [*of_the_first, replace(BROKEN, label=1), replace(BROKEN, key="broken too", label=1)]
    (outcome,) = contralto.evaluate(clip, two_classes([], items=items))
    assert (figures(outcome)["top1"].value, figures(outcome)["mean_per_class"].value) == (0.5, 0.5)
    assert {"auc", "ece"} <= figures(outcome).keys()
    assert sorted(outcome.failures) == ["broken", "broken too"]


@pytest.mark.parametrize("count", [1, 2])
def test_where_every_picture_fails_all_are_wrong(clip, count):
    items = [replace(BROKEN, key=f"broken {i}", label=i) for i in range(count)]
    (outcome,) = contralto.evaluate(clip, planned_set([], "abcdefg", items=items))
    assert figures(outcome)["top1"].value == figures(outcome)["top5"].value == 0
    assert len(outcome.failures) == count


@pytest.mark.parametrize("items", [1, 2])
def test_retrieval_of_one_picture_and_one_caption(clip, items):
    data = DataSet(
        "told", "test", "retrieval", "r1", [Item(f"{i}", picture(i), captions=("ab"[i],)) for i in range(items)]
    )
    (outcome,) = contralto.evaluate(clip, data)
    assert len(outcome.figures) == 11
    assert figures(outcome)["r1_image_to_text"].value == 1


def test_retrieval_goes_on_past_a_picture_that_fails(clip):
    items = [Item("1", picture(0), captions=("a",)), Item("2", b"none", captions=("b",))]
    (outcome,) = contralto.evaluate(clip, DataSet("told", "test", "retrieval", "r1", items))
    assert figures(outcome)["r1_image_to_text"].value == 0.5
    assert list(outcome.failures) == ["2"]


@pytest.mark.parametrize("task", ["choice", "pairs"])
def test_choices_of_few_items(clip, task):
    items = [Item(f"{i}", picture(i), i, captions=("a", "b")) for i in range(2)]
    outcomes = contralto.evaluate(clip, DataSet("told", "test", task, "top1", items))
    assert figures(outcomes[0])["top1"].value == 1


def test_several_labels_of_which_none_is_there(clip):
    items = [Item("1", picture(0)), Item("2", picture(1))]
    data = planned_set([], "ab", items=items, task="labels", metric="map11")
    with pytest.raises(DataError, match="planned:test has no figure: average precision needs a relevant picture"):
        contralto.evaluate(clip, data)
    (outcome,) = contralto.evaluate(clip, replace(data, items=[replace(items[0], labels=(0,)), items[1]]))
    assert figures(outcome)["map11"].value == 1


@pytest.mark.parametrize("check", ["typographic", "questions"])
def test_a_check_that_needs_two_classes_costs_itself(clip, check, caplog):
    data = replace(planned_set([0, 0], "a"), classes=(Class("a"),))
    with caplog.at_level("INFO", "contralto"):
        (outcome,) = contralto.evaluate(clip, data, checks=[check])
    assert figures(outcome)["top1"].value == 1
    assert f"measured without {check}" in caplog.text


@pytest.mark.parametrize("probe", ["linear", "knn", "few-shot"])
@pytest.mark.parametrize("training", [[0], [0, 0], [0, 1]])
def test_a_probe_with_too_little_to_fit_to_costs_itself(clip, probe, training, caplog):
    train = planned_set(training, "ab", split="train")
    data = planned_set([0, 1], "ab", splits=("train", "test"), open_split=lambda split: train)
    with caplog.at_level("INFO", "contralto"):
        first, *others = contralto.evaluate(clip, data, probe=probe, shots=[1])
    assert figures(first)["top1"].value == 1
    if others:
        assert len(set(training)) == 2
    else:
        assert f"measured without {probe}" in caplog.text


def test_what_a_set_leaves_out_is_told_and_n_is_explained(clip, caplog):
    left_out = Omissions()
    for n in range(3):
        left_out.ignore("left out, no pictures by their names", f"img_{n}")
        left_out.fail(f"t.csv line {n}", "has no label")
    with caplog.at_level("INFO", "contralto"):
        (outcome,) = contralto.evaluate(clip, two_classes([0, 1], left_out=left_out))
    assert outcome.protocol["items"] == figures(outcome)["top1"].n == 2
    assert outcome.protocol["left_out"] == {"has no label": 3, "left out, no pictures by their names": 3}
    assert outcome.failures == {f"t.csv line {n}": "has no label" for n in range(3)}
    assert caplog.messages == ["planned:test: left out, no pictures by their names: 3 (img_0, ...)"]


class TestFigures:
    def test_one_that_raises_becomes_a_reason(self):
        collector = FigureCollector()
        collector.add(share, "empty", np.array([], bool))
        collector.add(mean, "none", np.array([]))
        collector.add(bootstrapped, "nan", lambda places: float("nan"), 3)
        collector.add(share, "half", np.array([True, False]), chance=0.5)
        assert [(figure.metric, figure.value, figure.chance) for figure in collector.figures] == [("half", 0.5, 0.5)]
        assert collector.without == dict.fromkeys(("empty", "none"), "there are no items") | {
            "nan": "it is not finite on these items"
        }

    def test_other_errors_are_not_taken_for_it(self):
        def wrong(places):
            raise DataError("nonsense")

        with pytest.raises(DataError, match="nonsense"):
            FigureCollector().add(bootstrapped, "wrong", wrong, 3)

    def test_a_value_without_an_interval_is_a_value(self):
        def rare(places):
            if len(set(places.tolist())) < 50:
                raise UndefinedError("not all are there")
            return 0.25

        figure = bootstrapped("rare", rare, 50)
        assert (figure.value, figure.low, figure.high) == (0.25, None, None)
