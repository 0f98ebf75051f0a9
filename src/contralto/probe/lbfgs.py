"""L-BFGS for `objective.py`, preconditioned along the rows' axes, with a stopping rule that bounds the remaining gain.

Liu and Nocedal (1989), with three changes that logistic regression allows. The first estimate of the curvature is
variance x spread + ridge instead of a multiple of the identity; it follows the probabilities as they sharpen. F is
strongly convex in W with modulus `ridge`, so |gradient|^2 / (2 ridge) bounds how far F is above its minimum. And
between two ridges the curvature changes by a known multiple of the identity, so the curvature pairs of one ridge serve
the next.

Its plain twin is scikit-learn, run to convergence, in tests/probe/test_linear.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np

from contralto.probe.objective import Float, Objective, Point

MAX_ITERATIONS = 1000  # as in the paper
MAX_GAP = 1e-6  # relative to F
MAX_GAIN_GAP = 1e-8  # relative to the gain of the weights: then less than one of 1,000 predictions differs
HISTORY = 15  # curvature pairs
LINE_SEARCH_TRIES = 25
Precision = type[np.float32] | type[np.float64]
ROUNDING: dict[Precision, float] = {np.float32: 1e-7, np.float64: 1e-14}  # of a value, relative
MIN_SPREAD = 1e-12


class Evaluation(Protocol):
    """A function's value and gradient at theta."""

    @property
    def theta(self) -> Float: ...
    @property
    def value(self) -> float: ...
    @property
    def gradient(self) -> Float: ...


Evaluated = TypeVar("Evaluated", bound=Evaluation)


@dataclass(frozen=True)
class CurvaturePair:
    """A step and the change of the gradient along it."""

    step: Float
    change: Float

    def at_ridge(self, more: float) -> CurvaturePair:
        """The pair for a ridge that is larger by `more`."""
        change = self.change.copy()
        change[:-1] += more * self.step[:-1]
        return CurvaturePair(self.step, change)


@dataclass(frozen=True)
class Minimum:
    """The result of a fit.

    gap: how far F is above its minimum at most, relative to F. (The part of the intercept, which is not regularised, is
    estimated from its curvature; with an offset there is none.)
    """

    theta: Float
    ridge: float
    iterations: int
    gap: float
    pairs: tuple[CurvaturePair, ...]


def minimise(objective: Objective, ridge: float, start: Float | None = None, known: Minimum | None = None) -> Minimum:
    """The minimum of F at `ridge`, from theta `start`; `known`: a minimum at another ridge, for its curvature.

    Products are in float32 until steps gain less than its rounding, then in float64. It stops if the gap is small
    enough (see _enough), after 1,000 iterations, or if float64 finds no lower point.
    """
    dtype: Precision = np.float32
    point = objective.at(objective.start() if start is None else start, ridge, dtype)
    pairs = [] if known is None else [pair.at_ridge(ridge - known.ridge) for pair in known.pairs]
    pairs = [pair for pair in pairs if np.vdot(pair.step, pair.change) > 0]
    iterations = 0

    def at(theta: Float) -> Point:
        return objective.at(theta, ridge, dtype)

    while (gap := _gap(point, ridge)) > _enough(objective, point, ridge) and iterations < MAX_ITERATIONS:
        lower = line_search(at, point, _direction(objective, ridge, point, pairs), ROUNDING[dtype])
        if lower is not None:
            pairs = [*pairs[1 - HISTORY :], CurvaturePair(lower.theta - point.theta, lower.gradient - point.gradient)]
            gained, point, iterations = point.value - lower.value, lower, iterations + 1
            if gained > ROUNDING[dtype] * point.value:
                continue
        if dtype is np.float32:  # its rounding hides the remaining gain
            dtype = np.float64
            point = objective.at(point.theta, ridge, dtype)
        elif lower is None and pairs:  # the pairs mislead
            pairs = []
        elif lower is None:
            break
    return Minimum(point.theta, ridge, iterations, gap / point.value if gap else 0.0, tuple(pairs))


def _enough(objective: Objective, point: Point, ridge: float) -> float:
    """The gap to stop at: a share of F, and of the gain of the weights over class frequencies or the offset alone.

    Strong regularisation leaves F near the entropy of the frequencies for any weights, but predictions follow the
    weights. There the gain is about ridge / 2 |W|^2, which rounding does not affect.
    """
    cost = ridge / 2 * float(np.vdot(point.theta[:-1], point.theta[:-1]))
    return min(MAX_GAP * point.value, MAX_GAIN_GAP * max(objective.entropy - point.value, cost))


def _gap(point: Point, ridge: float) -> float:
    """The largest possible distance of F above its minimum."""
    weights, intercept = point.gradient[:-1], point.gradient[-1]
    left = float(np.vdot(weights, weights)) / (2 * ridge)
    left += float(np.sum(intercept**2 / (2 * np.maximum(point.spread, MIN_SPREAD))))
    return left


def _direction(objective: Objective, ridge: float, point: Point, pairs: list[CurvaturePair]) -> Float:
    """The direction from `point`, by the curvature along the rows' axes."""
    curvature = objective.variance * np.maximum(point.spread, MIN_SPREAD)
    curvature[:-1] += ridge

    def precondition(gradient: Float) -> Float:
        """Stays where the classes' sum is zero, as at the minimum; across that plane only the ridge would act."""
        scaled = gradient / curvature
        return np.asarray(scaled - scaled.mean(axis=1, keepdims=True))

    return direction(point.gradient, pairs, precondition)


def direction(gradient: Float, pairs: Sequence[CurvaturePair], precondition: Callable[[Float], Float]) -> Float:
    """Minus the gradient times the inverse curvature, estimated from pairs and a first estimate (the two loops of
    Nocedal 1980).
    """
    wanted = gradient.copy()
    shares = []
    for pair in reversed(pairs):
        share = np.vdot(pair.step, wanted) / np.vdot(pair.step, pair.change)
        wanted -= share * pair.change
        shares.append(share)
    descent = precondition(wanted)
    if pairs:
        last = pairs[-1]
        descent *= np.vdot(last.step, last.change) / np.vdot(last.change, precondition(last.change))
    for pair, share in zip(pairs, reversed(shares), strict=True):
        descent += (share - np.vdot(pair.change, descent) / np.vdot(pair.step, pair.change)) * pair.step
    return -descent


def line_search(
    at: Callable[[Float], Evaluated], origin: Evaluated, descent: Float, rounding: float
) -> Evaluated | None:
    """A point along the descent with lower F and a flatter slope (Wolfe conditions); None if the search fails.

    at: evaluates F; rounding: of its values, relative. F is convex, or nearly so near a minimum: the slope tells on
    which side that lies, and it is exact where rounding hides differences of F.
    """
    before = float(np.vdot(origin.gradient, descent))
    if not before < 0:
        return None
    low, low_slope, high, high_slope = 0.0, before, np.inf, np.inf
    length = 1.0
    for _ in range(LINE_SEARCH_TRIES):
        point = at(origin.theta + length * descent)
        slope = float(np.vdot(point.gradient, descent))
        if slope > -0.5 * before or not point.value <= origin.value * (1 + rounding):
            high, high_slope = length, slope if slope > 0 else -before
        elif slope < 0.9 * before:
            low, low_slope = length, slope
        else:
            return point
        if np.isinf(high):
            length *= 4
        else:
            part = low_slope / (low_slope - high_slope)
            length = low + (high - low) * min(max(part, 0.1), 0.9)
    return None
