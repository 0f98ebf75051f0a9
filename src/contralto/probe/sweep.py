"""The choice of a strength: the paper's search on a validation split, or any list; then the refit to both splits.

Fits along the path start from predicted solutions; the plain twin, cold fits, is in tests/probe/test_sweep.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from contralto import arguments
from contralto.probe.inputs import Labels, Matrix, ProbeError, checked_labels, checked_rows
from contralto.probe.lbfgs import Minimum
from contralto.probe.linear import LinearProbe, Problem, checked_strength
from contralto.probe.objective import Float

ALL = tuple(float(strength) for strength in np.logspace(-6, 6, 96))
"""The paper's 96 strengths. (8 steps per decade, as its search uses, would be 97: the two grids differ slightly.)"""

SEARCH_DECADES = range(-6, 7, 2)
HALVINGS = 4  # of a step of two decades, down to an eighth of a decade
MAX_EXTRAPOLATION = 2.0  # times the distance of the two known strengths; a farther solution is not predicted

SweepProgress = Callable[[float, float], object]
"""Called with (strength, accuracy)."""


@dataclass(frozen=True, eq=False)
class Sweep:
    """The result of a search.

    accuracies: on validation, by rising strength. strength: the best one; among equals the least, which regularises
    most. probe: fitted to both splits at that strength.
    """

    strength: float
    accuracies: dict[float, float]
    probe: LinearProbe


def sweep(
    rows: ArrayLike,
    labels: ArrayLike,
    validation_rows: ArrayLike,
    validation_labels: ArrayLike,
    strengths: Sequence[float] | None = None,
    progress: SweepProgress | None = None,
    device: str | None = None,
) -> Sweep:
    """Fits at several strengths to rows (N, d) with labels (N,), chooses by the validation split, and refits on both.

    strengths: None is the paper's search: every second decade from 1e-6 to 1e6, then the interval around the peak is
    halved down to 8 steps per decade (about 15 fits); ALL are its 96. progress is called with (strength, accuracy).
    device: as for LinearProbe. Raises ContraltoError if rows and labels do not fit each other.
    """
    arguments.function(progress, "progress", "strength, accuracy")
    path = _Path(rows, labels, validation_rows, validation_labels, progress, device)
    if strengths is None:
        path.search()
    else:
        path.follow(strengths)
    best = path.best
    both = Problem(np.concatenate([path.rows, path.validation]), np.concatenate([path.labels, path.truth]), device)
    start = both.start_from(LinearProbe(best).take(path.problem, path.minima[best]))
    probe = LinearProbe(best).take(both, both.solve(best, start))
    return Sweep(best, dict(sorted(path.accuracies.items())), probe)


class _Path:
    """Minima by strength. They lie on a smooth path, so each fit starts from a line through its two nearest
    neighbours.
    """

    def __init__(
        self,
        rows: ArrayLike,
        labels: ArrayLike,
        validation: ArrayLike,
        truth: ArrayLike,
        progress: SweepProgress | None,
        device: str | None,
    ) -> None:
        self.rows: Matrix = checked_rows(rows, "rows")
        self.labels: Labels = checked_labels(labels, len(self.rows), "labels")
        self.validation = checked_rows(validation, "validation rows", self.rows.shape[1])
        self.truth = checked_labels(truth, len(self.validation), "validation labels", self.labels)
        self.problem = Problem(self.rows, self.labels, device)
        unknown = np.setdiff1d(self.truth, self.problem.classes)
        if len(unknown):
            raise ProbeError(f"no training row has the validation label {unknown[0]}: split by class")
        self.minima: dict[float, Minimum] = {}
        self.accuracies: dict[float, float] = {}
        self._last: Minimum | None = None
        self._progress = progress

    @property
    def best(self) -> float:
        """The strength with the highest accuracy, the least among equals."""
        return min(self.accuracies, key=lambda strength: (-self.accuracies[strength], strength))

    def follow(self, strengths: Sequence[float]) -> None:
        """Fits at each strength, in rising order."""
        given = [*strengths] if isinstance(strengths, Iterable) else [strengths]
        if not given:
            raise ProbeError("no strengths to try: give at least one")
        for strength in sorted({checked_strength(one) for one in given}):
            self._try(strength)

    def search(self) -> None:
        """The paper's search."""
        decades = {10.0**decade: float(decade) for decade in SEARCH_DECADES}
        self.follow(list(decades))
        step = float(SEARCH_DECADES.step)
        for _ in range(HALVINGS):
            step /= 2
            middle = decades[self.best]
            for decade in (middle - step, middle + step):
                if SEARCH_DECADES[0] <= decade <= SEARCH_DECADES[-1]:
                    decades[10.0**decade] = decade
                    self._try(10.0**decade)

    def _try(self, strength: float) -> None:
        minimum = self.problem.solve(strength, self._predicted(strength), self._last)
        probe = LinearProbe(strength).take(self.problem, minimum)
        accuracy = probe.score(self.validation, self.truth)
        self.accuracies[strength], self._last = accuracy, minimum
        self.minima[strength] = replace(minimum, pairs=())  # the pairs are many times as large
        if self._progress is not None:
            self._progress(strength, accuracy)

    def _predicted(self, strength: float) -> Float | None:
        """theta on the line through the two nearest minima over log strength; with one minimum, or too far away, the
        nearest one.
        """
        near = sorted(self.minima, key=lambda one: abs(np.log(one / strength)))[:2]
        if not near:
            return None
        nearest = self.minima[near[0]].theta
        if len(near) == 1:
            return nearest
        part = np.log(strength / near[0]) / np.log(near[1] / near[0])
        if abs(part) > MAX_EXTRAPOLATION:
            return nearest
        return np.asarray(nearest + part * (self.minima[near[1]].theta - nearest))
