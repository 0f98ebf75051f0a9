"""What changed towers cost elsewhere: kept data sets before and after, and two figures that need no labels."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Final

import numpy as np

from contralto.adaptation.verdict import Verdict, verdict
from contralto.evaluation.adapted import ADAPTED
from contralto.evaluation.condition import Condition
from contralto.evaluation.outcome import Outcome
from contralto.evaluation.run import measure
from contralto.evaluation.session import Session
from contralto.evaluation.zero_shot import embed_prompts
from contralto.sets.data_set import DataSet
from contralto.sets.declaration import load_declaration

BEFORE: Final = Condition("zero_shot")
COMMON_NAMES: Final = "imagenet"
"""The registered data set whose 1,000 class names stand for what a CLIP can name."""


@dataclass(frozen=True, eq=False)
class KeptSet:
    """A data set that the adaptation should not harm, before and after."""

    set: str
    before: Outcome
    after: Outcome
    verdict: Verdict


@dataclass(frozen=True)
class LabelFree:
    """agreement: the share of measured pictures whose best of ImageNet's 1,000 names is the same before and after.
    cosine: the mean over these names of the cosine of their embeddings before and after.
    """

    agreement: float
    cosine: float


def kept_set(base: Session, adapted: Session, data: DataSet) -> KeptSet:
    """The outcomes of a data set with the base and with the adapted towers, and their difference."""
    before, after = (measured_as(condition, one, data) for condition, one in ((BEFORE, base), (ADAPTED, adapted)))
    return KeptSet(data.name, before, after, verdict(before, after, data.metric))


def label_free(base: Session, adapted: Session, data: DataSet) -> LabelFree:
    """The figures that need no labels, on the pictures of `data`."""
    classes = load_declaration(COMMON_NAMES).classes
    # A context may be too short for the longest names; both towers then read the same beginning.
    names = [embed_prompts(one.clip, classes, ("a photo of a {}.",), "truncate")[0] for one in (base, adapted)]
    pictures = [one.embed_pictures(data).embeddings for one in (base, adapted)]
    best = [(shown @ named.T).argmax(axis=1) for shown, named in zip(pictures, names, strict=True)]
    return LabelFree(float(np.mean(best[0] == best[1])), float(np.mean(np.sum(names[0] * names[1], axis=1))))


def measured_as(condition: Condition, session: Session, data: DataSet) -> Outcome:
    """The outcome of the data set as `evaluate` gives it, under another condition."""
    return dataclasses.replace(next(iter(measure(session, data))), condition=condition)
