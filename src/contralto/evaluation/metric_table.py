"""The metrics by name: the title for people, the unit, and how the records of an outcome give the value again.

Reports and JSON output contain the names, so they never change: `top1`, `r5_image_to_text`, `median_rank_...`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from contralto.evaluation.outcome import Records
from contralto.metrics.accuracy import auc, mean_per_class
from contralto.metrics.calibration import ece
from contralto.metrics.intervals import Statistic
from contralto.metrics.retrieval import unchecked_median_rank

Direction = Literal["image_to_text", "text_to_image"]
DIRECTIONS: Final[tuple[Direction, ...]] = ("image_to_text", "text_to_image")
RECALL_AT: Final = (1, 5, 10)


@dataclass(frozen=True, eq=False)
class RecordStatistic:
    """A metric as a statistic of n records.

    groups (n,): records that a bootstrap draws together, None if they are independent. right (n,): which records are
    right, if the metric is a share of independent items.
    """

    statistic: Statistic
    n: int
    groups: NDArray[np.int64] | None = None
    right: NDArray[np.bool_] | None = None


@dataclass(frozen=True)
class Metric:
    """unit: "share" lies in 0..1 and is shown in percent; "rank" counts from 1. of_records: None if records do not
    hold what the metric needs; it returns None if these records do not."""

    title: str
    unit: Literal["share", "rank"] = "share"
    of_records: Callable[[Records], RecordStatistic | None] | None = None


def metric_named(name: str) -> Metric:
    """The metric of that name. A name that is not in the table counts as a share; its title is the name."""
    return METRICS.get(name) or Metric(name.replace("_", " "))


def _share(records: Records, k: int, direction: Direction | Literal[""] = "") -> RecordStatistic | None:
    """The share of items, of one direction of retrieval, with a rank below k."""
    ranks, groups = _directed(records, direction)
    if not len(ranks):
        return None
    right = ranks < k
    independent = right if groups is None else None
    return RecordStatistic(lambda places: float(right[places].mean()), len(right), groups, independent)


def _median(records: Records, direction: Direction) -> RecordStatistic:
    ranks, groups = _directed(records, direction)
    return RecordStatistic(lambda places: unchecked_median_rank(ranks[places]), len(ranks), groups)


def _directed(records: Records, direction: str) -> tuple[NDArray[np.int64], NDArray[np.int64] | None]:
    """Ranks (n,) of one direction; for captions the picture of each, as captions of one picture are not independent."""
    chosen = records.direction == direction
    ranks = np.asarray(records.rank[chosen], np.int64)
    if direction != "text_to_image":
        return ranks, None
    return ranks, np.unique(records.key[chosen].astype(str), return_inverse=True)[1]


def _over_classes(
    make: Callable[[Records], Statistic | None],
) -> Callable[[Records], RecordStatistic | None]:
    """For metrics of classification, which retrieval records do not have."""

    def of_records(records: Records) -> RecordStatistic | None:
        if not len(records) or (records.direction != "").any():
            return None
        statistic = make(records)
        return None if statistic is None else RecordStatistic(statistic, len(records))

    return of_records


def _mean_per_class(records: Records) -> Statistic:
    right, label = records.rank < 1, records.label
    return lambda places: float(mean_per_class(right[places], label[places]))


def _mean_top1_top5(records: Records) -> Statistic:
    both = ((records.rank < 1).astype(np.float64) + (records.rank < 5)) / 2
    return lambda places: float(both[places].mean())


def _ece(records: Records) -> Statistic:
    confidence, right = records.confidence, records.rank < 1
    return lambda places: float(ece(confidence[places], right[places]))


def _auc(records: Records) -> Statistic | None:
    """For two classes, by the margin of the second over the first."""
    if records.scores is None:
        return None
    margin = records.scores[:, 0]
    return lambda places: float(auc(margin[places], records.label[places] == 1))


def _pointing(records: Records) -> RecordStatistic | None:
    """The share of questions that are right; those of one picture are not independent."""
    if not len(records):
        return None
    right, groups = records.rank < 1, np.unique(records.key.astype(str), return_inverse=True)[1]
    return RecordStatistic(lambda places: float(right[places].mean()), len(right), groups)


def _retrieval_metrics() -> dict[str, Metric]:
    table: dict[str, Metric] = {}
    for direction in DIRECTIONS:
        arrow = direction.replace("_to_", " → ")
        for k in RECALL_AT:
            of_records = functools.partial(_share, k=k, direction=direction)
            table[f"r{k}_{direction}"] = Metric(f"R@{k}, {arrow}", of_records=of_records)
            table[f"share{k}_{direction}"] = Metric(f"share of captions @{k}, {arrow}")
        median = functools.partial(_median, direction=direction)
        table[f"median_rank_{direction}"] = Metric(f"median rank, {arrow}", "rank", median)
    return table


METRICS: Final[dict[str, Metric]] = {
    "top1": Metric("top-1", of_records=functools.partial(_share, k=1)),
    "top5": Metric("top-5", of_records=functools.partial(_share, k=5)),
    "mean_per_class": Metric("mean per class", of_records=_over_classes(_mean_per_class)),
    "mean_top1_top5": Metric("mean of top-1 and top-5", of_records=_over_classes(_mean_top1_top5)),
    "map11": Metric("11-point mAP"),
    "auc": Metric("ROC AUC", of_records=_over_classes(_auc)),
    "ece": Metric("ECE", of_records=_over_classes(_ece)),
    "ece_tempered": Metric("ECE, tempered"),
    "ap50": Metric("AP50 of boxes"),
    "ap": Metric("AP of boxes, as COCO"),
    "pointing": Metric("pointing game", of_records=_pointing),
} | _retrieval_metrics()
"""Metric name -> metric."""
