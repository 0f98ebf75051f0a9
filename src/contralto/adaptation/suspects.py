"""Labels worth a second look: pictures that the classifier of the other folds contradicts with high probability.

Nothing is relabelled or left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from contralto.adaptation.choose import Choice
from contralto.adaptation.roles import RolePart

CERTAIN: Final = 0.9


@dataclass(frozen=True)
class Suspect:
    """A picture by its key, its class, and another class with its probability by the other folds."""

    key: str
    label: str
    other: str
    probability: float


def suspects(choice: Choice, fit: RolePart) -> tuple[Suspect, ...]:
    """The fitted pictures whose held-out answer contradicts the label, the most certain first."""
    if (logits := choice.logits) is None:
        return ()
    tempered = logits / choice.temperature
    parts = np.exp(tempered - tempered.max(axis=1, keepdims=True))
    shares = parts / parts.sum(axis=1, keepdims=True)
    answers, labels, names = shares.argmax(axis=1), fit.labels, [one.name for one in fit.data.classes]
    doubtful = np.flatnonzero((answers != labels) & (shares.max(axis=1) > CERTAIN))
    order = doubtful[np.argsort(-shares.max(axis=1)[doubtful], kind="stable")]
    return tuple(
        Suspect(fit.bare[i].key, names[labels[i]], names[answers[i]], float(shares[i].max())) for i in order.tolist()
    )
