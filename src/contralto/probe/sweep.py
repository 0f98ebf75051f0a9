"""Which strength: the paper's parametric search on a validation split, or any list; then the refit on both splits."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from contralto import arguments
from contralto.probe.inputs import Labels, ProbeError, Rows, checked_labels, checked_rows
from contralto.probe.lbfgs import Minimum
from contralto.probe.linear import LinearProbe, Problem, checked_strength
from contralto.probe.objective import Float

ALL = tuple(float(strength) for strength in np.logspace(-6, 6, 96))
"""The paper's 96 strengths. (Its search ends on 8 steps a decade, which are 97: hence grids that differ a little.)"""

FIRST = range(-6, 7, 2)  # decades
HALVINGS = 4  # of steps of two decades, down to an eighth of one
CLOSE = 2.0  # what lies farther off than so many times the distance of the two strengths known is not predicted

Progress = Callable[[float, float], object]


@dataclass(frozen=True, eq=False)
class Sweep:
    """accuracies: on validation, by strength in rising order. strength: the best; of equals the least, which
    regularises most. probe: fitted at it to both splits."""

    strength: float
    accuracies: dict[float, float]
    probe: LinearProbe


def sweep(
    rows: ArrayLike,
    labels: ArrayLike,
    validation_rows: ArrayLike,
    validation_labels: ArrayLike,
    strengths: Sequence[float] | None = None,
    progress: Progress | None = None,
    device: str | None = None,
) -> Sweep:
    """Tries strengths on rows (N, d) with labels (N,), chooses on the validation split, and refits on both.

    strengths: None is the paper's search: every second decade from 1e-6 to 1e6, then the interval about the peak is
    halved down to 8 steps a decade (about 15 fits); ALL are its 96. progress is called with (strength, accuracy).
    device: as for LinearProbe. Raises ContraltoError for rows and labels that do not fit each other.
    """
    arguments.function(progress, "progress", "strength, accuracy")
    path = _Path(rows, labels, validation_rows, validation_labels, progress, device)
    if strengths is None:
        path.search()
    else:
        path.follow(strengths)
    best = path.best
    both = Problem(np.concatenate([path.rows, path.validation]), np.concatenate([path.labels, path.truth]), device)
    start = both.start_from(LinearProbe(best).take(path.problem, path.found[best]))
    probe = LinearProbe(best).take(both, both.solve(best, start))
    return Sweep(best, dict(sorted(path.accuracies.items())), probe)


class _Path:
    """Minima by strength: each starts from a line through its two nearest neighbours, for they lie on a smooth path."""

    def __init__(
        self,
        rows: ArrayLike,
        labels: ArrayLike,
        validation: ArrayLike,
        truth: ArrayLike,
        progress: Progress | None,
        device: str | None,
    ) -> None:
        self.rows: Rows = checked_rows(rows, "rows")
        self.labels: Labels = checked_labels(labels, len(self.rows), "labels")
        self.validation = checked_rows(validation, "validation rows", self.rows.shape[1])
        self.truth = checked_labels(truth, len(self.validation), "validation labels", self.labels)
        self.problem = Problem(self.rows, self.labels, device)
        unknown = np.setdiff1d(self.truth, self.problem.classes)
        if len(unknown):
            raise ProbeError(f"no training row has the validation label {unknown[0]}: split by class")
        self.found: dict[float, Minimum] = {}
        self.accuracies: dict[float, float] = {}
        self._last: Minimum | None = None
        self._progress = progress

    @property
    def best(self) -> float:
        return min(self.accuracies, key=lambda strength: (-self.accuracies[strength], strength))

    def follow(self, strengths: Sequence[float]) -> None:
        given = [*strengths] if isinstance(strengths, Iterable) else [strengths]
        if not given:
            raise ProbeError("no strengths to try: give at least one")
        for strength in sorted({checked_strength(one) for one in given}):
            self._try(strength)

    def search(self) -> None:
        decades = {10.0**decade: float(decade) for decade in FIRST}
        self.follow(list(decades))
        step = float(FIRST.step)
        for _ in range(HALVINGS):
            step /= 2
            middle = decades[self.best]
            for decade in (middle - step, middle + step):
                if FIRST[0] <= decade <= FIRST[-1]:
                    decades[10.0**decade] = decade
                    self._try(10.0**decade)

    def _try(self, strength: float) -> None:
        minimum = self.problem.solve(strength, self._predicted(strength), self._last)
        probe = LinearProbe(strength).take(self.problem, minimum)
        accuracy = probe.score(self.validation, self.truth)
        self.accuracies[strength], self._last = accuracy, minimum
        self.found[strength] = replace(minimum, pairs=())  # which are many times as large
        if self._progress is not None:
            self._progress(strength, accuracy)

    def _predicted(self, strength: float) -> Float | None:
        """theta by the line through the two nearest minima over log strength; of fewer, or too far, the nearest's."""
        near = sorted(self.found, key=lambda one: abs(np.log(one / strength)))[:2]
        if not near:
            return None
        nearest = self.found[near[0]].theta
        if len(near) == 1:
            return nearest
        part = np.log(strength / near[0]) / np.log(near[1] / near[0])
        if abs(part) > CLOSE:
            return nearest
        return np.asarray(nearest + part * (self.found[near[1]].theta - nearest))
