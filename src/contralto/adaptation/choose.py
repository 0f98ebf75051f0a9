"""The choice among methods and their settings, by five folds of the fitted part; the measured part has no say.

For each method the setting with the best fold accuracy counts, among equals the plainest. Of the methods within one
standard error of the best, the plainest wins, in the order of the table: the standard error of the difference on the
same pictures (Breiman et al. 1984, section 3.4.3, with paired pictures).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from contralto import metrics
from contralto.adaptation.methods import FittedClassifier, Logits, Method, Setting
from contralto.adaptation.rows import LabelledRows
from contralto.errors import DataError

UNEQUAL: Final = 3  # the largest class is more than so many times the smallest: classes count equally
Progress = Callable[[str, int, int], object]


@dataclass(frozen=True, eq=False)
class Candidate:
    """A method with its best setting. accuracy: over the held-out pictures. logits float64 (N, K): theirs."""

    method: Method
    setting: Setting
    accuracy: float
    right: NDArray[np.float64]
    logits: Logits


@dataclass(frozen=True, eq=False)
class Choice:
    """The chosen method and setting. candidates: all methods that were tried; empty if nothing was chosen.
    temperature: of the chosen logits. why: a sentence for people.
    """

    method: Method
    setting: Setting
    why: str
    candidates: tuple[Candidate, ...] = ()
    temperature: float = 1.0

    @property
    def logits(self) -> Logits | None:
        """The held-out logits (N, K) of the chosen method, if there are folds."""
        return next((one.logits for one in self.candidates if one.method is self.method), None)

    def fit(self, rows: LabelledRows) -> FittedClassifier:
        """The chosen method on all rows."""
        fitted = self.method.fit(rows, self.setting)
        return FittedClassifier(fitted.method, fitted.tensors, fitted.settings | {"temperature": self.temperature})


def choose(methods: Sequence[Method], rows: LabelledRows, progress: Progress) -> Choice:
    """The choice among `methods`, plainest first, by the folds of the rows."""
    assert rows.folds is not None
    weights = picture_weights(rows.true)
    candidates = []
    count = sum(len(method.settings) for method in methods)
    done = 0
    for method in methods:
        tried = []
        for setting, logits in method.held_out(rows):
            tried.append(_candidate(method, setting, logits, rows.true, weights))
            progress("choosing by folds", done := done + 1, count)
        candidates.append(max(tried, key=lambda one: one.accuracy))  # the first of equals
    best = max(candidates, key=lambda one: one.accuracy)
    chosen = next(one for one in candidates if _is_within_one_error(one, best))
    return Choice(
        chosen.method, chosen.setting, _why(candidates, rows), tuple(candidates), _temperature(chosen.logits, rows.true)
    )


def by_default(method: Method, reason: str) -> Choice:
    """The method as it is by default. reason: why folds could not choose."""
    return Choice(method, method.default, f"nothing was chosen, as {reason}")


def picture_weights(labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """The weight of each picture (N,) in an accuracy: 1 / N, or so that unequal classes count equally."""
    sizes = np.bincount(labels)
    used = sizes[sizes > 0]
    if used.max() <= UNEQUAL * used.min():
        return np.full(len(labels), 1 / len(labels))
    return 1 / (len(used) * sizes[labels])


def _candidate(
    method: Method, setting: Setting, logits: Logits, labels: NDArray[np.int64], weights: NDArray[np.float64]
) -> Candidate:
    right = weights * (metrics.ranks(logits, labels) == 0)
    return Candidate(method, setting, accuracy_of(right), right, logits)


def accuracy_of(right: NDArray[np.float64]) -> float:
    """The sum of the weights of the right pictures. Rounded: as many right answers are as good, whichever they are."""
    return round(float(right.sum()), 9)


def _is_within_one_error(one: Candidate, best: Candidate) -> bool:
    """Whether the accuracy is at most one standard error of the paired difference below the best."""
    differences = best.right - one.right
    error = float(np.sqrt(len(differences)) * differences.std())
    return best.accuracy - one.accuracy <= error


def _temperature(logits: Logits, labels: NDArray[np.int64]) -> float:
    """The temperature with the highest likelihood on held-out pictures; 1 if no temperature is best."""
    try:
        return float(np.clip(metrics.temperature(logits, labels), 1e-3, 1e3))
    except DataError:
        return 1.0


def _why(candidates: Sequence[Candidate], rows: LabelledRows) -> str:
    ways = f"among {len(candidates)} methods " if len(candidates) > 1 else ""
    return f"chosen {ways}by five folds of the {rows.count:,} pictures to fit"
