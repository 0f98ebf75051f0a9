"""Whether the adaptation helped: the same pictures before and after, an exact test, and how large a gain could show.

Words: helped, no difference, hurt. The test is McNemar's for classes, the paired bootstrap for captions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from contralto.errors import DataError
from contralto.evaluation.compare import Comparison, compare_figure
from contralto.evaluation.outcome import Outcome
from contralto.metrics.paired import mcnemar

SIGNIFICANCE: Final = 0.05
Word = Literal["helped", "no difference", "hurt"]


@dataclass(frozen=True)
class Verdict:
    """difference: adapted minus zero-shot, with its 95% interval low..high and p, over n items.

    detectable: the smallest gain that these items could have shown at p < 0.05, if as many answers had become wrong as
    did; None if no gain could, as too few answers were wrong before, and for captions, whose test is no count.
    """

    word: Word
    metric: str
    difference: float
    low: float
    high: float
    p: float
    n: int
    detectable: float | None = None


def verdict(zero_shot: Outcome, adapted: Outcome, metric: str) -> Verdict:
    """The verdict by one metric of both outcomes. Raises DataError if the outcomes are not of the same items."""
    row = compare_figure(adapted, zero_shot, metric)
    difference, low, high, p = _tested(row)
    word: Word = "no difference"
    if p < SIGNIFICANCE and difference != 0:
        word = "helped" if difference > 0 else "hurt"
    gain = None if (adapted.records.direction != "").any() else _detectable(zero_shot, adapted)
    return Verdict(word, metric, difference, low, high, p, row.n, gain)


def _tested(row: Comparison) -> tuple[float, float, float, float]:
    if row.difference is None or row.low is None or row.high is None or row.p is None:
        raise DataError(f"{row.set}:{row.split}: {row.metric} before and after cannot be compared: {row.reason}")
    return row.difference, row.low, row.high, row.p


def _detectable(zero_shot: Outcome, adapted: Outcome) -> float | None:
    """The share of net gains with which p would have been below 0.05, given the answers that became wrong."""
    before, after = zero_shot.records.rank == 0, adapted.records.rank == 0
    n, lost = len(before), int(np.sum(before & ~after))
    for won in range(lost + 1, n - int(before.sum()) + 1):  # only a wrong answer can become right
        if mcnemar([True] * won + [False] * lost, [False] * won + [True] * lost) < SIGNIFICANCE:
            return (won - lost) / n
    return None
