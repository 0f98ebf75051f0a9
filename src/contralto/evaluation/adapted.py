"""The outcome of an adaptation's classifier on a data set with exactly its classes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np

from contralto.evaluation.cached_embeddings import PictureEmbeddings
from contralto.evaluation.condition import Condition
from contralto.evaluation.outcome import Outcome
from contralto.evaluation.predictions import of_logits
from contralto.evaluation.protocol import base_protocol, class_protocol
from contralto.evaluation.session import Session
from contralto.evaluation.zero_shot import classification_outcome, labels_of
from contralto.sets.data_set import DataSet
from contralto.weights.adaptation import StoredAdaptation
from contralto.zeroshot.adapted import AdaptedClassifier

ADAPTED: Final = Condition("adapted")


def adapted_outcome(session: Session, data: DataSet, pictures: PictureEmbeddings) -> Iterator[Outcome]:
    """The outcome of the loaded adaptation's classifier, if the data set has exactly its classes, in any order."""
    loaded = session.clip.adaptation
    if loaded is None or loaded.description.classes is None:
        return
    stated = loaded.description
    if sorted(one.names for one in data.classes) != sorted(stated.classes or ()):
        return
    bare = pictures.without_pictures(data)
    protocol = base_protocol(session.clip, bare, pictures)
    protocol |= class_protocol(data.classes, stated.templates, "the adaptation's") | adapted_protocol(
        loaded.stored, loaded.mix
    )
    yield classify_adapted(session, data, pictures, loaded.classifier(session.clip), protocol)


def classify_adapted(
    session: Session,
    data: DataSet,
    pictures: PictureEmbeddings,
    classifier: AdaptedClassifier,
    protocol: dict[str, Any],
) -> Outcome:
    """The figures and records of a classifier of the same classes. data: with its pictures.

    pictures: embeddings by the towers that the classifier reads. protocol: all that decides the figures.
    """
    features = session.embed_pictures(data, kind="features").embeddings if classifier.needs_features else None
    usable = np.asarray(pictures.embeddings.any(axis=1))
    described = pictures.without_pictures(data)
    columns = [classifier.labels.index(one.names[0]) for one in data.classes]
    if len(set(columns)) < len(columns):  # two classes may share a label; then the order is the adaptation's
        columns = list(range(len(columns)))
    logits = classifier.logits(pictures.embeddings, features)[:, columns]
    predictions = of_logits(logits, labels_of(described), usable, classifier.temperature)
    return classification_outcome(described, pictures, predictions, protocol, ADAPTED)


def adapted_protocol(stored: StoredAdaptation, mix: float, chosen: str = "") -> dict[str, Any]:
    """The entry of the protocol that names the adaptation. chosen: how its method was chosen."""
    described = stored.description
    stated = {"method": described.method, "sha256": described.sha256, "mix": mix, "settings": described.settings}
    return {"adaptation": stated | ({"chosen": chosen} if chosen else {})}
