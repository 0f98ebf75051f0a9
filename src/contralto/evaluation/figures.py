"""A value and its 95% interval as a figure: exact for a share of independent items, bootstrapped for anything else.

A figure that has no value on the items at hand costs only itself: `Figures` goes on and keeps the reason.
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
    """The mean of values (N,). groups (N,): what is drawn together. Raises UndefinedError."""
    return over(metric, lambda places: float(values[places].mean()), len(values), groups, chance)


def over(
    metric: str,
    statistic: Callable[[Places], float],
    count: int,
    groups: NDArray[np.int64] | None = None,
    chance: float | None = None,
) -> Figure:
    """Any statistic of `count` items, which it takes by their places. It may have a value and no interval.

    Raises UndefinedError where the statistic does, has no item, or is no number.
    """
    _check_count(count)
    value = statistic(np.arange(count))
    if not math.isfinite(value):
        raise UndefinedError("it is no number on these items")
    try:
        low, high = metrics.bootstrap(statistic, count, groups=groups)
    except UndefinedError:
        return Figure(metric, value, None, None, count, chance)
    return Figure(metric, value, low, high, count, chance)


class Figures:
    """The figures of one outcome, in the order in which they are added. without: metric -> why it has no value."""

    def __init__(self) -> None:
        self.found: list[Figure] = []
        self.without: dict[str, str] = {}

    def add(self, make: Callable[..., Figure], metric: str, *given: Any, **options: Any) -> None:
        """Adds make(metric, ...), unless it raises UndefinedError."""
        try:
            self.found.append(make(metric, *given, **options))
        except UndefinedError as error:
            self.without[metric] = str(error)

    @property
    def said(self) -> dict[str, Any]:
        """What the protocol says of those that have no value."""
        return {"without": self.without} if self.without else {}


def _check_count(count: int) -> None:
    if not count:
        raise UndefinedError("there are no items")
