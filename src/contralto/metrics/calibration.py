"""How far a confidence can be trusted, and the scaling that corrects it, fitted to held-out data.

Guo, Pleiss, Sun and Weinberger 2017, "On Calibration of Modern Neural Networks"; Platt 1999 for sigmoid scores. Plain
twins of the fits: SciPy's minimisers in tests/metrics/test_calibration.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from contralto import arguments, arrays
from contralto.errors import DataError

Floats = NDArray[np.float64]
LOGITS_PER_BLOCK: Final = 2**22
NEWTON_STEPS: Final = 200  # Newton needs about ten; bisection alone needs fewer than these


@dataclass(frozen=True, eq=False)
class Bins:
    """A reliability diagram. Arrays (bins,): each bin is (low, high]; the two means are NaN if count is 0."""

    low: Floats
    high: Floats
    count: NDArray[np.int64]
    confidence: Floats
    accuracy: Floats


class Platt(NamedTuple):
    """The probability that a score is right is 1 / (1 + exp(-(scale * score + bias)))."""

    scale: float
    bias: float


def reliability(confidence: ArrayLike, right: ArrayLike, bins: int = 15) -> Bins:
    """Mean confidence and accuracy in bins of equal width.

    confidence (N,) in 0..1, right (N,) bool, or 0 and 1. A bin includes its upper edge but not its lower one;
    confidence 0 goes into the first bin. Raises DataError for a confidence outside 0..1, another value in `right`,
    shapes that disagree or no item; ContraltoError for less than one bin.
    """
    bins = arguments.whole(bins, "bins")
    sure, hits = _pairs(arrays.shares(confidence, "confidence"), right)
    edges = np.arange(bins + 1) / bins
    place = np.maximum(np.searchsorted(edges, sure, side="left") - 1, 0)
    count = np.bincount(place, minlength=bins)
    with np.errstate(invalid="ignore"):  # 0 / 0 where a bin is empty
        means = [np.bincount(place, weights=values, minlength=bins) / count for values in (sure, hits)]
    return Bins(edges[:-1], edges[1:], count, *means)


def ece(confidence: ArrayLike, right: ArrayLike, bins: int = 15) -> float:
    """Expected calibration error: the mean over items of |accuracy - confidence| of their bin (`reliability`)."""
    diagram = reliability(confidence, right, bins)
    gaps = np.abs(diagram.accuracy - diagram.confidence)
    return float(np.nansum(gaps * diagram.count) / diagram.count.sum())


def brier(confidence: ArrayLike, right: ArrayLike) -> float:
    """Mean square of confidence minus right (1 or 0). confidence (N,) in 0..1, right (N,) bool. Raises DataError."""
    sure, hits = _pairs(arrays.shares(confidence, "confidence"), right)
    return float(np.mean((sure - hits) ** 2))


def temperature(logits: ArrayLike, labels: ArrayLike) -> float:
    """The T for which softmax(logits / T) gives the labels the highest likelihood, on held-out data.

    logits (N, C), labels (N,) class indices. The loss is convex in 1 / T, so one T is best. Raises DataError if none
    is: every label has the highest logit (T would be 0), or the logits are no better than constant ones (T would be
    infinite).
    """
    matrix, own = arrays.numbers(logits, "logits", 2), arrays.array(labels, "labels")
    if own.shape != matrix.shape[:1] or not len(own):
        raise DataError(f"logits {matrix.shape} and labels {own.shape} disagree: (N, C) and (N,) are needed, N > 0")
    own = arrays.classes(own, "label", matrix.shape[1])
    if not np.isfinite(matrix).all():
        raise DataError("a temperature cannot be fitted to logits that are not finite")
    best, chosen = matrix.max(axis=1), np.take_along_axis(matrix, own[:, None], axis=1)[:, 0]
    if (chosen == best).all():
        raise DataError("no temperature is best: every held-out item has the highest logit at its label")
    if chosen.mean(dtype=np.float64) <= matrix.mean(dtype=np.float64):
        raise DataError("no temperature is best: the logits of the labels are no higher than the others on average")
    return 1 / _best_factor(matrix, own)


def _best_factor(logits: NDArray[np.float64], labels: NDArray[np.int64]) -> float:
    """The factor 1 / T at which the slope of the loss is zero: Newton's method within a lower and an upper bound."""
    low, high = 0.0, np.inf
    spread = np.ptp(logits, axis=1).max()
    factor = 1.0 / float(spread)
    for _ in range(NEWTON_STEPS):
        slope, curvature = _slope(logits, labels, factor)
        low, high = (factor, high) if slope < 0 else (low, factor)
        step = factor - slope / curvature if curvature > 0 else np.inf
        if not low < step < high:
            step = 2 * factor if high == np.inf else (low + high) / 2
        if abs(step - factor) <= 1e-12 * factor:
            return float(step)
        factor = min(step, 4 * factor)  # far out the curvature vanishes, and Newton would leap
    return float(factor)


def _slope(logits: NDArray[np.float64], labels: NDArray[np.int64], factor: float) -> tuple[float, float]:
    """First and second derivative of the mean negative log-likelihood by the factor on the logits."""
    first = second = 0.0
    for rows, own in _blocks(logits, labels):
        rows = rows - rows.max(axis=1, keepdims=True)
        weights = np.exp(factor * rows)
        weights /= weights.sum(axis=1, keepdims=True)
        mean = np.einsum("nc,nc->n", weights, rows)
        first += float(np.sum(mean - np.take_along_axis(rows, own[:, None], axis=1)[:, 0]))
        second += float(np.sum(np.einsum("nc,nc,nc->n", weights, rows, rows) - mean**2))
    return first / len(labels), second / len(labels)


def _blocks(logits: NDArray[np.float64], labels: NDArray[np.int64]) -> Iterator[tuple[Floats, NDArray[np.int64]]]:
    size = max(1, LOGITS_PER_BLOCK // logits.shape[1])
    for start in range(0, len(labels), size):
        yield logits[start : start + size].astype(np.float64), labels[start : start + size]


def platt(scores: ArrayLike, right: ArrayLike) -> Platt:
    """Scale and bias of the most likely sigmoid, for scores of independent answers (a sigmoid model's).

    scores (N,), right (N,) bool, held out. Raises DataError if no sigmoid is best: a threshold separates right from
    wrong perfectly, one of the kinds is absent, or all scores are equal.
    """
    values, hits = _pairs(scores, right)
    won, lost = values[hits == 1], values[hits == 0]
    if not np.isfinite(values).all() or not len(won) or not len(lost):
        raise DataError("a sigmoid fit needs finite scores of right and of wrong answers")
    if np.ptp(values) == 0:
        raise DataError("no sigmoid is best: all scores are equal")
    if won.min() >= lost.max() or won.max() <= lost.min():
        raise DataError("no sigmoid is best: a threshold separates the right answers from the wrong ones")
    middle, width = values.mean(), values.std()
    columns = np.stack([(values - middle) / width, np.ones_like(values)], axis=1)
    slope, height = _logistic(columns, hits)
    return Platt(float(slope / width), float(height - slope * middle / width))


def _logistic(columns: Floats, hits: Floats) -> Floats:
    """Newton's method with halved steps; the loss is strictly convex here."""

    def loss(at: Floats) -> float:
        return float(np.mean(np.logaddexp(0, columns @ at) - hits * (columns @ at)))

    at = np.zeros(2)
    for _ in range(NEWTON_STEPS):
        likely = np.exp(-np.logaddexp(0, -columns @ at))
        gradient = columns.T @ (likely - hits) / len(hits)
        curvature = (columns * (likely * (1 - likely))[:, None]).T @ columns / len(hits)
        step = np.linalg.solve(curvature, gradient)
        while loss(at - step) > loss(at) and np.abs(step).max() > 1e-12:
            step = step / 2
        at = at - step
        if np.abs(step).max() <= 1e-12:
            break
    return at


def _pairs(values: ArrayLike, right: ArrayLike) -> tuple[Floats, Floats]:
    numbers = arrays.numbers(values, "values").astype(np.float64)
    hits = arrays.flags(right, "right").astype(np.float64)
    if numbers.shape != hits.shape or not numbers.size:
        raise DataError(f"values {numbers.shape} and right {hits.shape} disagree: both must be (N,), N > 0")
    return numbers, hits
