"""What class rows answer for pictures: the class told, how sure, and how many wrong ones stand before the right one.

Ranks go by the cosine; confidence is the contract's own score rule over all classes, for sigmoid models too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contralto import metrics
from contralto.contract import Score
from contralto.embeddings import Embeddings, at_once, probabilities
from contralto.errors import DataError
from contralto.evaluation.embed import PictureEmbeddings

MOST_TO_FIT = 5000  # pictures of a half that a temperature is fitted on: more would not move it


@dataclass(frozen=True, eq=False)
class Answers:
    """What a classifier says of N pictures: predicted int64, confidence float64, rank int64 (see `Records`).

    tempered: the confidence under the temperatures that were fitted; None where there is no softmax to temper. margin:
    of two classes, by how much the second scores above the first (for a sigmoid rule, its own score).
    """

    predicted: NDArray[np.int64]
    confidence: NDArray[np.float64]
    rank: NDArray[np.int64]
    tempered: NDArray[np.float64] | None = None
    temperatures: tuple[float, float] | None = None
    margin: NDArray[np.float64] | None = None


def answer(
    pictures: PictureEmbeddings,
    class_rows: Embeddings,
    labels: NDArray[np.int64],
    rule: Score,
    merged: NDArray[np.int64] | None = None,
) -> Answers:
    """Pictures against class_rows (C, d), some at a time. One that failed is wrong at any k.

    merged: int64 (C,), for each row the class that it counts for, which scores as the best of its rows; None: itself.
    """
    count = len(pictures.rows)
    predicted, rank = np.empty(count, np.int64), np.empty(count, np.int64)
    confidence, margin = np.empty(count), np.empty(count)
    there = np.asarray(pictures.rows.any(axis=1))
    halves = np.array([digest is not None and digest[0] % 2 == 1 for digest in pictures.digests], bool)

    def scored(places: Any) -> Embeddings:
        return _best_of(pictures.rows[places] @ class_rows.T, merged)

    fitted = _temperatures(scored, labels, rule, [np.flatnonzero(there & (halves == half)) for half in (False, True)])
    tempered = np.zeros(count) if fitted else None
    for start in range(0, count, step := at_once(len(class_rows))):
        part = slice(start, start + step)
        cosine = scored(part)
        rank[part] = metrics.ranks(cosine, labels[part])
        predicted[part] = told(cosine, labels[part], rank[part])
        confidence[part] = probabilities(cosine, rule).max(axis=1)
        if cosine.shape[1] == 2:
            margin[part] = cosine[:, 1] - (cosine[:, 0] if rule.rule == "softmax" else 0)
        if fitted and tempered is not None:
            of_other_half = np.where(halves[part], fitted[0], fitted[1]).astype(np.float32)
            tempered[part] = probabilities(cosine / of_other_half[:, None], rule).max(axis=1)
    rank[~there], predicted[~there], confidence[~there] = len(class_rows), -1, 0.0
    two = len(class_rows) == 2 and merged is None
    return Answers(predicted, confidence, rank, tempered, fitted, margin if two else None)


def right_of(rows: Embeddings, class_rows: Embeddings, labels: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which pictures (N,) are closer to their own class than to any other; some of rows (N, d) at a time."""
    right = np.empty(len(rows), bool)
    for start in range(0, len(rows), step := at_once(len(class_rows))):
        part = slice(start, start + step)
        right[part] = metrics.ranks(rows[part] @ class_rows.T, labels[part]) == 0
    return right


def told(scores: NDArray[Any], labels: NDArray[np.int64], rank: NDArray[np.int64]) -> NDArray[np.int64]:
    """The best class of each row of scores (N, C); where a wrong one ties with the right one, the wrong one."""
    best: NDArray[np.int64] = scores.argmax(axis=1)
    for i in np.flatnonzero((rank > 0) & (best == labels)):
        others = scores[i].copy()
        others[labels[i]] = -np.inf
        best[i] = others.argmax()
    return best


def _best_of(cosine: Embeddings, merged: NDArray[np.int64] | None) -> Embeddings:
    if merged is None:
        return cosine
    found = np.full((len(cosine), merged.max() + 1), -np.inf, np.float32)
    for column, place in enumerate(merged):
        np.maximum(found[:, place], cosine[:, column], out=found[:, place])
    return found


def _temperatures(
    scored: Callable[[NDArray[np.intp]], Embeddings],
    labels: NDArray[np.int64],
    rule: Score,
    halves: Sequence[NDArray[np.intp]],
) -> tuple[float, float] | None:
    """Fitted on the first half and on the second: each is for the other.

    None if the rule is no softmax, or a half has no best temperature, as where all its answers are right.
    """
    if rule.rule != "softmax" or min(map(len, halves)) < 2:
        return None
    some = [half[:MOST_TO_FIT] for half in halves]
    try:
        first, second = (metrics.temperature(rule.scale * scored(places), labels[places]) for places in some)
    except DataError:
        return None
    return first, second
