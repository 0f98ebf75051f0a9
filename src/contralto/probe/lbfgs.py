"""L-BFGS for `objective.py`, preconditioned along the rows' axes, and stopped by a bound on what is left to gain.

Liu and Nocedal (1989), with three things that logistic regression allows. The first guess of the curvature is not a
multiple of the identity but variance x spread + ridge, which follows the probabilities as they sharpen. F is strongly
convex in W with modulus `ridge`, so that |gradient|^2 / (2 ridge) bounds how far above the least F is. And between two
ridges the curvature changes by a known multiple of the identity, so that what was learnt at one serves the next.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from contralto.probe.objective import Float, Objective, Point

ITERATIONS = 1000  # as in the paper
GAP = 1e-6  # of F
GAIN_GAP = 1e-8  # of what the weights gain: then 1,000 predictions of a converged fit differ in less than one
HISTORY = 15
TRIES = 25
Precision = type[np.float32] | type[np.float64]
ROUNDING: dict[Precision, float] = {np.float32: 1e-7, np.float64: 1e-14}  # of a value, relative
LEAST_SPREAD = 1e-12


@dataclass(frozen=True)
class Pair:
    """A step and the change of the gradient along it."""

    step: Float
    change: Float

    def at_ridge(self, more: float) -> Pair:
        """The pair where the ridge is larger by `more`."""
        change = self.change.copy()
        change[:-1] += more * self.step[:-1]
        return Pair(self.step, change)


@dataclass(frozen=True)
class Minimum:
    """gap: how far F is above the least at most, relative to F. (The part of the intercept, which is not regularised,
    is an estimate by its curvature.)"""

    theta: Float
    ridge: float
    iterations: int
    gap: float
    pairs: tuple[Pair, ...]


def minimise(objective: Objective, ridge: float, start: Float | None = None, known: Minimum | None = None) -> Minimum:
    """The least of F at `ridge`, from theta `start`; `known`: a minimum at another ridge, for its curvature.

    Products are in float32 until steps gain less than its rounding, then in float64. It ends when the gap is small
    enough (see _enough), after 1,000 iterations, or when float64 finds nothing lower.
    """
    dtype: Precision = np.float32
    point = objective.at(objective.start() if start is None else start, ridge, dtype)
    pairs = [] if known is None else [pair.at_ridge(ridge - known.ridge) for pair in known.pairs]
    pairs = [pair for pair in pairs if np.vdot(pair.step, pair.change) > 0]
    iterations = 0
    while (gap := _gap(point, ridge)) > _enough(objective, point, ridge) and iterations < ITERATIONS:
        found = _line_search(objective, ridge, point, _direction(objective, ridge, point, pairs), dtype)
        if found is not None:
            pairs = [*pairs[1 - HISTORY :], Pair(found.theta - point.theta, found.gradient - point.gradient)]
            gained, point, iterations = point.value - found.value, found, iterations + 1
            if gained > ROUNDING[dtype] * point.value:
                continue
        if dtype is np.float32:  # which hides what is left
            dtype = np.float64
            point = objective.at(point.theta, ridge, dtype)
        elif found is None and pairs:  # they mislead
            pairs = []
        elif found is None:
            break
    return Minimum(point.theta, ridge, iterations, gap / point.value, tuple(pairs))


def _enough(objective: Objective, point: Point, ridge: float) -> float:
    """The gap to stop at: a part of F, and of what the weights gain over the classes' frequencies alone.

    Strong regularisation leaves F at about the entropy of the frequencies, whatever the weights are; but predictions
    follow the weights. There the gain is about ridge / 2 |W|^2, which rounding does not touch.
    """
    cost = ridge / 2 * float(np.vdot(point.theta[:-1], point.theta[:-1]))
    return min(GAP * point.value, GAIN_GAP * max(objective.entropy - point.value, cost))


def _gap(point: Point, ridge: float) -> float:
    """How far F is above the least at most."""
    weights, intercept = point.gradient[:-1], point.gradient[-1]
    left = float(np.vdot(weights, weights)) / (2 * ridge)
    left += float(np.sum(intercept**2 / (2 * np.maximum(point.spread, LEAST_SPREAD))))
    return left


def _direction(objective: Objective, ridge: float, point: Point, pairs: list[Pair]) -> Float:
    """Minus the gradient times the inverse curvature as it is known (the two loops of Nocedal 1980)."""
    curvature = objective.variance * np.maximum(point.spread, LEAST_SPREAD)
    curvature[:-1] += ridge

    def precondition(gradient: Float) -> Float:
        """Within the classes' sum of zero, which the minimum has: across it only the ridge would act."""
        scaled = gradient / curvature
        return np.asarray(scaled - scaled.mean(axis=1, keepdims=True))

    wanted = point.gradient.copy()
    shares = []
    for pair in reversed(pairs):
        share = np.vdot(pair.step, wanted) / np.vdot(pair.step, pair.change)
        wanted -= share * pair.change
        shares.append(share)
    direction = precondition(wanted)
    if pairs:
        last = pairs[-1]
        direction *= np.vdot(last.step, last.change) / np.vdot(last.change, precondition(last.change))
    for pair, share in zip(pairs, reversed(shares), strict=True):
        direction += (share - np.vdot(pair.change, direction) / np.vdot(pair.step, pair.change)) * pair.step
    return -direction


def _line_search(objective: Objective, ridge: float, origin: Point, direction: Float, dtype: Precision) -> Point | None:
    """A point along the direction where F is lower and its slope has flattened (Wolfe); None if none is found.

    F is convex: the slope tells on which side the least lies, and it is exact where differences of values drown.
    """
    before = float(np.vdot(origin.gradient, direction))
    if not before < 0:
        return None
    low, low_slope, high, high_slope = 0.0, before, np.inf, np.inf
    length = 1.0
    for _ in range(TRIES):
        point = objective.at(origin.theta + length * direction, ridge, dtype)
        slope = float(np.vdot(point.gradient, direction))
        if slope > -0.5 * before or not point.value <= origin.value * (1 + ROUNDING[dtype]):
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
