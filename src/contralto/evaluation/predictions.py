"""Predictions of class embeddings for pictures: the class, the confidence, and the rank of the right class.

Ranks go by the cosine; confidence is the contract's own score rule over all classes, for sigmoid models too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from contralto import metrics
from contralto.contract import Score
from contralto.embeddings import Embeddings, at_once, probabilities
from contralto.errors import DataError
from contralto.evaluation.cached_embeddings import PictureEmbeddings

TEMPERATURE_SAMPLE: Final = 5000  # pictures of a half that a temperature is fitted to: more would not move it


@dataclass(frozen=True, eq=False)
class Predictions:
    """A classifier's predictions for N pictures: predicted int64, confidence float64, rank int64 (see `Records`).

    tempered: the confidence under the fitted temperatures; None if the score rule is no softmax. margin: for two
    classes, the score of the second minus that of the first (for a sigmoid rule, the score of the second).
    """

    predicted: NDArray[np.int64]
    confidence: NDArray[np.float64]
    rank: NDArray[np.int64]
    tempered: NDArray[np.float64] | None = None
    temperatures: tuple[float, float] | None = None
    margin: NDArray[np.float64] | None = None


def predict(
    pictures: PictureEmbeddings,
    class_embeddings: Embeddings,
    labels: NDArray[np.int64],
    rule: Score,
    merged: NDArray[np.int64] | None = None,
) -> Predictions:
    """Compares pictures with class_embeddings (C, d), in blocks. A picture that failed is wrong at any k.

    merged: int64 (C,), the class of each embedding; the score of a class is the highest of its embeddings. None: each
    embedding is its own class.
    """
    count = len(pictures.embeddings)
    predicted, rank = np.empty(count, np.int64), np.empty(count, np.int64)
    confidence, margin = np.empty(count), np.empty(count)
    usable = np.asarray(pictures.embeddings.any(axis=1))
    halves = np.array([digest is not None and digest[0] % 2 == 1 for digest in pictures.digests], bool)

    def scored(places: Any) -> Embeddings:
        return _best_of(pictures.embeddings[places] @ class_embeddings.T, merged)

    half_places = [np.flatnonzero(usable & (halves == half)) for half in (False, True)]
    fitted = _temperatures(scored, labels, rule, half_places)
    tempered = np.zeros(count) if fitted else None
    for start in range(0, count, step := at_once(len(class_embeddings))):
        part = slice(start, start + step)
        cosine = scored(part)
        rank[part] = metrics.ranks(cosine, labels[part])
        predicted[part] = predicted_classes(cosine, labels[part], rank[part])
        confidence[part] = probabilities(cosine, rule).max(axis=1)
        if cosine.shape[1] == 2:
            margin[part] = cosine[:, 1] - (cosine[:, 0] if rule.rule == "softmax" else 0)
        if fitted and tempered is not None:
            of_other_half = np.where(halves[part], fitted[0], fitted[1]).astype(np.float32)
            tempered[part] = probabilities(cosine / of_other_half[:, None], rule).max(axis=1)
    rank[~usable], predicted[~usable], confidence[~usable] = len(class_embeddings), -1, 0.0
    two = len(class_embeddings) == 2 and merged is None
    return Predictions(predicted, confidence, rank, tempered, fitted, margin if two else None)


def of_logits(
    logits: NDArray[np.float64], labels: NDArray[np.int64], usable: NDArray[np.bool_], temperature: float
) -> Predictions:
    """The predictions of a classifier with logits (N, C), whose scores are softmax(logits / temperature).

    usable (N,): False for a picture that failed, which is wrong at any k.
    """
    rank = metrics.ranks(logits, labels)
    predicted = predicted_classes(logits, labels, rank)
    scores = probabilities(logits.astype(np.float32), Score("softmax", 1 / temperature))
    confidence = scores.max(axis=1).astype(np.float64)
    rank[~usable], predicted[~usable], confidence[~usable] = logits.shape[1], -1, 0.0
    margin = logits[:, 1] - logits[:, 0] if logits.shape[1] == 2 else None
    return Predictions(predicted, confidence, rank, margin=margin)


def is_right(embeddings: Embeddings, class_embeddings: Embeddings, labels: NDArray[np.int64]) -> NDArray[np.bool_]:
    """For each picture (N,), whether its own class is closer than any other; embeddings (N, d), in blocks."""
    right = np.empty(len(embeddings), bool)
    for start in range(0, len(embeddings), step := at_once(len(class_embeddings))):
        part = slice(start, start + step)
        right[part] = metrics.ranks(embeddings[part] @ class_embeddings.T, labels[part]) == 0
    return right


def predicted_classes(scores: NDArray[Any], labels: NDArray[np.int64], rank: NDArray[np.int64]) -> NDArray[np.int64]:
    """The best class for each row of scores (N, C); if a wrong class ties with the right one, the wrong class."""
    best: NDArray[np.int64] = scores.argmax(axis=1)
    for i in np.flatnonzero((rank > 0) & (best == labels)):
        others = scores[i].copy()
        others[labels[i]] = -np.inf
        best[i] = others.argmax()
    return best


def _best_of(cosine: Embeddings, merged: NDArray[np.int64] | None) -> Embeddings:
    if merged is None:
        return cosine
    best = np.full((len(cosine), merged.max() + 1), -np.inf, np.float32)
    for column, place in enumerate(merged):
        np.maximum(best[:, place], cosine[:, column], out=best[:, place])
    return best


def _temperatures(
    scored: Callable[[NDArray[np.intp]], Embeddings],
    labels: NDArray[np.int64],
    rule: Score,
    halves: Sequence[NDArray[np.intp]],
) -> tuple[float, float] | None:
    """The temperatures fitted to the first and to the second half of the pictures; each is applied to the other half.

    None if the rule is no softmax, or a half has no best temperature, such as a half without a wrong answer.
    """
    if rule.rule != "softmax" or min(map(len, halves)) < 2:
        return None
    samples = [half[:TEMPERATURE_SAMPLE] for half in halves]
    try:
        first, second = (metrics.temperature(rule.scale * scored(places), labels[places]) for places in samples)
    except DataError:
        return None
    return first, second
