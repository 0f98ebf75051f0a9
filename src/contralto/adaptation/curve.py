"""The learning curve: the chosen method with 1, 2, 4 ... pictures a class. Its last doubling tells what more may bring.

Three draws by seed; within a draw, fewer pictures are a subset of more.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from contralto.adaptation.choose import Choice, Progress
from contralto.adaptation.methods import FittedClassifier
from contralto.adaptation.roles import turns
from contralto.adaptation.rows import LabelledRows

DRAWS: Final = 3


@dataclass(frozen=True)
class Curve:
    """shots: pictures a class, rising. accuracies: for each, those of the draws, on the measured pictures.
    zero_shot: with none.
    """

    shots: tuple[int, ...]
    accuracies: tuple[tuple[float, ...], ...]
    zero_shot: float

    @property
    def means(self) -> list[float]:
        """The mean over the draws, for each number of shots."""
        return [float(np.mean(draws)) for draws in self.accuracies]

    @property
    def last_doubling(self) -> float | None:
        """What the last doubling of the pictures brought; None with fewer than two points.

        The accuracy with half of the pictures is read from the line between its neighbours, over log2 of the pictures.
        """
        if len(self.shots) < 2:
            return None
        half = np.interp(np.log2(self.shots[-1] / 2), np.log2(self.shots), self.means)
        return float(self.means[-1] - half)


def fit_draws(
    choice: Choice, rows: LabelledRows, digests: tuple[bytes | None, ...], seed: int, progress: Progress
) -> list[tuple[int, list[FittedClassifier]]]:
    """(pictures a class, the classifier of each draw): nothing is measured here."""
    sizes = np.bincount(rows.true)
    largest = int(sizes.max())
    counts = [2**power for power in range(largest.bit_length()) if 2**power < largest] + [largest]
    fitted: list[tuple[int, list[FittedClassifier]]] = []
    orders = [turns(rows.true, digests, seed + draw) for draw in range(DRAWS)]
    for done, count in enumerate(counts):
        draws = [_of_draw(choice, rows, order < count) for order in (orders if count < largest else orders[:1])]
        fitted.append((count, draws))
        progress("learning curve", done + 1, len(counts))
    return fitted


def _of_draw(choice: Choice, rows: LabelledRows, chosen: np.ndarray) -> FittedClassifier:
    return choice.fit(rows.of_pictures(chosen))


def curve(
    fitted: Sequence[tuple[int, list[FittedClassifier]]],
    accuracy: Callable[[FittedClassifier], float],
    zero_shot: float,
) -> Curve:
    """The accuracies of the fitted classifiers. accuracy: measures one of them."""
    accuracies = tuple(tuple(accuracy(one) for one in draws) for _, draws in fitted)
    return Curve(tuple(count for count, _ in fitted), accuracies, zero_shot)
