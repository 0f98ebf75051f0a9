"""What all probes share: scikit-learn's conventions for arguments, and from logits to classes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from inspect import signature
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from contralto.probe.inputs import (
    ROWS_PER_BLOCK,
    Labels,
    Matrix,
    ProbeError,
    checked_labels,
    checked_places,
    checked_rows,
)
from contralto.probe.objective import Float


class Estimator:
    """The arguments of a probe, as scikit-learn's clone, GridSearchCV and Pipeline ask for them.

    A subclass keeps each argument of its constructor under its own name and checks it in `fit`.
    """

    classes_: Labels
    n_features_in_: int

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The constructor's arguments, by name."""
        return {name: getattr(self, name) for name in signature(type(self)).parameters}

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
        given = (f"{name}={value!r}" for name, value in self.get_params().items() if value is not None)
        return f"{type(self).__name__}({', '.join(given)})"

    def _require_fit(self) -> None:
        if not hasattr(self, "classes_"):
            raise ProbeError("this probe is not fitted yet: call fit first")

    def _checked(self, rows: ArrayLike) -> Matrix:
        self._require_fit()
        return checked_rows(rows, "rows", self.n_features_in_)

    def _accuracy(self, predicted: Labels, labels: ArrayLike) -> float:
        return float(np.mean(predicted == checked_labels(labels, len(predicted), "labels", self.classes_)))


class ZeroShotProbe(Estimator, ABC):
    """A probe whose logits are those of a zero-shot classifier and a term learned from labelled rows.

    Rows are unit rows, (N, d): they are used as given, not scaled. `zero_shot` (K, d) is the scale of the logits times
    the unit rows of K >= 2 classes. Labels are indices of its rows, 0..K-1; a class may have no training row.

    After `fit`: zero_shot_ float64 (K, d), classes_ = 0..K-1, n_features_in_ = d.

    With scikit-learn's cross_val_score and GridSearchCV, `zero_shot` is a parameter of fit; it must not have as many
    rows as there are training rows, or scikit-learn splits it among the folds.
    """

    zero_shot_: Float

    def decision_function(self, rows: ArrayLike) -> Float:
        """Logits (M, K) of unit rows (M, d), the zero-shot ones included. Raises ContraltoError."""
        return np.concatenate([*self._logits_of_blocks(rows)])

    def predict_proba(self, rows: ArrayLike) -> Float:
        """Probabilities (M, K): the softmax of the logits. Raises ContraltoError."""
        return probabilities(self.decision_function(rows))

    def predict(self, rows: ArrayLike) -> Labels:
        """The index of the most probable class of each row (M,), in blocks. Raises ContraltoError."""
        places = [logits.argmax(axis=1) for logits in self._logits_of_blocks(rows)]
        return np.asarray(self.classes_[np.concatenate(places)])

    def score(self, rows: ArrayLike, labels: ArrayLike) -> float:
        """The share of rows with the right class, 0 to 1. Raises ContraltoError."""
        return self._accuracy(self.predict(rows), labels)

    @abstractmethod
    def _learned(self, rows: Float) -> Float:
        """What the probe adds to the zero-shot logits of a block of rows."""

    def _logits_of_blocks(self, rows: ArrayLike) -> Iterator[Float]:
        given = self._checked(rows)
        for start in range(0, len(given), ROWS_PER_BLOCK):
            block = given[start : start + ROWS_PER_BLOCK].astype(np.float64)
            yield block @ self.zero_shot_.T + self._learned(block)

    def _start(self, zero_shot: Float) -> None:
        """Takes over the zero-shot classifier; called at the end of `fit`."""
        self.zero_shot_ = zero_shot
        self.classes_, self.n_features_in_ = np.arange(len(zero_shot)), zero_shot.shape[1]


def training_data(rows: ArrayLike, labels: ArrayLike, zero_shot: ArrayLike) -> tuple[Float, NDArray[np.intp], Float]:
    """(rows, labels, zero_shot) of `ZeroShotProbe`, checked; rows are a float64 copy. Raises ContraltoError."""
    classes = checked_rows(zero_shot, "zero_shot").astype(np.float64)
    if len(classes) < 2:
        raise ProbeError("zero_shot has 1 row, so there is just one class: a probe needs at least two classes")
    given = checked_rows(rows, "rows").astype(np.float64)
    if given.shape[1] != classes.shape[1]:
        raise ProbeError(
            f"rows have {given.shape[1]} columns, zero_shot has {classes.shape[1]}: use embeddings of the same model"
        )
    return given, checked_places(labels, len(given), len(classes)), classes


def one_hot(labels: NDArray[np.intp], classes: int) -> Float:
    """float64 (N, K), 1 at each label and else 0."""
    return np.eye(classes)[labels]


def probabilities(logits: Float) -> Float:
    """The softmax of each row (N, K)."""
    parts = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(parts / parts.sum(axis=1, keepdims=True))
