"""The table of metrics holds every metric of the tasks, and the records reproduce the figures."""

from __future__ import annotations

import numpy as np
import pytest
from support import fabricated_outcomes as fabricated
from support.planned_clip import PlannedClip, picture

from contralto.evaluation.metric_table import METRICS, metric_named
from contralto.evaluation.retrieval import retrieval
from contralto.evaluation.session import open_session
from contralto.sets.items import DataSet, Item


def test_every_metric_of_retrieval_is_in_the_table_and_follows_from_the_records():
    items = [Item("a", picture(0), captions=("a1", "a2")), Item("b", picture(1), captions=("b1",))]
    texts = {"a1": [1.0, 0.1, 0, 0], "a2": [0.1, 1.0, 0, 0], "b1": [0.5, 0.6, 0, 0]}
    with open_session(PlannedClip(np.eye(4), texts)) as session:
        data = DataSet("pairs", "test", "retrieval", "r1_image_to_text", items)
        outcome = retrieval(session, data, session.embed_pictures(data))
    assert len(outcome.figures) == 11
    for figure in outcome.figures:
        assert figure.metric in METRICS
        if (of_records := metric_named(figure.metric).of_records) is not None:
            measure = of_records(outcome.records)
            assert measure.n == figure.n
            assert measure.statistic(np.arange(measure.n)) == pytest.approx(figure.value)


def test_a_metric_outside_the_table_is_a_share_of_the_same_name():
    metric = metric_named("top1_gained_by_overlap")
    assert (metric.title, metric.unit, metric.of_records) == ("top1 gained by overlap", "share", None)


@pytest.mark.parametrize("name", ["mean_per_class", "ece", "auc", "r1_image_to_text"])
def test_records_that_lack_a_metric_give_none(name):
    made = fabricated.retrieval().records if name != "r1_image_to_text" else fabricated.records()
    assert metric_named(name).of_records(made) is None
