"""The linear probe: multinomial logistic regression with L2 (Radford et al. 2021, section 3.2)."""

from __future__ import annotations

from typing import Final, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from contralto import arguments
from contralto.errors import MissingExtraError
from contralto.probe.estimator import Estimator, probabilities
from contralto.probe.inputs import (
    ROWS_PER_BLOCK,
    Labels,
    Matrix,
    ProbeError,
    checked_labels,
    checked_places,
    checked_rows,
    class_indices,
)
from contralto.probe.lbfgs import Minimum, minimise
from contralto.probe.objective import Float, Objective

MAX_FEATURE: Final = 1e15  # sums of squares of such numbers fit into float32


class LinearProbe(Estimator):
    """Logistic regression on features, with scikit-learn's conventions: `strength` is its C.

    It works wherever scikit-learn takes a classifier: clone, cross_val_score, GridSearchCV, Pipeline.

    It minimises strength * sum(losses) + 1/2 |coef_|^2, without regularising the intercept; two classes share one
    logit. As in the paper, features should be those before the projection, not normalised; they are not standardised
    either.

    With an offset (N, K), a row's logits are its offset, such as its zero-shot logits, plus coef_ times the row: a
    strength towards 0 gives the offset alone. Labels are then indices 0..K-1 of its columns, and a class may have no
    row. There is no intercept (intercept_ is 0), two classes have a logit each, and later calls take an offset too.

    After `fit`: classes_ (K,), coef_ float64 (K, d) or (1, d), intercept_ (K,) or (1,), n_features_in_, n_iter_, and
    gap_: how far the objective is above its minimum at most, relative to it; within 1e-6 unless 1,000 iterations or
    float32 were not enough.

    device: None computes in NumPy; "cuda", "cuda:N" in PyTorch there (the extra `torch`).
    """

    coef_: Float
    intercept_: Float
    n_iter_: int
    gap_: float
    _takes_offset: bool

    def __init__(self, strength: float = 1.0, device: str | None = None) -> None:
        self.strength, self.device = strength, device

    def fit(self, rows: ArrayLike, labels: ArrayLike, offset: ArrayLike | None = None) -> Self:
        """Fits to finite rows (N, d) with sortable labels (N,), or labels 0..K-1 with offset (N, K). Raises
        ContraltoError.
        """
        problem = Problem(rows, labels, self.device, offset)
        return self.take(problem, problem.solve(self.strength))

    def take(self, problem: Problem, minimum: Minimum) -> Self:
        """Takes over a solution of `problem`."""
        coef, intercept = problem.objective.as_given(minimum.theta)
        if problem.binary:
            coef, intercept = coef[1:] - coef[:1], intercept[1:] - intercept[:1]
        self.classes_, self.coef_, self.intercept_ = problem.classes, coef, intercept
        self._takes_offset = problem.has_offset
        self.n_features_in_ = coef.shape[1]
        self.n_iter_, self.gap_ = minimum.iterations, minimum.gap
        return self

    def decision_function(self, rows: ArrayLike, offset: ArrayLike | None = None) -> Float:
        """Logits (N, K), with the offset if there is one; without it, for two classes those of the second, (N,). Raises
        ContraltoError.
        """
        given = self._checked(rows)
        logits = self._logits(given, self._checked_offset(offset, len(given)))
        return logits[:, 0] if len(self.coef_) == 1 else logits

    def predict_proba(self, rows: ArrayLike, offset: ArrayLike | None = None) -> Float:
        """Probabilities (N, K). Raises ContraltoError."""
        logits = self.decision_function(rows, offset)
        if logits.ndim == 1:
            logits = np.stack([np.zeros_like(logits), logits], axis=1)
        return probabilities(logits)

    def predict(self, rows: ArrayLike, offset: ArrayLike | None = None) -> Labels:
        """The most probable class of each row (N,), in blocks. Raises ContraltoError."""
        given = self._checked(rows)
        start_logits = self._checked_offset(offset, len(given))
        places = []
        for start in range(0, len(given), ROWS_PER_BLOCK):
            block = slice(start, start + ROWS_PER_BLOCK)
            logits = self._logits(given[block], None if start_logits is None else start_logits[block])
            places.append((logits[:, 0] > 0).astype(np.intp) if len(self.coef_) == 1 else logits.argmax(axis=1))
        return np.asarray(self.classes_[np.concatenate(places)])

    def score(self, rows: ArrayLike, labels: ArrayLike, offset: ArrayLike | None = None) -> float:
        """The share of rows with the right class, 0 to 1. Raises ContraltoError."""
        return self._accuracy(self.predict(rows, offset), labels)

    def _logits(self, rows: Matrix, offset: Float | None) -> Float:
        logits = np.asarray(rows @ self.coef_.T + self.intercept_)
        return logits if offset is None else logits + offset

    def _checked_offset(self, offset: ArrayLike | None, count: int) -> Float | None:
        if (offset is not None) != self._takes_offset:
            state, do = ("with", "give the offset of these rows") if self._takes_offset else ("without", "give none")
            raise ProbeError(f"this probe was fitted {state} an offset: {do}")
        return None if offset is None else checked_offset(offset, count, len(self.classes_))


class Problem:
    """Rows, labels and offset prepared once, for fits at any number of strengths. Raises ContraltoError."""

    def __init__(
        self, rows: ArrayLike, labels: ArrayLike, device: str | None = None, offset: ArrayLike | None = None
    ) -> None:
        given = checked_rows(rows, "rows")
        if (largest := max(given.max(), -given.min())) > MAX_FEATURE:
            raise ProbeError(
                f"rows hold numbers as large as {largest:.3g}, which is too large to compute with: scale them"
            )
        self.has_offset = offset is not None
        start = None if offset is None else checked_offset(offset, len(given))
        if start is None:
            self.classes, places = class_indices(checked_labels(labels, len(given), "labels"))
        else:
            self.classes = np.arange(start.shape[1])
            places = checked_places(labels, len(given), len(self.classes))
        self.objective = _objective(given, places, len(self.classes), device, start)

    @property
    def binary(self) -> bool:
        """Whether two classes share one logit."""
        return len(self.classes) == 2 and not self.has_offset

    def solve(self, strength: float, start: Float | None = None, known: Minimum | None = None) -> Minimum:
        """The minimum at `strength`, from theta `start`; `known`: the minimum at another strength. Raises
        ContraltoError.
        """
        return minimise(self.objective, self.ridge(strength), start, known)

    def ridge(self, strength: float) -> float:
        """The ridge of a strength. Two classes share one logit, w = W[1] - W[0]: at the minimum W = (-w/2, w/2), so
        |w|^2 = 2 |W|^2.
        """
        return (2.0 if self.binary else 1.0) / (checked_strength(strength) * self.objective.count)

    def start_from(self, probe: LinearProbe) -> Float:
        """theta of a probe with the same classes."""
        coef, intercept = probe.coef_, probe.intercept_
        if self.binary:
            coef, intercept = np.vstack([-coef, coef]) / 2, np.append(-intercept, intercept) / 2
        return self.objective.from_given(coef, intercept)


def _objective(
    rows: Matrix, places: NDArray[np.intp], classes: int, device: str | None, offset: Float | None
) -> Objective:
    if device is None:
        return Objective(rows, places, classes, offset)
    arguments.word(device, "device")
    try:
        from contralto.probe.on_torch import TorchObjective
    except ModuleNotFoundError as error:
        raise MissingExtraError(f"a probe on {device}", "torch") from error
    return TorchObjective(rows, places, classes, device, offset)


def checked_strength(strength: object) -> float:
    """The strength. Raises ContraltoError unless it is a finite number above zero."""
    return arguments.number(strength, "strength", 0, edges=False)


def checked_offset(offset: ArrayLike, count: int, classes: int | None = None) -> Float:
    """The offset, float64 (count, classes), by default of any two classes or more. Raises ProbeError."""
    given = checked_rows(offset, "offset").astype(np.float64, copy=False)
    if len(given) != count or given.shape[1] < 2 or given.shape[1] != (classes or given.shape[1]):
        columns = "K" if classes is None else classes
        raise ProbeError(
            f"offset has the shape {given.shape}: give logits ({count}, {columns}), of at least two classes"
        )
    if (largest := np.abs(given).max()) > MAX_FEATURE:
        raise ProbeError(f"offset holds numbers as large as {largest:.3g}, which is too large for logits")
    return given
