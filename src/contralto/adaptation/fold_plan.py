"""Whether folds of the pictures to fit can choose: not with too few pictures, nor if the base was trained on them.

A base answers pictures of its own training better than others: nano gets 89% of trash6's train split right, and 62% of
its val split. By folds of such pictures, no method that starts from these answers can be told from the base itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from contralto.adaptation.roles import Places, RolePart, folds
from contralto.encoder import Clip
from contralto.weights import training_pictures

KNOWN_SHARE: Final = 0.05  # of the pictures to fit


@dataclass(frozen=True, eq=False)
class FoldPlan:
    """dealt int64 (N,): the fold of each picture; None if a class has too few. known: how many of the N pictures the
    base was trained on, 0 if they are a negligible share. base: its name.
    """

    dealt: Places | None
    known: int
    base: str

    @property
    def folds(self) -> Places | None:
        """The folds, if they can judge what starts from the base's answers."""
        return None if self.known else self.dealt

    @property
    def reason(self) -> str:
        """Why nothing can be chosen."""
        return "the base knows the pictures" if self.known else "there are too few pictures for folds"

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know."""
        if not self.known:
            return ()
        flattered = (
            f"{self.base} was trained on {self.known:,} of the pictures to fit, so its answers on them are flattered"
        )
        return (f"{flattered}: folds cannot judge what starts from these answers",)


def plan_folds(clip: Clip, fit: RolePart) -> FoldPlan:
    """The folds of the pictures to fit, and whether the base knows the pictures."""
    known = int(np.sum(training_pictures.are_known(clip.checkpoint.folder, fit.digests)))
    dealt = folds(fit.labels, fit.digests)
    return FoldPlan(dealt, known if known > KNOWN_SHARE * len(fit) else 0, clip.contract.name)
