"""The objective of multinomial logistic regression: value, gradient and curvature, in coordinates that suit a solver.

    F(W, b) = mean over rows of -log softmax(W x + b)[label]  +  ridge / 2 |W|^2

That is scikit-learn's objective C sum(loss) + 1/2 |W|^2, divided by C N, with ridge = 1 / (C N). The intercept b is not
regularised, so subtracting the mean from the rows changes only b; and |W| does not change if the rows are rotated.
Hence the rows are centred and rotated onto their principal axes once. There the second derivative is nearly diagonal,
and `lbfgs.py` needs no more for a preconditioner, however badly the features are scaled.

With an offset, a row's logits are W x + its offset, such as those of a zero-shot classifier. There is no intercept
then (b stays 0), and the rows are rotated but not centred.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from contralto.probe.inputs import ROWS_PER_BLOCK, Matrix

Float = NDArray[np.float64]
LOGITS_PER_BLOCK: Final = 2**20  # they fit into the processor's cache


@dataclass(frozen=True)
class Point:
    """F at theta (r + 1, K), whose last row is b.

    spread (K,): mean of p (1 - p), so that the curvature of the loss along axis j for class k is about variance[j]
    spread[k]. With an offset, b and its gradient are 0.
    """

    theta: Float
    value: float
    gradient: Float
    spread: Float


class Objective:
    """F for given rows (N, d) of finite floats and labels (N,) in 0..K-1, on r = min(N, d) axes.

    It holds one copy of the rows, float32 (N, r), and besides that only blocks of logits. Rounding the rotated rows to
    float32 changes F by about 1e-8 of its value; sums over blocks are in float64.

    offset: finite floats (N, K) that are added to the logits; then a class may have no row. A copy is held in float64.
    """

    def __init__(self, rows: Matrix, labels: NDArray[np.intp], classes: int, offset: Float | None = None) -> None:
        self.count, self.classes = len(rows), classes
        self._labels = labels
        self._offset = None if offset is None else offset - offset.max(axis=1, keepdims=True)  # the same softmax
        self.entropy = self._entropy()
        self._mean = np.zeros(rows.shape[1]) if offset is not None else rows.mean(axis=0, dtype=np.float64)
        self._axes, variance = _axes(rows, self._mean)
        self.variance = np.append(variance, 1.0)[:, None]  # the intercept's column is all ones
        self._rows = np.empty((len(rows), len(variance)), np.float32)
        for start in range(0, len(rows), ROWS_PER_BLOCK):
            self._rows[start : start + ROWS_PER_BLOCK] = (
                rows[start : start + ROWS_PER_BLOCK] - self._mean
            ) @ self._axes

    def _entropy(self) -> float:
        """F for W = 0: with the best b, or with the offset alone."""
        if self._offset is not None:
            return float(_softmax_residuals(self._offset.copy(), self._labels)[0].mean())
        shares = np.bincount(self._labels, minlength=self.classes) / self.count
        return -float(np.sum(shares * np.log(shares)))

    def start(self) -> Float:
        """theta of zeros."""
        return np.zeros((len(self.variance), self.classes))

    def at(self, theta: Float, ridge: float, dtype: type[np.float32] | type[np.float64] = np.float64) -> Point:
        """One pass over the rows, with products in `dtype`: float32 takes less than half the time."""
        given: NDArray[Any] = theta.astype(dtype)
        weights, intercept = given[:-1], given[-1]
        loss, gradient, spread = 0.0, np.zeros_like(theta), np.zeros(self.classes)
        step = max(LOGITS_PER_BLOCK // self.classes, 64)
        for start in range(0, self.count, step):
            rows: NDArray[Any] = self._rows[start : start + step].astype(dtype, copy=False)
            shift = intercept if self._offset is None else self._offset[start : start + step].astype(dtype, copy=False)
            losses, residuals = _softmax_residuals(rows @ weights + shift, self._labels[start : start + step])
            loss += float(losses.sum())
            gradient[:-1] += rows.T @ residuals
            gradient[-1] += residuals.sum(axis=0, dtype=np.float64)
            spread += np.abs(residuals).sum(axis=0, dtype=np.float64) - np.einsum("ij,ij->j", residuals, residuals)
        gradient /= self.count
        if self._offset is not None:
            gradient[-1] = 0.0
        gradient[:-1] += ridge * theta[:-1]
        value = loss / self.count + ridge / 2 * float(np.vdot(theta[:-1], theta[:-1]))
        return Point(theta, value, gradient, spread / self.count)

    def as_given(self, theta: Float) -> tuple[Float, Float]:
        """(W (K, d), b (K,)) for the original rows."""
        weights = (self._axes @ theta[:-1]).T
        return weights, theta[-1] - weights @ self._mean

    def from_given(self, weights: Float, intercept: Float) -> Float:
        """theta for W (K, d) and b (K,); the part of W off the axes has no effect on any row."""
        return np.vstack([self._axes.T @ weights.T, intercept + weights @ self._mean])


def _axes(rows: Matrix, mean: Float) -> tuple[Float, Float]:
    """(principal axes (d, r), variance of the rows along each (r,)) of rows (N, d); r is the smaller of N and d."""
    count, columns = rows.shape
    if count < columns:
        _, lengths, axes = np.linalg.svd(rows - mean, full_matrices=False)
        return axes.T, lengths**2 / count
    products = np.zeros((columns, columns))
    for start in range(0, count, ROWS_PER_BLOCK):
        centred = rows[start : start + ROWS_PER_BLOCK] - mean
        products += centred.T @ centred
    variance, axes = np.linalg.eigh(products / count)
    return axes, np.maximum(variance, 0.0)


def _softmax_residuals(logits: NDArray[Any], labels: NDArray[np.intp]) -> tuple[Float, NDArray[Any]]:
    """(loss of each row, softmax minus the one-hot label); the logits are overwritten.

    A nearly certain row has a loss far below 6e-8, the precision of float32 near 1, and with weak regularisation all
    rows are like that. So the wrong classes are summed separately, and nothing is subtracted from 1.
    """
    each = np.arange(len(labels))
    logits -= logits.max(axis=1, keepdims=True)
    right = logits[each, labels].astype(np.float64)
    parts = np.exp(logits, out=logits)
    parts[each, labels] = 0.0
    wrong = parts.sum(axis=1, dtype=np.float64)
    whole = wrong + np.exp(right)
    losses = np.where(right == 0.0, np.log1p(wrong), np.log(whole) - right)
    parts /= whole[:, None].astype(parts.dtype)
    parts[each, labels] = -wrong / whole
    return losses, parts
