"""The one function that reads the measured part, after the method is fixed: before, after, and what it cost elsewhere.

Nothing here changes what is stored in the adaptation. Changing the labels of the measured part changes no byte of it.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from contralto import metrics
from contralto.adaptation.curve import Curve, curve
from contralto.adaptation.forgetting import BEFORE, KeptSet, LabelFree, kept_set, label_free, measured_as
from contralto.adaptation.methods import FittedClassifier
from contralto.adaptation.verdict import Verdict, verdict
from contralto.encoder import Clip
from contralto.evaluation.adapted import ADAPTED, adapted_protocol, classify_adapted
from contralto.evaluation.outcome import Outcome
from contralto.evaluation.protocol import base_protocol, class_protocol
from contralto.evaluation.run import measure
from contralto.evaluation.session import Session, open_session
from contralto.evaluation.zero_shot import zero_shot
from contralto.sets.data_set import DataSet
from contralto.sets.variants.lazy_items import LazyItems
from contralto.weights.adaptation import StoredAdaptation
from contralto.zeroshot.adapted import AdaptedClassifier

MIXES: Final = tuple(round(0.1 * step, 1) for step in range(11))
MIXED_PICTURES: Final = 300  # of a set, for each mix of changed towers, which all have to be encoded again


@dataclass(frozen=True)
class MixPoint:
    """The accuracy on the measured part at a mix, and what is kept there: accuracy on the first kept set, else the
    agreement with the base; None for frozen towers, which keep everything.
    """

    mix: float
    accuracy: float
    kept: float | None = None


@dataclass(frozen=True, eq=False)
class Measured:
    """zero_shot, adapted: the outcomes of the same pictures. verdict: the difference of the main metric."""

    zero_shot: Outcome
    adapted: Outcome
    verdict: Verdict
    curve: Curve | None = None
    mixes: tuple[MixPoint, ...] = ()
    kept: tuple[KeptSet, ...] = ()
    label_free: LabelFree | None = None


def measure_classifier(
    session: Session,
    data: DataSet,
    stored: StoredAdaptation,
    draws: Sequence[tuple[int, list[FittedClassifier]]],
    chosen: str,
) -> Measured:
    """For frozen towers. data: the part to measure, with its pictures. chosen: how the method was chosen."""
    scale = session.clip.contract.score.scale
    pictures = session.embed_pictures(data, what="pictures to measure")
    bare = pictures.without_pictures(data)
    before = zero_shot(session.clip, bare, pictures, data.templates, data.template_set, BEFORE)
    protocol = base_protocol(session.clip, bare, pictures)
    protocol |= class_protocol(data.classes, data.templates, data.template_set) | adapted_protocol(stored, 1.0, chosen)
    after = classify_adapted(session, data, pictures, AdaptedClassifier.of(stored, scale), protocol)
    features = session.embed_pictures(data, kind="features").embeddings if _need_features(draws) else None
    labels = np.array([item.label for item in bare.items])

    def accuracy(classifier: AdaptedClassifier) -> float:
        needed = features if classifier.needs_features else None
        return _accuracy(classifier.logits(pictures.embeddings, needed), labels, pictures.embeddings)

    mixes = [MixPoint(mix, accuracy(AdaptedClassifier.of(stored, scale, mix))) for mix in MIXES]
    drawn = curve(draws, lambda fitted: accuracy(fitted.classifier(scale)), mixes[0].accuracy) if draws else None
    return Measured(before, after, verdict(before, after, data.metric), drawn, tuple(mixes))


def measure_towers(
    session: Session,
    data: DataSet,
    stored: StoredAdaptation,
    chosen: str,
    at: Callable[[float], Clip],
    keep: Sequence[DataSet],
) -> Measured:
    """For changed towers. at: the model at a mix. keep: data sets that the change should not harm."""
    before = measured_as(BEFORE, session, data)
    with open_session(at(1.0), progress=session.progress) as adapted:
        after = _answers(adapted, data, stored)
        kept = tuple(kept_set(session, adapted, one) for one in keep)
        unlabelled = label_free(session, adapted, data)
    after = dataclasses.replace(after, protocol={**after.protocol, **adapted_protocol(stored, 1.0, chosen)})
    mixes = () if stored.prompts_pictures else tuple(_mixes(session, data, at, keep))  # those have the two ends alone
    return Measured(before, after, verdict(before, after, data.metric), None, mixes, kept, unlabelled)


def _answers(session: Session, data: DataSet, stored: StoredAdaptation) -> Outcome:
    """The outcome of the adapted model on the measured part: by its own class rows beside prompts, else zero-shot."""
    if stored.prompts_pictures:
        return next(one for one in measure(session, data) if one.condition == ADAPTED)
    return measured_as(ADAPTED, session, data)


def _mixes(session: Session, data: DataSet, at: Callable[[float], Clip], keep: Sequence[DataSet]) -> Iterator[MixPoint]:
    """The points of the plot, each by at most MIXED_PICTURES of the measured pictures and of the first kept set."""
    own, kept = _some(data), _some(keep[0]) if keep else None
    for place, mix in enumerate(MIXES):
        session.progress("mixes", place, len(MIXES))
        with open_session(at(mix), progress=lambda stage, done, total: None) as mixed:
            accuracy = _value(measured_as(ADAPTED, mixed, own), data.metric)
            if kept is not None:
                yield MixPoint(mix, accuracy, _value(measured_as(ADAPTED, mixed, kept), kept.metric))
            else:
                yield MixPoint(mix, accuracy, label_free(session, mixed, own).agreement)


def _some(data: DataSet) -> DataSet:
    """At most MIXED_PICTURES of the items, chosen by their keys."""
    items = data.items
    if len(items) <= MIXED_PICTURES:
        return data
    by_key = [hashlib.sha256(items[i].key.encode("utf-8", "surrogatepass")).digest() for i in range(len(items))]
    places = sorted(sorted(range(len(items)), key=lambda i: by_key[i])[:MIXED_PICTURES])
    return dataclasses.replace(data, items=LazyItems(len(places), lambda index: items[places[index]]))


def _value(outcome: Outcome, metric: str) -> float:
    return next(figure.value for figure in outcome.figures if figure.metric == metric)


def _need_features(draws: Sequence[tuple[int, list[FittedClassifier]]]) -> bool:
    return any(fitted.settings.get("input") == "features" for _, several in draws for fitted in several)


def _accuracy(logits: NDArray[np.float64], labels: NDArray[np.int64], embeddings: NDArray[Any]) -> float:
    right = (metrics.ranks(logits, labels) == 0) & embeddings.any(axis=1)
    return float(right.mean())
