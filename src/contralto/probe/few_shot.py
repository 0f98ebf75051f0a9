"""Few-shot probes: accuracy over examples per class, and how many a zero-shot classifier is worth (paper, 3.1.4)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from contralto import arguments
from contralto.probe.inputs import Labels, ProbeError, checked_labels, checked_rows, class_indices
from contralto.probe.linear import LinearProbe, checked_strength
from contralto.probe.objective import Float

STRENGTH: Final = 0.316  # as in the paper's public example


@dataclass(frozen=True, eq=False)
class FewShot:
    """predicted (S, R, M): for S rising numbers of shots, R draws and M test rows; truth (M,)."""

    shots: tuple[int, ...]
    predicted: Labels
    truth: Labels

    @property
    def accuracies(self) -> Float:
        """Accuracy (S, R) of each number of shots and draw."""
        return np.asarray((self.predicted == self.truth).mean(axis=2))

    @property
    def mean(self) -> Float:
        """Accuracy (S,), mean over the draws."""
        return np.asarray(self.accuracies.mean(axis=1))

    def reaches(self, accuracy: float) -> float | None:
        """How many shots reach `accuracy`, by linear interpolation over log shots; None if no tried number does.

        If the fewest tried shots reach it, even fewer might: the answer is never below the fewest. Raises
        ContraltoError for an accuracy outside 0..1.
        """
        accuracy = arguments.number(accuracy, "accuracy", 0, 1)
        if self.mean[0] >= accuracy:
            return float(self.shots[0])
        for place in range(1, len(self.shots)):
            low, high = self.mean[place - 1 : place + 1]
            if high >= accuracy:
                fewer, more = np.log(self.shots[place - 1 : place + 1])
                return float(np.exp(fewer + (more - fewer) * (accuracy - low) / (high - low)))
        return None


def few_shot(
    rows: ArrayLike,
    labels: ArrayLike,
    test_rows: ArrayLike,
    test_labels: ArrayLike,
    shots: Sequence[int] = (1, 2, 4, 8, 16),
    *,
    seed: int = 0,
    repeats: int = 3,
    strength: float = STRENGTH,
) -> FewShot:
    """Accuracy on the test rows (M, d) of a LinearProbe fitted to k of the rows (N, d) of each class, for k in shots.

    Rows are drawn by `seed`, anew in each repeat; within a repeat, fewer shots are a subset of more. strength is the
    same for all. Raises ContraltoError, also for a class with fewer rows than the largest number of shots.
    """
    given = checked_rows(rows, "rows")
    truth = checked_labels(labels, len(given), "labels")
    counts, repeats, seed = _counts(shots), arguments.whole(repeats, "repeats"), arguments.whole(seed, "seed", 0)
    strength = checked_strength(strength)
    classes, places = class_indices(truth)
    sizes = np.bincount(places)
    if sizes.min() < counts[-1]:
        scarce = int(np.argmin(sizes))
        raise ProbeError(f"class {classes[scarce]} has {sizes[scarce]} rows: too few for {counts[-1]} shots")
    test = checked_rows(test_rows, "test rows", given.shape[1])
    expected = checked_labels(test_labels, len(test), "test labels", classes)
    predicted = np.empty((len(counts), repeats, len(test)), truth.dtype)
    generator = np.random.default_rng(seed)
    for repeat in range(repeats):
        turns = _turns(places, generator)
        for place, count in enumerate(counts):
            chosen = turns < count
            probe = LinearProbe(strength).fit(given[chosen], truth[chosen])
            predicted[place, repeat] = probe.predict(test)
    return FewShot(tuple(counts), predicted, expected)


def _counts(shots: object) -> list[int]:
    """The numbers of shots in rising order, each once."""
    given = [*shots] if isinstance(shots, Iterable) else [shots]
    if not given:
        raise ProbeError("shots is empty: give at least 1 number of rows per class")
    return sorted({arguments.whole(one, "shots") for one in given})


def _turns(places: NDArray[np.intp], generator: np.random.Generator) -> NDArray[np.intp]:
    """For each row, the turn at which it is drawn within its class, from 0."""
    order = generator.permutation(len(places))
    order = order[np.argsort(places[order], kind="stable")]  # by class, at random within
    sizes = np.bincount(places)
    turns = np.empty(len(places), np.intp)
    turns[order] = np.arange(len(places)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return turns
