"""Two models measured on the same items: how far apart they are, and whether that could be chance.

Everything is worked out of the records. Rows of different items are not compared, and a figure that the records do not
give again is told without an interval.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from contralto.evaluation.files import Report
from contralto.evaluation.outcome import Figure, Outcome, Records
from contralto.metrics.accuracy import auc, mean_per_class
from contralto.metrics.calibration import ece
from contralto.metrics.intervals import Statistic, value
from contralto.metrics.paired import holm, mcnemar, paired_bootstrap

SPLIT_HASH = "split_sha256"
"""The entry of a protocol that tells whether two splits hold the same items with the same labels."""

OF_THE_MODEL = ("model", "contract", "weights")
"""The entries of a protocol that name the model."""

AT_K = re.compile(r"(?:top|r)(\d+)(?:_(image_to_text|text_to_image))?")
MEDIAN = re.compile(r"median_rank_(image_to_text|text_to_image)")
CLOSE = 1e-6  # a stated figure and the same one out of the records


@dataclass(frozen=True)
class Comparison:
    """One figure of two models over n items. difference: a minus b; low, high: its 95% interval over paired resamples.

    p: two-sided, McNemar's exact test for shares of independent items, else of the bootstrap; p_holm: adjusted for all
    comparisons made at once. reason: why the test is None, and the difference too where the items are not the same.
    """

    set: str
    split: str
    variant: str
    metric: str
    a: float
    b: float
    n: int
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    p_holm: float | None = None
    reason: str = ""


def compare(
    a: Report, b: Report, *, resamples: int = 2000, seed: int = 0, advance: Callable[[], None] = lambda: None
) -> list[Comparison]:
    """A row for each figure that both reports hold, in the order of the first. Raises MissingExtraError.

    advance: called after each figure of an outcome that both hold; with 50,000 items one may take some seconds.
    """
    rows = []
    for one, other in shared(a, b):
        matches = {figure.metric: figure for figure in other.figures}
        for figure in one.figures:
            if figure.metric in matches:
                rows.append(_row(one, other, figure, matches[figure.metric], resamples, seed))
            advance()
    tested = {place: row.p for place, row in enumerate(rows) if row.p is not None}
    for place, adjusted in zip(tested, holm(list(tested.values())), strict=True):
        rows[place] = replace(rows[place], p_holm=float(adjusted))
    return rows


def shared(a: Report, b: Report) -> list[tuple[Outcome, Outcome]]:
    """The outcomes of the same set, split and variant."""
    others = {(one.set, one.split, one.variant): one for one in b.outcomes}
    pairs = [(one, others.get((one.set, one.split, one.variant))) for one in a.outcomes]
    return [(one, other) for one, other in pairs if other is not None]


def differing(a: Outcome, b: Outcome) -> list[str]:
    """The names of what the two protocols state differently, but for which model it is."""
    names = dict.fromkeys(name for name in (*a.protocol, *b.protocol) if name not in OF_THE_MODEL)
    return [name for name in names if a.protocol.get(name) != b.protocol.get(name)]


def _row(a: Outcome, b: Outcome, one: Figure, other: Figure, resamples: int, seed: int) -> Comparison:
    row = Comparison(a.set, a.split, a.variant, one.metric, one.value, other.value, one.n)
    if reason := _unlike(a, b):
        return replace(row, reason=reason)
    row = replace(row, difference=one.value - other.value)
    first, second = _measure(a.records, one.metric), _measure(b.records, other.metric)
    if first is None or second is None:
        return replace(row, reason="no test: the records do not hold what this metric is made of")
    if not (_gives(first, one) and _gives(second, other)):
        return replace(row, reason="no test: the records do not give the stated figure")
    pair = (first.statistic, second.statistic)
    found = paired_bootstrap(*pair, first.n, groups=first.groups, resamples=resamples, seed=seed)
    p = found.p if first.right is None or second.right is None else mcnemar(first.right, second.right)
    return replace(row, low=found.low, high=found.high, p=p)


def _gives(measure: _Measure, figure: Figure) -> bool:
    """Whether the records give the stated figure."""
    return abs(value(measure.statistic, np.arange(measure.n)) - figure.value) <= CLOSE


def _unlike(a: Outcome, b: Outcome) -> str:
    """Why the items of two outcomes cannot be paired, or nothing."""
    hashes = [one.protocol.get(SPLIT_HASH) for one in (a, b)]
    if hashes[0] != hashes[1]:
        return "the splits differ (another hash)"
    for name in ("key", "direction", "text"):
        if not np.array_equal(getattr(a.records, name), getattr(b.records, name)):
            return "the items differ"
    return ""


@dataclass(frozen=True, eq=False)
class _Measure:
    """A metric as a statistic of n items. groups: what is drawn together. right: where it is a share of independent
    items, which of them are right."""

    statistic: Statistic
    n: int
    groups: NDArray[np.int64] | None = None
    right: NDArray[np.bool_] | None = None


def _measure(records: Records, metric: str) -> _Measure | None:
    """The metric out of the records; None if they do not hold what it takes."""
    if found := AT_K.fullmatch(metric):
        k, direction = int(found[1]), found[2] or ""
        return _share(records, direction, k)
    if found := MEDIAN.fullmatch(metric):
        ranks, groups = _directed(records, found[1])
        return _Measure(lambda places: float(np.median(ranks[places])) + 1, len(ranks), groups)
    make = OF_CLASSES.get(metric)
    if make is None or not len(records) or (records.direction != "").any():
        return None
    statistic = make(records)
    return None if statistic is None else _Measure(statistic, len(records))


def _share(records: Records, direction: str, k: int) -> _Measure | None:
    ranks, groups = _directed(records, direction)
    if not len(ranks):
        return None
    right = ranks < k
    return _Measure(lambda places: float(right[places].mean()), len(right), groups, right if groups is None else None)


def _directed(records: Records, direction: str) -> tuple[NDArray[np.int64], NDArray[np.int64] | None]:
    """Ranks of one direction; the pictures of captions, which are not independent where they share one."""
    chosen = records.direction == direction
    ranks = np.asarray(records.rank[chosen], np.int64)
    if direction != "text_to_image":
        return ranks, None
    return ranks, np.unique(records.key[chosen].astype(str), return_inverse=True)[1]


def _per_class(records: Records) -> Statistic:
    right, label = records.rank < 1, records.label
    return lambda places: float(mean_per_class(right[places], label[places]))


def _top1_top5(records: Records) -> Statistic:
    both = ((records.rank < 1).astype(np.float64) + (records.rank < 5)) / 2
    return lambda places: float(both[places].mean())


def _calibration(records: Records) -> Statistic:
    confidence, right = records.confidence, records.rank < 1
    return lambda places: float(ece(confidence[places], right[places]))


def _roc(records: Records) -> Statistic | None:
    """Of two classes: by how much the second scores above the first."""
    if records.scores is None:
        return None
    margin = records.scores[:, 0]
    return lambda places: float(auc(margin[places], records.label[places] == 1))


OF_CLASSES: dict[str, Callable[[Records], Statistic | None]] = {
    "mean_per_class": _per_class,
    "mean_top1_top5": _top1_top5,
    "ece": _calibration,
    "auc": _roc,
}
