"""Compares two models on the same items: the difference of each figure, and whether it could be chance.

Everything is computed from the records. Outcomes of different items are not compared, and a figure that the records do
not reproduce gets no interval.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from contralto.evaluation.metric_table import RecordStatistic, metric_named
from contralto.evaluation.outcome import Figure, Outcome
from contralto.evaluation.report_files import EvaluationReport
from contralto.metrics.intervals import value
from contralto.metrics.paired import holm, mcnemar, paired_bootstrap

OF_THE_MODEL: Final = ("model", "contract", "weights")
"""The entries of a protocol that name the model."""

MAX_DEVIATION: Final = 1e-6  # between a stated figure and the same one from the records


@dataclass(frozen=True)
class Comparison:
    """One figure of two models over n items.

    difference: a minus b; low, high: its 95% interval over paired resamples. p: two-sided, McNemar's exact test for
    shares of independent items, else of the bootstrap; p_holm: adjusted for all comparisons made at once. reason: why
    there is no test (p is None); the difference is None too if the items are not the same.
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
    a: EvaluationReport,
    b: EvaluationReport,
    *,
    resamples: int = 2000,
    seed: int = 0,
    advance: Callable[[], None] = lambda: None,
) -> list[Comparison]:
    """One comparison for each figure in both reports, in the order of the first. Raises MissingExtraError.

    advance: called after each figure of a shared outcome; with 50,000 items one may take some seconds.
    """
    rows = []
    for one, other in shared_outcomes(a, b):
        metrics = {figure.metric for figure in other.figures}
        for figure in one.figures:
            if figure.metric in metrics:
                rows.append(compare_figure(one, other, figure.metric, resamples=resamples, seed=seed))
            advance()
    tested = {place: row.p for place, row in enumerate(rows) if row.p is not None}
    for place, adjusted in zip(tested, holm(list(tested.values())), strict=True):
        rows[place] = replace(rows[place], p_holm=float(adjusted))
    return rows


def shared_outcomes(a: EvaluationReport, b: EvaluationReport) -> list[tuple[Outcome, Outcome]]:
    """Pairs of outcomes with the same set, split and variant."""
    others = {one.identity: one for one in b.outcomes}
    pairs = [(one, others.get(one.identity)) for one in a.outcomes]
    return [(one, other) for one, other in pairs if other is not None]


def differing_entries(a: Outcome, b: Outcome) -> list[str]:
    """The names of protocol entries that differ, except those that name the model."""
    names = dict.fromkeys(name for name in (*a.protocol, *b.protocol) if name not in OF_THE_MODEL)
    return [name for name in names if a.protocol.get(name) != b.protocol.get(name)]


def compare_figure(a: Outcome, b: Outcome, metric: str, *, resamples: int = 2000, seed: int = 0) -> Comparison:
    """One metric, which both outcomes have, compared on the same items; set, split and variant are those of a."""
    one, other = (next(figure for figure in outcome.figures if figure.metric == metric) for outcome in (a, b))
    row = Comparison(a.set, a.split, a.variant, one.metric, one.value, other.value, one.n)
    if reason := _unlike(a, b):
        return replace(row, reason=reason)
    row = replace(row, difference=one.value - other.value)
    of_records = metric_named(one.metric).of_records
    first, second = (of_records(a.records), of_records(b.records)) if of_records else (None, None)
    if first is None or second is None:
        return replace(row, reason="no test: the records do not hold what this metric is made of")
    if not (_gives(first, one) and _gives(second, other)):
        return replace(row, reason="no test: the records do not give the stated figure")
    pair = (first.statistic, second.statistic)
    difference = paired_bootstrap(*pair, first.n, groups=first.groups, resamples=resamples, seed=seed)
    p = difference.p if first.right is None or second.right is None else mcnemar(first.right, second.right)
    return replace(row, low=difference.low, high=difference.high, p=p)


def _gives(measure: RecordStatistic, figure: Figure) -> bool:
    """Whether the records reproduce the stated figure."""
    return abs(value(measure.statistic, np.arange(measure.n)) - figure.value) <= MAX_DEVIATION


def _unlike(a: Outcome, b: Outcome) -> str:
    """Why the items of two outcomes cannot be paired, or an empty string."""
    if a.split_sha256 != b.split_sha256:
        return "the splits differ (another hash)"
    for name in ("key", "direction", "text"):
        if not np.array_equal(getattr(a.records, name), getattr(b.records, name)):
            return "the items differ"
    return ""
