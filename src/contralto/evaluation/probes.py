"""Probes: classifiers fitted to frozen features of the training split, measured on another split.

The paper's protocol (section 3.2): features before the projection, as they are; logistic regression with a strength
chosen on validation, then refitted to training and validation together. Few-shot curves follow section 3.1.4.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from contralto import metrics, probe
from contralto.data.splits import VALIDATION
from contralto.embeddings import Embeddings
from contralto.errors import DataError
from contralto.evaluation.cached_embeddings import PictureEmbeddings
from contralto.evaluation.condition import Condition
from contralto.evaluation.figures import mean
from contralto.evaluation.notes import note_left_out
from contralto.evaluation.outcome import Outcome
from contralto.evaluation.predictions import Predictions, predicted_classes
from contralto.evaluation.protocol import base_protocol, split_hash
from contralto.evaluation.session import Session
from contralto.evaluation.zero_shot import classification_outcome, labels_of
from contralto.metrics import UndefinedError
from contralto.probe.few_shot import STRENGTH
from contralto.sets.data_set import DataSet

PROBES: Final = ("linear", "knn", "few-shot")
HELD_OUT: Final = 5  # without a validation split, a fifth of each class of the training split is held out
USUAL_FITS: Final = 15  # number of fits that the paper's search usually takes, for progress
NEAREST: Final = 20
FEATURES: Final = "before the projection, not normalised"


@dataclass(frozen=True, eq=False)
class ProbeData:
    """The features that a probe is fitted to, and those that it is measured on.

    features (N, w), labels (N,): the features and labels of the usable training and validation pictures. validation:
    the places of the validation pictures. measured: the features of the measured split. protocol: the outcome's
    protocol.
    """

    features: Embeddings
    labels: NDArray[np.int64]
    validation: NDArray[np.intp]
    measured: PictureEmbeddings
    protocol: dict[str, Any]

    @property
    def training(self) -> NDArray[np.intp]:
        """Places of the features that are not for validation."""
        return np.setdiff1d(np.arange(len(self.features)), self.validation)

    @property
    def usable(self) -> NDArray[np.intp]:
        """Places of the measured pictures that did not fail."""
        return np.flatnonzero(self.measured.embeddings.any(axis=1))

    def spread(self, predicted: NDArray[Any]) -> NDArray[np.int64]:
        """Predictions for the usable pictures as predictions for all pictures: -1 for those that failed."""
        predictions = np.full(len(self.measured.embeddings), -1, np.int64)
        predictions[self.usable] = predicted
        return predictions


def run_probe(session: Session, data: DataSet, kind: str, shots: Sequence[int]) -> Iterator[Outcome]:
    """The outcomes of one of `PROBES`, fitted to the training split.

    Raises DataError if there is no training split, UndefinedError if it has too few pictures.
    """
    probe_data = _probe_data(session, data)
    data = probe_data.measured.without_pictures(data)
    if kind == "linear":
        yield _linear(session, data, probe_data)
    elif kind == "knn":
        yield from _neighbours(data, probe_data)
    else:
        yield from _few_shot(data, probe_data, shots)


def _linear(session: Session, data: DataSet, probe_data: ProbeData) -> Outcome:
    done = 0

    def advance(strength: float, accuracy: float) -> None:
        nonlocal done
        done += 1
        session.progress("fitting", min(done, USUAL_FITS), USUAL_FITS)

    features, labels, measured = probe_data.features, probe_data.labels, probe_data.measured
    train, held = probe_data.training, probe_data.validation
    if not len(held) or len(np.unique(labels[train])) < 2:
        raise UndefinedError(
            f"no strength can be chosen: {len(held)} pictures are for validation, {len(train)} to fit to"
        )
    device = None if session.clip.device == "cpu" else session.clip.device
    sweep = probe.sweep(features[train], labels[train], features[held], labels[held], progress=advance, device=device)
    protocol = probe_data.protocol | {
        "probe": "logistic regression (L2, L-BFGS), strength by the paper's search, refitted to both splits",
        "strength": sweep.strength,
        "validation_accuracy": {f"{strength:.3g}": accuracy for strength, accuracy in sweep.accuracies.items()},
    }
    scores = np.full((len(data.items), len(data.classes)), -np.inf)
    logits = sweep.probe.decision_function(measured.embeddings)
    scores[:, sweep.probe.classes_] = np.stack([0 * logits, logits], axis=1) if logits.ndim == 1 else logits
    truth = labels_of(data)
    rank = metrics.ranks(scores, truth)
    margin = scores[:, 1] - scores[:, 0] if len(data.classes) == 2 and np.isfinite(scores).all() else None
    confidence = sweep.probe.predict_proba(measured.embeddings).max(axis=1)
    predicted = predicted_classes(scores, truth, rank)
    failed = np.setdiff1d(np.arange(len(rank)), probe_data.usable)
    predicted[failed], confidence[failed], rank[failed] = -1, 0.0, len(data.classes)
    predictions = Predictions(predicted, confidence, rank, margin=margin)
    return classification_outcome(data, measured, predictions, protocol, Condition("linear_probe"))


def _neighbours(data: DataSet, probe_data: ProbeData) -> Iterator[Outcome]:
    """Nearest neighbours, then class means."""
    features, labels = probe_data.features, probe_data.labels
    measured = probe_data.measured.embeddings[probe_data.usable]
    for condition, predicted in (
        (Condition("knn", level=NEAREST), probe.knn(features, labels, measured, NEAREST)),
        (Condition("prototypes"), probe.prototypes(features, labels, measured)),
    ):
        predictions = _without_scores(data, probe_data.spread(predicted))
        yield classification_outcome(data, probe_data.measured, predictions, probe_data.protocol, condition)


def _few_shot(data: DataSet, probe_data: ProbeData, shots: Sequence[int]) -> Iterator[Outcome]:
    """For each number of shots the mean over the draws; the records are those of the first draw.

    Raises UndefinedError after the numbers for which every class has enough pictures.
    """
    truth, usable = labels_of(data), probe_data.usable
    labels, counts = np.unique(probe_data.labels, return_counts=True)
    scarce, fewest = data.classes[labels[counts.argmin()]].name, int(counts.min())
    enough = [count for count in shots if count <= fewest]
    if len(enough) < len(shots):
        if enough:
            yield from _few_shot(data, probe_data, enough)
        raise UndefinedError(f"class {scarce!r} has {fewest} training pictures: too few for {max(shots)} shots")
    measured = probe_data.measured.embeddings[usable]
    curve = probe.few_shot(probe_data.features, probe_data.labels, measured, truth[usable], shots)
    for count, draws in zip(curve.shots, curve.predicted, strict=True):
        predicted = np.stack([probe_data.spread(draw) for draw in draws])
        accuracy = (predicted == truth).mean(axis=0)  # (M,): of each picture, over the draws
        figure = mean("top1", accuracy, chance=1 / len(data.classes))
        protocol = probe_data.protocol | {
            "probe": f"logistic regression, strength {STRENGTH}, to {count} pictures a class",
            "draws": len(predicted),
            "interval": "bootstrap over pictures, of the mean over the draws",
        }
        predictions, condition = _without_scores(data, predicted[0]), Condition("few_shot", level=count)
        outcome = classification_outcome(data, probe_data.measured, predictions, protocol, condition)
        yield replace(outcome, figures=(figure,))


def _probe_data(session: Session, data: DataSet) -> ProbeData:
    measured = session.embed_pictures(data, kind="features")
    train, pictures = _split(session, data, "train")
    usable = np.flatnonzero(pictures.embeddings.any(axis=1))
    features, labels = pictures.embeddings[usable], labels_of(train)[usable]
    digests = [pictures.digests[i] for i in usable]
    protocol = base_protocol(session.clip, measured.without_pictures(data), measured) | {
        "features": FEATURES,
        "precision": "fp32",
        "train": {"split": "train", "items": len(train.items), "sha256": split_hash(train, pictures)},
        "train_also_measured": len({*digests} & {*measured.digests}),
    }
    if (name := next((name for name in VALIDATION if name in data.splits and name != data.split), None)) is not None:
        val, held = _split(session, data, name)
        held_usable = np.flatnonzero(held.embeddings.any(axis=1))
        protocol["validation"] = {"split": name, "items": len(val.items), "sha256": split_hash(val, held)}
        validation = np.arange(len(features), len(features) + len(held_usable))
        features = np.concatenate([features, held.embeddings[held_usable]])
        labels = np.concatenate([labels, labels_of(val)[held_usable]])
    else:
        validation = _held_out(labels, digests)
        protocol["validation"] = f"a fifth of each class of the training split, by sha256: {len(validation)}"
    if len(np.unique(labels)) < 2 or not measured.embeddings.any():
        raise UndefinedError("a probe needs training pictures of two classes, and pictures to be measured on")
    return ProbeData(features, labels, validation, measured, protocol)


def _split(session: Session, data: DataSet, name: str) -> tuple[DataSet, PictureEmbeddings]:
    """Another split of the data set, without its pictures, and their features."""
    if data.split == name:
        raise DataError(f"{data.name}: a probe is fitted to {name}: measure another split")
    other = data.other(name)
    note_left_out(other, failed=True)
    features = session.embed_pictures(other, kind="features")
    return features.without_pictures(other), features


def _held_out(labels: NDArray[np.int64], digests: Sequence[bytes | None]) -> NDArray[np.intp]:
    """Places of the fifth of each class whose digests come first, rounded down."""
    held: list[int] = []
    for label in np.unique(labels):
        places = sorted(np.flatnonzero(labels == label).tolist(), key=lambda place: digests[place] or b"")
        held += places[: len(places) // HELD_OUT]
    return np.array(sorted(held), np.intp)


def _without_scores(data: DataSet, predicted: NDArray[np.int64]) -> Predictions:
    """Predictions of a classifier without scores: the rank is 0 for a right answer, 1 for a wrong one."""
    rank = (predicted != labels_of(data)).astype(np.int64)
    return Predictions(predicted, np.full(len(rank), np.nan), rank)
