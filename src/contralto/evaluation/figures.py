"""A value with its 95% interval as a figure: exact for a share of independent items, bootstrapped for anything else.

If a metric has no value on these items, only this metric is left out: `FigureCollector` continues and notes the reason.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contralto import metrics
from contralto.evaluation.outcome import Figure
from contralto.metrics import UndefinedError

Places = NDArray[np.intp]


def share(metric: str, right: NDArray[np.bool_], chance: float | None = None) -> Figure:
    """The share of true values in right (N,), with its Clopper-Pearson interval. Raises UndefinedError."""
    _check_count(len(right))
    low, high = metrics.clopper_pearson(int(right.sum()), len(right))
    return Figure(metric, float(right.mean()), low, high, len(right), chance)


def mean(
    metric: str, values: NDArray[Any], groups: NDArray[np.int64] | None = None, chance: float | None = None
) -> Figure:
    """The mean of values (N,). groups (N,): values of one group are drawn together. Raises UndefinedError."""
    return bootstrapped(metric, lambda places: float(values[places].mean()), len(values), groups, chance)


def bootstrapped(
    metric: str,
    statistic: Callable[[Places], float],
    count: int,
    groups: NDArray[np.int64] | None = None,
    chance: float | None = None,
) -> Figure:
    """Any statistic of `count` items; it takes an array of their places. It may have a value but no interval.

    Raises UndefinedError if the statistic does, if there is no item, or if the value is not finite.
    """
    _check_count(count)
    value = statistic(np.arange(count))
    if not math.isfinite(value):
        raise UndefinedError("it is not finite on these items")
    try:
        low, high = metrics.bootstrap(statistic, count, groups=groups)
    except UndefinedError:
        return Figure(metric, value, None, None, count, chance)
    return Figure(metric, value, low, high, count, chance)


class FigureCollector:
    """The figures of one outcome, in the order of `add`. without: metric -> why it has no value."""

    def __init__(self) -> None:
        self.figures: list[Figure] = []
        self.without: dict[str, str] = {}

    def add(self, make: Callable[..., Figure], metric: str, *given: Any, **options: Any) -> None:
        """Adds make(metric, ...), unless it raises UndefinedError."""
        try:
            self.figures.append(make(metric, *given, **options))
        except UndefinedError as error:
            self.without[metric] = str(error)

    @property
    def protocol(self) -> dict[str, Any]:
        """The protocol's entry about the metrics without a value."""
        return {"without": self.without} if self.without else {}


def _check_count(count: int) -> None:
    if not count:
        raise UndefinedError("there are no items")
