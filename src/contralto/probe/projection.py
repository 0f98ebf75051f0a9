"""A tower's last projection, moved for one's own classes or captions, over cached features (ProLIP, Fahes et al. 2024,
arXiv 2410.05270).

    minimise over D:  mean loss of unit((P + D) f + rest)  +  penalty |D|^2

P (d, w) is the projection, f the tower's features, and `rest` what the head adds besides P f. The loss is the
cross-entropy over a zero-shot classifier's classes, or CLIP's loss between pictures and texts.

The towers stay as they are, so no picture is encoded again. D lies in the span of the features. There, on their
principal axes, the curvature is nearly diagonal, and L-BFGS (`lbfgs.py`) gets near the minimum in tens of passes,
without a learning rate. (A weak penalty can draw vectors towards zero, if rows must turn by more than a right angle.
No smooth minimum exists there; it then ends with the lowest point that it reached.) The plain twins are PyTorch's
autograd and optimisers, in tests/probe/test_projection.py.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from contralto import arguments
from contralto.probe.estimator import training_data
from contralto.probe.inputs import ProbeError, checked_owners, checked_rows
from contralto.probe.lbfgs import ROUNDING, CurvaturePair, direction, line_search
from contralto.probe.objective import Float
from contralto.probe.unit_losses import LossOfRows, Places, UnitRows, class_loss, pair_loss, unit_rows

Floats32 = NDArray[np.float32]
FitProgress = Callable[[int, int], object]
"""Called with (iterations or epochs done, their largest number); in the last call they are equal."""

BATCH: Final = 1024  # pairs that are each other's negatives
HISTORY: Final = 10  # curvature pairs; each is as large as two projections
ENOUGH: Final = 1e-5  # of the value; what is left to gain, by the gradient and the penalty's curvature
NEGLIGIBLE: Final = 1e-10  # of the largest variance: an axis that float32 features do not have


class TowerRows(NamedTuple):
    """features (N, w); rest (N, d): what the head adds besides projection @ feature; projection (d, w)."""

    features: ArrayLike
    rest: ArrayLike
    projection: ArrayLike


def fit_projection(
    features: ArrayLike,
    rest: ArrayLike,
    projection: ArrayLike,
    labels: ArrayLike,
    zero_shot: ArrayLike,
    penalty: float | None = None,
    *,
    iterations: int = 200,
    progress: FitProgress | None = None,
) -> Floats32:
    """The change D (d, w) of a projection P (d, w) that suits the labels (N,), indices of zero_shot's rows (K, d).

    features (N, w); rest (N, d), zeros for a head that is P alone. zero_shot: the scale of the logits times unit rows.
    penalty, above 0: None is ProLIP's, 1 / (rows per class). It ends when the gradient says that less than 1e-5 of the
    value is left to gain, when float32 finds nothing lower, or after `iterations`. Raises ContraltoError.
    """
    arguments.function(progress, "progress", "done, total")
    tower = _Tower(TowerRows(features, rest, projection))
    _, places, classes = training_data(tower.start, labels, zero_shot)
    penalty = len(classes) / len(places) if penalty is None else penalty
    start = classes.astype(np.float32)

    def losses(units: list[UnitRows]) -> list[LossOfRows]:
        return [class_loss(units[0].rows, places, start)]

    lowest = _minimum(_Objective([tower], losses, _lengths(classes), _penalty(penalty)), iterations, progress)
    return tower.change(lowest.theta)


def fit_projection_pairs(
    image: TowerRows,
    text: TowerRows,
    owners: ArrayLike,
    scale: float,
    penalty: float,
    *,
    iterations: int = 200,
    seed: int = 0,
    progress: FitProgress | None = None,
) -> tuple[Floats32, Floats32]:
    """The changes (d, w) of the picture and the text projection that suit pictures (N) and their texts (M).

    owners (M,): the index of each text's picture. scale: the factor on cosines. The loss is CLIP's, in batches of 1,024
    pairs, drawn once by `seed`; texts of one picture are not each other's negatives. penalty, above 0, counts for both
    changes. It ends as `fit_projection` does. Raises ContraltoError.
    """
    arguments.function(progress, "progress", "done, total")
    scale, seed = arguments.number(scale, "scale", 0, edges=False), arguments.whole(seed, "seed", 0)
    towers = [_Tower(TowerRows(*image), "image "), _Tower(TowerRows(*text), "text ")]
    pictures = checked_owners(owners, len(towers[1].start), len(towers[0].start))
    if towers[0].start.shape[1] != towers[1].start.shape[1]:
        raise ProbeError("image and text projections have different numbers of rows: give those of one model")
    order = np.random.default_rng(seed).permutation(len(pictures))
    batches = np.array_split(order, -(-len(order) // BATCH))

    def losses(units: list[UnitRows]) -> list[LossOfRows]:
        return _loss_in_batches(units[0].rows, units[1].rows, pictures, batches, scale)

    lowest = _minimum(_Objective(towers, losses, scale, _penalty(penalty)), iterations, progress)
    return towers[0].change(lowest.theta), towers[1].change(lowest.theta[towers[0].size :])


class _Tower:
    """One tower's cached rows: `start` float32 (N, d), what its head gives before D, and its features on their axes."""

    def __init__(self, given: TowerRows, what: str = "") -> None:
        features = checked_rows(given.features, f"{what}features")
        projection = checked_rows(given.projection, f"{what}projection", features.shape[1])
        rest = checked_rows(given.rest, f"{what}rest", len(projection))
        if len(rest) != len(features):
            raise ProbeError(f"{what}rest has {len(rest)} rows, {what}features have {len(features)}: give one for each")
        features, projection = features.astype(np.float32), projection.astype(np.float32)
        self.start: Floats32 = features @ projection.T + rest.astype(np.float32)
        variance, axes = np.linalg.eigh(features.T.astype(np.float64) @ features / len(features))
        kept = variance > NEGLIGIBLE * variance[-1]
        self._axes, self._variance = axes[:, kept], variance[kept]
        self._on_axes: Floats32 = features @ self._axes.astype(np.float32)
        self._shape = len(projection), len(self._variance)
        self.size = self._shape[0] * self._shape[1]

    def units(self, theta: Float) -> UnitRows:
        """Unit rows (N, d) after the change theta (size,)."""
        return unit_rows(self.start + self._on_axes @ theta.reshape(self._shape).astype(np.float32).T)

    def gradient(self, units: UnitRows, loss: LossOfRows) -> Float:
        """The loss's gradient by theta (size,)."""
        return (units.through(loss.gradient).T @ self._on_axes).astype(np.float64).ravel()

    def curvature(self, units: UnitRows, loss: LossOfRows, scale: float) -> Float:
        """About the loss's second derivatives by theta (size,), for logits of this scale."""
        mean = scale**2 * loss.spread * float(np.mean(units.lengths**-2)) / self._shape[0]
        return np.tile(mean * self._variance, self._shape[0])

    def change(self, theta: Float) -> Floats32:
        """The change of the projection (d, w) for theta (size, ...)."""
        return np.asarray(theta[: self.size].reshape(self._shape) @ self._axes.T, np.float32)


@dataclass(frozen=True, eq=False)
class _Point:
    theta: Float
    value: float
    gradient: Float
    curvature: Float

    def descent(self, pairs: list[CurvaturePair]) -> Float:
        return direction(self.gradient, pairs, lambda gradient: gradient / self.curvature)


@dataclass(frozen=True, eq=False)
class _Objective:
    """losses: from the unit rows of each tower to the loss by each."""

    towers: list[_Tower]
    losses: Callable[[list[UnitRows]], list[LossOfRows]]
    scale: float
    penalty: float

    def at(self, theta: Float) -> _Point:
        """Value and gradient at theta, one tower's after the other's; products are in float32."""
        parts = np.split(theta, np.cumsum([tower.size for tower in self.towers])[:-1])
        units = [tower.units(part) for tower, part in zip(self.towers, parts, strict=True)]
        each = [*zip(self.towers, units, self.losses(units), strict=True)]
        gradient = np.concatenate([tower.gradient(unit, loss) for tower, unit, loss in each])
        curvature = np.concatenate([tower.curvature(unit, loss, self.scale) for tower, unit, loss in each])
        value = each[0][2].value + self.penalty * float(np.vdot(theta, theta))
        return _Point(theta, value, gradient + 2 * self.penalty * theta, curvature + 2 * self.penalty)


def _minimum(objective: _Objective, iterations: int, progress: FitProgress | None) -> _Point:
    """The minimum near theta = 0. What is left to gain is about |gradient|^2 / (4 penalty), as of a convex function."""
    iterations = arguments.whole(iterations, "iterations")
    point = objective.at(np.zeros(sum(tower.size for tower in objective.towers)))
    pairs: list[CurvaturePair] = []
    for done in range(iterations):
        if progress is not None:
            progress(done, iterations)
        if float(np.vdot(point.gradient, point.gradient)) <= 4 * objective.penalty * ENOUGH * point.value:
            break
        lower = line_search(objective.at, point, point.descent(pairs), ROUNDING[np.float32])
        if lower is None and not pairs:
            break
        if lower is None:  # the pairs mislead
            pairs = []
            continue
        pairs = [*pairs[1 - HISTORY :], CurvaturePair(lower.theta - point.theta, lower.gradient - point.gradient)]
        gained, point = point.value - lower.value, lower
        if gained <= ROUNDING[np.float32] * point.value:
            break
    if progress is not None:
        progress(iterations, iterations)
    return point


def _loss_in_batches(
    images: NDArray[Any], texts: NDArray[Any], owners: Places, batches: list[Places], scale: float
) -> list[LossOfRows]:
    """The mean of pair_loss over the batches, weighted by their sizes, by pictures (N, d) and texts (M, d)."""
    gradients = np.zeros_like(images), np.zeros_like(texts)
    value = spread = 0.0
    for batch in batches:
        share = len(batch) / len(texts)
        by_images, by_texts = pair_loss(images[owners[batch]], texts[batch], owners[batch], scale)
        np.add.at(gradients[0], owners[batch], share * by_images.gradient)
        gradients[1][batch] = share * by_texts.gradient
        value += share * by_images.value
        spread += share * by_images.spread
    return [LossOfRows(value, gradient, spread) for gradient in gradients]


def _lengths(rows: Float) -> float:
    """The root of the mean square of the rows' lengths."""
    return float(np.sqrt(np.vdot(rows, rows) / len(rows)))


def _penalty(penalty: object) -> float:
    return arguments.number(penalty, "penalty", 0, edges=False)
