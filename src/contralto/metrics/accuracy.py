"""Classification: the rank of the right class, and the metrics that follow from it.

A wrong class with the same score as the right one counts against the model, in any order; so does a NaN score.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from contralto import arguments, arrays
from contralto.errors import DataError
from contralto.metrics.undefined import UndefinedError

Integers = NDArray[np.int64]


def ranks(scores: ArrayLike, labels: ArrayLike) -> Integers:
    """int64 (N,): for each item the number of wrong classes that score at least as high as its own class.

    scores (N, C): higher is better. labels (N,): class indices. An item is right at k if its rank is below k. Raises
    DataError if the shapes disagree or a label is not a class.
    """
    matrix, own = arrays.numbers(scores, "scores", 2), arrays.array(labels, "labels")
    if own.shape != matrix.shape[:1]:
        raise DataError(f"scores {matrix.shape} and labels {own.shape} disagree: (N, C) and (N,) are needed")
    own = arrays.classes(own, "label", matrix.shape[1])
    right = np.take_along_axis(matrix, own[:, None], axis=1)
    wrong: Integers = matrix.shape[1] - 1 - np.count_nonzero(matrix < right, axis=1)
    return wrong


def top_k(rank: ArrayLike, k: int) -> float:
    """Share of the items with a rank (`ranks`) below k; k >= 1. Raises UndefinedError without items."""
    k = arguments.whole(k, "k")
    return float(np.mean(_some(arrays.places(rank, "rank"), "top-k accuracy") < k))


def mean_top1_top5(rank: ArrayLike) -> float:
    """Mean of top-1 and top-5, the paper's figure for Kinetics700."""
    return (top_k(rank, 1) + top_k(rank, 5)) / 2


def mean_per_class(right: ArrayLike, labels: ArrayLike) -> float:
    """Mean of the accuracies of the classes in labels; each class counts once, whatever its number of items.

    right (N,) bool, labels (N,) class indices. Raises UndefinedError without items.
    """
    hits, own = _some(arrays.flags(right, "right"), "mean per class"), arrays.places(labels, "label")
    if hits.shape != own.shape:
        raise DataError(f"right {hits.shape} and labels {own.shape} disagree: each item needs one of both")
    _, place = np.unique(own, return_inverse=True)
    return float(np.mean(np.bincount(place, weights=hits) / np.bincount(place)))


def map11(scores: ArrayLike, relevant: ArrayLike, ignored: ArrayLike | None = None) -> float:
    """Mean over the classes of the 11-point interpolated average precision of Pascal VOC 2007.

    scores (N, C); relevant (N, C) bool: the classes in each picture; ignored (N, C) bool: pictures that a class leaves
    out ("difficult"). A class without a relevant picture has no average precision and is not counted. Raises DataError
    if the shapes disagree, UndefinedError if no class has a relevant picture.
    """
    matrix, shown = arrays.numbers(scores, "scores", 2).astype(np.float64), arrays.flags(relevant, "relevant", 2)
    left_out = np.zeros_like(shown) if ignored is None else arrays.flags(ignored, "ignored", 2)
    if not matrix.shape == shown.shape == left_out.shape:
        shapes = f"{matrix.shape}, {shown.shape} and {left_out.shape}"
        raise DataError(f"scores, relevant and ignored are {shapes}: all must be (N, C)")
    counted = shown & ~left_out
    classes = np.flatnonzero(counted.any(axis=0))
    if not len(classes):
        raise UndefinedError("average precision needs a relevant picture, and no class has one")
    return float(np.mean([_precision11(matrix[:, c], counted[:, c], ~left_out[:, c]) for c in classes]))


def _precision11(scores: NDArray[np.float64], relevant: NDArray[np.bool_], counted: NDArray[np.bool_]) -> float:
    """Mean over the recalls 0, 0.1 ... 1 of the best precision at that recall or a higher one."""
    shown = relevant[counted]
    hits = shown[np.lexsort((shown, -_nan_against(scores[counted], shown)))]  # among equals the wrong one goes first
    retrieved = np.cumsum(hits)
    precision = retrieved / np.arange(1, len(hits) + 1)
    best_from_here = np.maximum.accumulate(precision[::-1])[::-1]
    needed = -(-np.arange(11) * retrieved[-1] // 10)  # relevant pictures for a recall of t / 10, in whole numbers
    return float(np.mean(best_from_here[np.searchsorted(retrieved, needed)]))


def auc(scores: ArrayLike, positive: ArrayLike) -> float:
    """Area under the ROC curve: the share of pairs in which the positive item scores higher; a tie counts half.

    scores (N,), positive (N,) bool. Raises UndefinedError unless both kinds occur.
    """
    shown = arrays.flags(positive, "positive")
    values = arrays.numbers(scores, "scores").astype(np.float64)
    if values.shape != shown.shape:
        raise DataError(f"scores {values.shape} and positive {shown.shape} disagree: both must be (N,)")
    positives = np.count_nonzero(shown)
    if positives in (0, len(shown)):
        raise UndefinedError("the ROC area needs positive and negative items: one of the kinds is absent")
    distinct, place = np.unique(_nan_against(values, shown), return_inverse=True)
    above = np.bincount(place[shown], minlength=len(distinct))
    below = np.bincount(place[~shown], minlength=len(distinct))
    won = np.sum(above * (2 * np.cumsum(below) - below))  # twice the pairs won, so that halves stay whole
    return float(won / (2 * positives * (len(shown) - positives)))


def _nan_against(scores: NDArray[np.float64], relevant: NDArray[np.bool_]) -> NDArray[np.float64]:
    return np.where(np.isnan(scores), np.where(relevant, -np.inf, np.inf), scores)


def _some(values: NDArray[Any], what: str) -> NDArray[Any]:
    if not values.size:
        raise UndefinedError(f"{what} needs at least one item")
    return values
