"""A value and its 95% interval as a figure: exact for a share of independent items, bootstrapped for anything else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contralto import metrics
from contralto.evaluation.outcome import Figure

Places = NDArray[np.intp]


def share(metric: str, right: NDArray[np.bool_], chance: float | None = None) -> Figure:
    """Of right (N,), with the Clopper-Pearson interval."""
    low, high = metrics.clopper_pearson(int(right.sum()), len(right))
    return Figure(metric, float(right.mean()), low, high, len(right), chance)


def mean(
    metric: str, values: NDArray[Any], groups: NDArray[np.int64] | None = None, chance: float | None = None
) -> Figure:
    """Of values (N,); groups (N,): what is drawn together."""
    return over(metric, lambda places: float(values[places].mean()), len(values), groups, chance)


def over(
    metric: str,
    statistic: Callable[[Places], float],
    count: int,
    groups: NDArray[np.int64] | None = None,
    chance: float | None = None,
) -> Figure:
    """Of any statistic of `count` items, which it takes by their places."""
    low, high = metrics.bootstrap(statistic, count, groups=groups)
    return Figure(metric, statistic(np.arange(count)), low, high, count, chance)
