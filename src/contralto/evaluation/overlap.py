"""The share of an evaluation set that a model may have seen in training, and its effect on the accuracy.

Radford et al. 2021, section 5: a detector finds near-duplicates, people set a threshold for each data set, and the
accuracy on overlapping items is compared with that on the others. Their detector is a network trained for this task.
Here the model's own embeddings select candidates, and pixels decide (`alignment.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from contralto.embeddings import Embeddings, at_once
from contralto.errors import DataError, ItemError
from contralto.evaluation.alignment import Grey, similarity, thumbnail
from contralto.metrics import clopper_pearson
from contralto.sets.data_set import Item

THRESHOLD: Final = 0.8
"""A score that only clear copies reach: distinct neighbours in Flickr8k's training split reach 0.41 (see
benchmarks/overlap.py). But pictures of similar objects in one style, as in a shop, can exceed it: look at the pairs,
and set another threshold."""
OVERLAP_CANDIDATES: Final = 30
CANDIDATE_MIN_COSINE: Final = 0.2
THUMBNAIL_CACHE: Final = 20_000  # thumbnails of training pictures, 16 kB each, as many items share neighbours
ITEM_BLOCK: Final = 1024  # evaluation items compared at once
OVERLAP_LEVEL: Final = 0.995


class DuplicatePair(NamedTuple):
    """An evaluation item, the training item most similar to it, their cosine, and the similarity of their pixels."""

    item: int
    training: int
    cosine: float
    score: float


@dataclass(frozen=True, eq=False)
class Overlap:
    """The most similar training item of each evaluation item with any candidate, most similar first.

    People judge a threshold by the pairs around it. items: number of evaluation items. failures: key -> why an item
    could not be compared.
    """

    pairs: tuple[DuplicatePair, ...]
    items: int
    failures: dict[str, str]

    def overlapping(self, threshold: float = THRESHOLD) -> NDArray[np.bool_]:
        """Which evaluation items (N,) have a near-duplicate."""
        duplicates = np.zeros(self.items, bool)
        duplicates[[pair.item for pair in self.pairs if pair.score >= threshold]] = True
        return duplicates


@dataclass(frozen=True)
class PartAccuracy:
    """Accuracy over n items with its 99.5% Clopper-Pearson interval; None if n is 0."""

    n: int
    accuracy: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class OverlapStatistics:
    """The paper's comparison.

    share: the share of the items that overlap. difference: accuracy on all items minus accuracy on the clean ones, the
    possible gain through the overlap. p: probability of at least as many right answers among the overlapping items if
    these are as hard as the clean ones (binomial, one-sided); adjusted_p: p times the number of data sets (Bonferroni).
    difference and both p are None if either part is empty.
    """

    all: PartAccuracy
    clean: PartAccuracy
    overlap: PartAccuracy
    share: float
    difference: float | None
    p: float | None
    adjusted_p: float | None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def find_overlap(
    items: Sequence[Item],
    embeddings: Embeddings,
    training: Sequence[Item],
    training_embeddings: Embeddings,
    *,
    candidates: int = OVERLAP_CANDIDATES,
    min_cosine: float = CANDIDATE_MIN_COSINE,
    progress: Callable[[str, int, int], object] | None = None,
) -> Overlap:
    """Compares each of N items with the training items whose embeddings are nearest.

    embeddings (N, d), training_embeddings (M, d): embeddings of the same model; the second array may be a memory-mapped
    file, also in float16. candidates: the number of training items per item that are compared by pixels; those below
    min_cosine are not. Memory grows with N, plus at most 320 MB of cached thumbnails, not with M. Raises DataError if
    embeddings and items disagree.
    """
    if (len(items), len(training)) != (len(embeddings), len(training_embeddings)):
        raise DataError(
            f"overlap needs an embedding per item: {len(embeddings)} embeddings of {len(items)} items, "
            f"{len(training_embeddings)} embeddings of {len(training)} training items"
        )
    failures: dict[str, str] = {}

    def opened(item: Item) -> Grey | None:
        try:
            return thumbnail(item.encoder_input(), item.key)
        except ItemError as error:
            failures[item.key] = error.reason
            return None

    of_training = lru_cache(THUMBNAIL_CACHE)(lambda place: opened(training[place]))

    def compared(i: int, own: Grey, place: int, cosine: float) -> DuplicatePair:
        other = of_training(place)
        return DuplicatePair(i, place, cosine, 0.0 if other is None else similarity(own, other))

    pairs = []
    for i, (places, cosines) in enumerate(zip(*nearest(embeddings, training_embeddings, candidates), strict=True)):
        near = cosines >= min_cosine
        if near.any() and (own := opened(items[i])) is not None:
            others = zip(places[near].tolist(), cosines[near].tolist(), strict=True)
            pairs.append(max((compared(i, own, *other) for other in others), key=lambda pair: pair.score))
        if progress is not None:
            progress("comparing pixels", i + 1, len(items))
    pairs.sort(key=lambda pair: (-pair.score, -pair.cosine, pair.item))
    return Overlap(tuple(pairs), len(items), failures)


def nearest(embeddings: Embeddings, others: Embeddings, count: int) -> tuple[NDArray[np.int64], Embeddings]:
    """The places in others (M, d) of the `count` vectors nearest to each of embeddings (N, d), nearest first, and their
    cosines.

    Both (N, min(count, M)). Both inputs are read in blocks, so memory grows with N alone.
    """
    count = min(count, len(others))
    places, cosines = np.empty((len(embeddings), count), np.int64), np.empty((len(embeddings), count), np.float32)
    for first in range(0, len(embeddings), ITEM_BLOCK):
        some = slice(first, first + ITEM_BLOCK)
        best, known = np.empty((len(embeddings[some]), 0), np.int64), np.empty((len(embeddings[some]), 0), np.float32)
        for start in range(0, len(others), step := at_once(ITEM_BLOCK)):
            cosine = embeddings[some] @ np.asarray(others[start : start + step], np.float32).T
            best_here = _largest(cosine, count)
            best = np.hstack([best, best_here + start])
            known = np.hstack([known, np.take_along_axis(cosine, best_here, 1)])
            best_of_all = _largest(known, count)
            best, known = np.take_along_axis(best, best_of_all, 1), np.take_along_axis(known, best_of_all, 1)
        order = np.lexsort((best, -known))
        places[some], cosines[some] = np.take_along_axis(best, order, 1), np.take_along_axis(known, order, 1)
    return places, cosines


def _largest(values: Embeddings, count: int) -> NDArray[np.int64]:
    """Places of the `count` largest values of each row, in any order; of all values if there are no more."""
    if values.shape[1] <= count:
        return np.broadcast_to(np.arange(values.shape[1]), values.shape)
    return np.argpartition(-values, count - 1, axis=1)[:, :count]


def overlap_statistics(right: NDArray[np.bool_], overlapping: NDArray[np.bool_], *, sets: int = 1) -> OverlapStatistics:
    """The effect of overlap on an accuracy. right, overlapping (N,); sets: how many data sets are tested together.

    Needs the extra `evaluate`. Raises DataError if there is no item, or if the two arrays differ in length.
    """
    if right.shape != overlapping.shape or not len(right):
        raise DataError(f"overlap statistics need the same items: {right.shape} and {overlapping.shape} were given")
    whole, clean, seen = (_part_accuracy(right[chosen]) for chosen in (slice(None), ~overlapping, overlapping))
    difference = p = None
    if whole.accuracy is not None and clean.accuracy is not None and seen.n:
        difference = whole.accuracy - clean.accuracy
        p = _at_least(int(right[overlapping].sum()), seen.n, clean.accuracy)
    adjusted = None if p is None else min(1.0, p * sets)
    return OverlapStatistics(whole, clean, seen, float(overlapping.mean()), difference, p, adjusted)


def _part_accuracy(right: NDArray[np.bool_]) -> PartAccuracy:
    if not len(right):
        return PartAccuracy(0, None, None, None)
    low, high = clopper_pearson(int(right.sum()), len(right), OVERLAP_LEVEL)
    return PartAccuracy(len(right), float(right.mean()), low, high)


def _at_least(successes: int, n: int, p: float) -> float:
    """P(X >= successes) of a binomial (n, p)."""
    from scipy.special import betainc  # installed, as the intervals have used it already

    return float(betainc(successes, n - successes + 1, p)) if successes else 1.0
