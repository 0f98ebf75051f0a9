"""Whether one model is better than another on the same items, or by chance only.

McNemar 1947 in its exact form, the paired bootstrap, and Holm 1979 for several comparisons.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from contralto import arrays
from contralto.errors import DataError, MissingExtraError
from contralto.metrics.intervals import Statistic, check_resampling, percentiles, resampled, value


class Difference(NamedTuple):
    """First minus second, its interval, and the two-sided probability of such a difference between equal models."""

    value: float
    low: float
    high: float
    p: float


def mcnemar(right_a: ArrayLike, right_b: ArrayLike) -> float:
    """Two-sided p of the exact test that both models are right equally often. Needs the extra `evaluate`.

    right_a, right_b (N,) bool: the same items. Only items that exactly one model has right are informative; without
    such items p is 1. Raises DataError if the lengths differ.
    """
    try:
        from scipy.special import betainc
    except ImportError:
        raise MissingExtraError("McNemar's test", "evaluate") from None
    first, second = arrays.flags(right_a, "right_a"), arrays.flags(right_b, "right_b")
    if first.shape != second.shape:
        raise DataError(f"a paired test needs the same items: {first.shape} and {second.shape} were given")
    only_a, only_b = int(np.sum(first & ~second)), int(np.sum(second & ~first))
    fewer, n = min(only_a, only_b), only_a + only_b
    if n == 0:
        return 1.0
    at_most = float(betainc(n - fewer, fewer + 1, 0.5))  # P(X <= fewer), X binomial (n, 1/2)
    return min(1.0, 2 * at_most)


def paired_bootstrap(
    statistic_a: Statistic,
    statistic_b: Statistic,
    n: int,
    *,
    groups: ArrayLike | None = None,
    resamples: int = 2000,
    seed: int = 0,
    level: float = 0.95,
) -> Difference:
    """The difference of a statistic of two models over the same n items, with the same resamples for both.

    Arguments as for `bootstrap`. p is twice the share of resamples on the rarer side of zero, zero itself counted on
    both sides, and never below 2 / (resamples + 1).
    """
    check_resampling(n, resamples, seed, level)
    whole = np.arange(n)
    pairs = [value(statistic_a, drawn) - value(statistic_b, drawn) for drawn in resampled(n, groups, resamples, seed)]
    differences = np.array(pairs)
    low, high = percentiles(differences, level)
    known = differences[~np.isnan(differences)]
    rarer = min(np.sum(known <= 0), np.sum(known >= 0))
    p = min(1.0, 2 * (float(rarer) + 1) / (len(known) + 1))
    return Difference(float(statistic_a(whole)) - float(statistic_b(whole)), low, high, p)


def holm(p: ArrayLike) -> NDArray[np.float64]:
    """p-values (K,) of K comparisons, adjusted: at level a, the chance of any false finding is at most a.

    Raises DataError for a p outside 0..1.
    """
    given = arrays.shares(p, "p")
    order = np.argsort(given, kind="stable")
    stepped = np.maximum.accumulate(given[order] * np.arange(len(given), 0, -1))
    adjusted = np.empty_like(given)
    adjusted[order] = np.minimum(stepped, 1)
    return adjusted
