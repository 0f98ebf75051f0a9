"""What can be fitted to a set's training split on frozen features, and what that gives on the split that is measured.

The paper's protocol (section 3.2): features before the projection, as they are; logistic regression whose strength is
chosen on validation, then refitted to training and validation together. Few-shot curves are those of section 3.1.4.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from contralto import metrics, probe
from contralto.data.splits import VALIDATION
from contralto.embeddings import Embeddings
from contralto.errors import DataError
from contralto.evaluation import embed
from contralto.evaluation.answers import Answers, told
from contralto.evaluation.classes import labels_of, of_answers
from contralto.evaluation.embed import PictureEmbeddings
from contralto.evaluation.figures import mean
from contralto.evaluation.notes import tell_left_out
from contralto.evaluation.outcome import Outcome
from contralto.evaluation.protocol import protocol, split_hash
from contralto.metrics import UndefinedError
from contralto.probe.few_shot import STRENGTH
from contralto.sets.data_set import DataSet

if TYPE_CHECKING:
    from contralto.evaluation.run import Session

PROBES: Final = ("linear", "knn", "few-shot")
HELD_OUT = 5  # a fifth of each class is held out of the training split where there is no validation split
FITS = 15  # of the paper's search, about
NEAREST = 20
FEATURES = "before the projection, not normalised"


@dataclass(frozen=True, eq=False)
class Fitting:
    """Features (N, w) and labels (N,) of the pictures that could be used: what is fitted to, what chooses, what is
    measured; and what the protocol says of them."""

    rows: Embeddings
    labels: NDArray[np.int64]
    validation: NDArray[np.intp]
    measured: PictureEmbeddings
    said: dict[str, Any]

    @property
    def training(self) -> NDArray[np.intp]:
        """Places of the rows that are not for validation."""
        return np.setdiff1d(np.arange(len(self.rows)), self.validation)

    @property
    def usable(self) -> NDArray[np.intp]:
        """Places of the measured pictures that did not fail."""
        return np.flatnonzero(self.measured.rows.any(axis=1))

    def placed(self, predicted: NDArray[Any]) -> NDArray[np.int64]:
        """Answers for the usable pictures as answers for all: -1 for those that failed."""
        found = np.full(len(self.measured.rows), -1, np.int64)
        found[self.usable] = predicted
        return found


def probed(session: Session, data: DataSet, kind: str, shots: Sequence[int]) -> Iterator[Outcome]:
    """The outcomes of one of `PROBES`, fitted to the set's training split.

    Raises DataError if there is none, UndefinedError where its pictures are too few to fit to.
    """
    fitting = _fitting(session, data)
    data = fitting.measured.described(data)
    if kind == "linear":
        yield _linear(session, data, fitting)
    elif kind == "knn":
        there = fitting.measured.rows[fitting.usable]
        for variant, told_of in (
            (f"{NEAREST}-NN", probe.knn(fitting.rows, fitting.labels, there, NEAREST)),
            ("prototypes", probe.prototypes(fitting.rows, fitting.labels, there)),
        ):
            answers = _without_scores(data, fitting.placed(told_of))
            yield of_answers(data, fitting.measured, answers, fitting.said, variant)
    else:
        yield from _few_shot(data, fitting, shots)


def _linear(session: Session, data: DataSet, fitting: Fitting) -> Outcome:
    done = 0

    def advance(strength: float, accuracy: float) -> None:
        nonlocal done
        done += 1
        session.progress("fitting", min(done, FITS), FITS)

    train, held = fitting.training, fitting.validation
    if not len(held) or len(np.unique(fitting.labels[train])) < 2:
        raise UndefinedError(
            f"no strength can be chosen: {len(held)} pictures are for validation, {len(train)} to fit to"
        )
    device = None if session.clip.device == "cpu" else session.clip.device
    found = probe.sweep(
        fitting.rows[train],
        fitting.labels[train],
        fitting.rows[held],
        fitting.labels[held],
        progress=advance,
        device=device,
    )
    said = fitting.said | {
        "probe": "logistic regression (L2, L-BFGS), strength by the paper's search, refitted to both splits",
        "strength": found.strength,
        "validation_accuracy": {f"{strength:.3g}": right for strength, right in found.accuracies.items()},
    }
    scores = np.full((len(data.items), len(data.classes)), -np.inf)
    logits = found.probe.decision_function(fitting.measured.rows)
    scores[:, found.probe.classes_] = np.stack([0 * logits, logits], axis=1) if logits.ndim == 1 else logits
    labels = labels_of(data)
    rank = metrics.ranks(scores, labels)
    margin = scores[:, 1] - scores[:, 0] if len(data.classes) == 2 and np.isfinite(scores).all() else None
    confidence = found.probe.predict_proba(fitting.measured.rows).max(axis=1)
    predicted = told(scores, labels, rank)
    failed = np.setdiff1d(np.arange(len(rank)), fitting.usable)
    predicted[failed], confidence[failed], rank[failed] = -1, 0.0, len(data.classes)
    answers = Answers(predicted, confidence, rank, margin=margin)
    return of_answers(data, fitting.measured, answers, said, "linear probe")


def _few_shot(data: DataSet, fitting: Fitting, shots: Sequence[int]) -> Iterator[Outcome]:
    """Of each number of shots the mean over its draws, which are kept as the answers of the first.

    Raises UndefinedError after those for which every class has enough pictures.
    """
    truth, there = labels_of(data), fitting.usable
    labels, counts = np.unique(fitting.labels, return_counts=True)
    scarce, fewest = data.classes[labels[counts.argmin()]].name, int(counts.min())
    enough = [count for count in shots if count <= fewest]
    if len(enough) < len(shots):
        if enough:
            yield from _few_shot(data, fitting, enough)
        raise UndefinedError(f"class {scarce!r} has {fewest} training pictures: too few for {max(shots)} shots")
    found = probe.few_shot(fitting.rows, fitting.labels, fitting.measured.rows[there], truth[there], shots)
    for count, told_of in zip(found.shots, found.predicted, strict=True):
        predicted = np.stack([fitting.placed(one) for one in told_of])
        right = (predicted == truth).mean(axis=0)  # (M,): of each picture, over the draws
        figure = mean("top1", right, chance=1 / len(data.classes))
        said = fitting.said | {
            "probe": f"logistic regression, strength {STRENGTH}, to {count} pictures a class",
            "draws": len(predicted),
            "interval": "bootstrap over pictures, of the mean over the draws",
        }
        outcome = of_answers(data, fitting.measured, _without_scores(data, predicted[0]), said, f"few-shot {count}")
        yield replace(outcome, figures=(figure,))


def _fitting(session: Session, data: DataSet) -> Fitting:
    measured = embed.pictures(session.clip, data.items, session.store, kind="features", progress=session.progress)
    train, pictures = _split(session, data, "train")
    usable = np.flatnonzero(pictures.rows.any(axis=1))
    rows, labels = pictures.rows[usable], labels_of(train)[usable]
    digests = [pictures.digests[i] for i in usable]
    said = protocol(session.clip, measured.described(data), measured) | {
        "features": FEATURES,
        "precision": "fp32",
        "train": {"split": "train", "items": len(train.items), "sha256": split_hash(train, pictures)},
        "train_also_measured": len({*digests} & {*measured.digests}),
    }
    if (name := next((name for name in VALIDATION if name in data.splits and name != data.split), None)) is not None:
        val, held = _split(session, data, name)
        there = np.flatnonzero(held.rows.any(axis=1))
        said["validation"] = {"split": name, "items": len(val.items), "sha256": split_hash(val, held)}
        validation = np.arange(len(rows), len(rows) + len(there))
        rows = np.concatenate([rows, held.rows[there]])
        labels = np.concatenate([labels, labels_of(val)[there]])
    else:
        validation = _held_out(labels, digests)
        said["validation"] = f"a fifth of each class of the training split, by sha256: {len(validation)}"
    if len(np.unique(labels)) < 2 or not measured.rows.any():
        raise UndefinedError("a probe needs training pictures of two classes, and pictures to be measured on")
    return Fitting(rows, labels, validation, measured, said)


def _split(session: Session, data: DataSet, name: str) -> tuple[DataSet, PictureEmbeddings]:
    """Another split of the set, without its pictures, and their features."""
    if data.split == name:
        raise DataError(f"{data.name}: {name} is what is measured; a probe is fitted to it: measure another split")
    other = data.other(name)
    tell_left_out(other, failed=True)
    found = embed.pictures(session.clip, other.items, session.store, kind="features", progress=session.progress)
    return found.described(other), found


def _held_out(labels: NDArray[np.int64], digests: Sequence[bytes | None]) -> NDArray[np.intp]:
    """Places of the fifth of each class whose digests come first, rounded down."""
    found: list[int] = []
    for label in np.unique(labels):
        places = sorted(np.flatnonzero(labels == label).tolist(), key=lambda place: digests[place] or b"")
        found += places[: len(places) // HELD_OUT]
    return np.array(sorted(found), np.intp)


def _without_scores(data: DataSet, predicted: NDArray[np.int64]) -> Answers:
    """Of a classifier that says its answer and nothing else: what is wrong stands behind one other."""
    rank = (predicted != labels_of(data)).astype(np.int64)
    return Answers(predicted, np.full(len(rank), np.nan), rank)
