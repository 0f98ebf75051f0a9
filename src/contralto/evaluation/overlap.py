"""How much of an evaluation set a model may have seen in training, and what that did to its accuracy.

Radford et al. 2021, section 5: near-duplicates are found by a detector, a threshold is set by hand for each set, and
the accuracy on what overlaps is compared with that on what does not. Their detector is a network trained for this; here
the model's own rows name the candidates, and pixels decide (`alignment.py`).
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
from contralto.evaluation.alignment import Grey, alike, thumbnail
from contralto.metrics import clopper_pearson
from contralto.sets.data_set import Item

THRESHOLD: Final = 0.8
"""On the side of what is surely a copy: distinct neighbours in Flickr8k's training split reach 0.41 (see
benchmarks/overlap.py). Where things of one make are photographed alike, as in a shop, even this takes some for copies:
look at the pairs, and set another."""
CANDIDATES: Final = 30
LEAST_COSINE: Final = 0.2
KEPT: Final = 20_000  # thumbnails of training pictures, 16 kB each, as neighbours of many items are the same ones
AT_ONCE: Final = 1024  # evaluation rows
LEVEL: Final = 0.995


class Pair(NamedTuple):
    """An evaluation item, the training item most like it, the cosine of their rows, and how alike their pixels are."""

    item: int
    training: int
    cosine: float
    score: float


@dataclass(frozen=True, eq=False)
class Overlap:
    """The most similar training item of each evaluation item that has any candidate, most alike first: to be looked at
    side by side around the threshold. items: how many were evaluated. failures: key -> why it could not be compared."""

    pairs: tuple[Pair, ...]
    items: int
    failures: dict[str, str]

    def overlapping(self, threshold: float = THRESHOLD) -> NDArray[np.bool_]:
        """Which evaluation items (N,) have a near-duplicate."""
        found = np.zeros(self.items, bool)
        found[[pair.item for pair in self.pairs if pair.score >= threshold]] = True
        return found


@dataclass(frozen=True)
class Share:
    """Accuracy over n items with its 99.5% Clopper-Pearson interval; None where n is 0."""

    n: int
    accuracy: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Statistics:
    """The paper's comparison. share: of the items that overlap. difference: accuracy on all less that on the clean
    ones, which is what the overlap may have added to the figure. p: how likely at least so many of the overlapping
    items are right if they are as hard as the clean ones (binomial, one-sided); adjusted_p: times the number of sets
    (Bonferroni). None where either part is empty."""

    all: Share
    clean: Share
    overlap: Share
    share: float
    difference: float | None
    p: float | None
    adjusted_p: float | None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def overlap(
    items: Sequence[Item],
    rows: Embeddings,
    training: Sequence[Item],
    training_rows: Embeddings,
    *,
    candidates: int = CANDIDATES,
    least_cosine: float = LEAST_COSINE,
    progress: Callable[[str, int, int], object] | None = None,
) -> Overlap:
    """Compares each of N items with the training items whose rows are nearest.

    rows (N, d), training_rows (M, d): unit rows of the same model; the latter may be a memory-mapped file, of float16
    too. candidates: of an item, how many are compared by pixels; least_cosine: those below are not. Grows with N and
    with the thumbnails that are kept, 320 MB at the most, not with M. Raises DataError if rows and items do not agree.
    """
    if (len(items), len(training)) != (len(rows), len(training_rows)):
        raise DataError(
            f"overlap needs a row an item: {len(rows)} rows of {len(items)} items, "
            f"{len(training_rows)} rows of {len(training)} training items"
        )
    failures: dict[str, str] = {}

    def opened(item: Item) -> Grey | None:
        try:
            return thumbnail(item.encoder_input(), item.key)
        except ItemError as error:
            failures[item.key] = error.reason
            return None

    of_training = lru_cache(KEPT)(lambda place: opened(training[place]))

    def compared(i: int, own: Grey, place: int, cosine: float) -> Pair:
        other = of_training(place)
        return Pair(i, place, cosine, 0.0 if other is None else alike(own, other))

    found = []
    for i, (places, cosines) in enumerate(zip(*nearest(rows, training_rows, candidates), strict=True)):
        near = cosines >= least_cosine
        if near.any() and (own := opened(items[i])) is not None:
            pairs = zip(places[near].tolist(), cosines[near].tolist(), strict=True)
            found.append(max((compared(i, own, *pair) for pair in pairs), key=lambda pair: pair.score))
        if progress is not None:
            progress("comparing pixels", i + 1, len(items))
    found.sort(key=lambda pair: (-pair.score, -pair.cosine, pair.item))
    return Overlap(tuple(found), len(items), failures)


def nearest(rows: Embeddings, others: Embeddings, most: int) -> tuple[NDArray[np.int64], Embeddings]:
    """The places in others (M, d) of the `most` rows nearest to each of rows (N, d), and their cosines, nearest first.

    Both (N, min(most, M)). Some rows by some rows at a time, so that memory grows with N alone.
    """
    most = min(most, len(others))
    places, cosines = np.empty((len(rows), most), np.int64), np.empty((len(rows), most), np.float32)
    for first in range(0, len(rows), AT_ONCE):
        some = slice(first, first + AT_ONCE)
        best, known = np.empty((len(rows[some]), 0), np.int64), np.empty((len(rows[some]), 0), np.float32)
        for start in range(0, len(others), step := at_once(AT_ONCE)):
            cosine = rows[some] @ np.asarray(others[start : start + step], np.float32).T
            kept = _largest(cosine, most)
            best = np.hstack([best, kept + start])
            known = np.hstack([known, np.take_along_axis(cosine, kept, 1)])
            kept = _largest(known, most)
            best, known = np.take_along_axis(best, kept, 1), np.take_along_axis(known, kept, 1)
        order = np.lexsort((best, -known))
        places[some], cosines[some] = np.take_along_axis(best, order, 1), np.take_along_axis(known, order, 1)
    return places, cosines


def _largest(values: Embeddings, most: int) -> NDArray[np.int64]:
    """Places of the `most` largest of each row, in any order; of all if there are no more."""
    if values.shape[1] <= most:
        return np.broadcast_to(np.arange(values.shape[1]), values.shape)
    return np.argpartition(-values, most - 1, axis=1)[:, :most]


def statistics(right: NDArray[np.bool_], overlapping: NDArray[np.bool_], *, sets: int = 1) -> Statistics:
    """What overlap did to an accuracy. right, overlapping (N,); sets: how many sets are tested together.

    Needs the extra `evaluate`. Raises DataError if there is no item, or if the two are of unequal length.
    """
    if right.shape != overlapping.shape or not len(right):
        raise DataError(f"overlap statistics need the same items: {right.shape} and {overlapping.shape} were given")
    whole, clean, seen = (_share(right[chosen]) for chosen in (slice(None), ~overlapping, overlapping))
    difference = p = None
    if whole.accuracy is not None and clean.accuracy is not None and seen.n:
        difference = whole.accuracy - clean.accuracy
        p = _at_least(int(right[overlapping].sum()), seen.n, clean.accuracy)
    adjusted = None if p is None else min(1.0, p * sets)
    return Statistics(whole, clean, seen, float(overlapping.mean()), difference, p, adjusted)


def _share(right: NDArray[np.bool_]) -> Share:
    if not len(right):
        return Share(0, None, None, None)
    low, high = clopper_pearson(int(right.sum()), len(right), LEVEL)
    return Share(len(right), float(right.mean()), low, high)


def _at_least(successes: int, n: int, p: float) -> float:
    """P(X >= successes) of a binomial (n, p)."""
    from scipy.special import betainc  # there, as the intervals have needed it before

    return float(betainc(successes, n - successes + 1, p)) if successes else 1.0
