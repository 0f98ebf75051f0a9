"""The linear probe: multinomial logistic regression with L2 (Radford et al. 2021, section 3.2)."""

from __future__ import annotations

from typing import Any, Final, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from contralto import arguments
from contralto.errors import MissingExtraError
from contralto.probe.inputs import (
    ROWS_PER_BLOCK,
    Labels,
    Matrix,
    ProbeError,
    checked_labels,
    checked_rows,
    class_indices,
)
from contralto.probe.lbfgs import Minimum, minimise
from contralto.probe.objective import Float, Objective

MAX_FEATURE: Final = 1e15  # sums of squares of such numbers fit into float32


class LinearProbe:
    """Logistic regression on features, with scikit-learn's conventions: `strength` is its C.

    It works wherever scikit-learn takes a classifier: clone, cross_val_score, GridSearchCV, Pipeline.

    It minimises strength * sum(losses) + 1/2 |coef_|^2, without regularising the intercept; two classes share one
    logit. As in the paper, features should be those before the projection, not normalised; they are not standardised
    either.

    After `fit`: classes_ (K,), coef_ float64 (K, d) or (1, d), intercept_ (K,) or (1,), n_features_in_, n_iter_, and
    gap_: how far the objective is above its minimum at most, relative to it; within 1e-6 unless 1,000 iterations or
    float32 were not enough.

    device: None computes in NumPy; "cuda", "cuda:N" in PyTorch there (the extra `torch`).
    """

    classes_: Labels
    coef_: Float
    intercept_: Float
    n_features_in_: int
    n_iter_: int
    gap_: float

    def __init__(self, strength: float = 1.0, device: str | None = None) -> None:
        self.strength, self.device = strength, device

    def fit(self, rows: ArrayLike, labels: ArrayLike) -> Self:
        """Fits to finite rows (N, d) with sortable labels (N,). Raises ContraltoError."""
        problem = Problem(rows, labels, self.device)
        return self.take(problem, problem.solve(self.strength))

    def take(self, problem: Problem, minimum: Minimum) -> Self:
        """Takes over a solution of `problem`."""
        coef, intercept = problem.objective.as_given(minimum.theta)
        if problem.binary:
            coef, intercept = coef[1:] - coef[:1], intercept[1:] - intercept[:1]
        self.classes_, self.coef_, self.intercept_ = problem.classes, coef, intercept
        self.n_features_in_ = coef.shape[1]
        self.n_iter_, self.gap_ = minimum.iterations, minimum.gap
        return self

    def decision_function(self, rows: ArrayLike) -> Float:
        """Logits (N, K); for two classes those of the second, (N,). Raises ContraltoError."""
        logits = self._checked(rows) @ self.coef_.T + self.intercept_
        return logits[:, 0] if len(self.classes_) == 2 else logits

    def predict_proba(self, rows: ArrayLike) -> Float:
        """Probabilities (N, K). Raises ContraltoError."""
        logits = self.decision_function(rows)
        if logits.ndim == 1:
            logits = np.stack([np.zeros_like(logits), logits], axis=1)
        parts = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(parts / parts.sum(axis=1, keepdims=True))

    def predict(self, rows: ArrayLike) -> Labels:
        """The most probable class of each row (N,), in blocks. Raises ContraltoError."""
        given = self._checked(rows)
        blocks = (given[start : start + ROWS_PER_BLOCK] for start in range(0, len(given), ROWS_PER_BLOCK))
        return np.asarray(self.classes_[np.concatenate([self._places(block) for block in blocks])])

    def score(self, rows: ArrayLike, labels: ArrayLike) -> float:
        """The share of rows with the right class, 0 to 1. Raises ContraltoError."""
        predicted = self.predict(rows)
        return float(np.mean(predicted == checked_labels(labels, len(predicted), "labels", self.classes_)))

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The constructor's arguments, by name."""
        return {"strength": self.strength, "device": self.device}

    def set_params(self, **params: Any) -> Self:
        """Sets arguments by name, all or none; the next `fit` uses them. Raises ProbeError for an unknown name."""
        known = self.get_params()
        if unknown := [name for name in params if name not in known]:
            raise ProbeError(f"{type(self).__name__} has no parameter {unknown[0]!r} (it has {', '.join(known)})")
        for name, value in params.items():
            setattr(self, name, value)
        return self

    def __sklearn_tags__(self) -> Any:
        """The tags that scikit-learn requests from an estimator."""
        from sklearn.utils import ClassifierTags, Tags, TargetTags  # the caller, so it is installed

        tags = ClassifierTags()
        return Tags(estimator_type="classifier", target_tags=TargetTags(required=True), classifier_tags=tags)

    def __repr__(self) -> str:
        device = "" if self.device is None else f", device={self.device!r}"
        return f"{type(self).__name__}(strength={self.strength!r}{device})"

    def _places(self, rows: Matrix) -> NDArray[np.intp]:
        logits = rows @ self.coef_.T + self.intercept_
        return (logits[:, 0] > 0).astype(np.intp) if len(self.classes_) == 2 else logits.argmax(axis=1)

    def _checked(self, rows: ArrayLike) -> Matrix:
        if not hasattr(self, "coef_"):
            raise ProbeError("this probe is not fitted yet: call fit first")
        return checked_rows(rows, "rows", self.coef_.shape[1])


class Problem:
    """Rows and labels prepared once, for fits at any number of strengths. Raises ContraltoError."""

    def __init__(self, rows: ArrayLike, labels: ArrayLike, device: str | None = None) -> None:
        given = checked_rows(rows, "rows")
        if (largest := max(given.max(), -given.min())) > MAX_FEATURE:
            raise ProbeError(
                f"rows hold numbers as large as {largest:.3g}, which is too large to compute with: scale them"
            )
        self.classes, places = class_indices(checked_labels(labels, len(given), "labels"))
        self.objective = _objective(given, places, len(self.classes), device)

    @property
    def binary(self) -> bool:
        return len(self.classes) == 2

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


def _objective(rows: Matrix, places: NDArray[np.intp], classes: int, device: str | None) -> Objective:
    if device is None:
        return Objective(rows, places, classes)
    arguments.word(device, "device")
    try:
        from contralto.probe.on_torch import TorchObjective
    except ModuleNotFoundError as error:
        raise MissingExtraError(f"a probe on {device}", "torch") from error
    return TorchObjective(rows, places, classes, device)


def checked_strength(strength: object) -> float:
    """The strength. Raises ContraltoError unless it is a finite number above zero."""
    return arguments.number(strength, "strength", 0, edges=False)
