"""Retrieval between pictures and texts, with several texts per picture.

The definition, with scores = images @ texts.T in float64, and own = the (best) score of the right pair:

    text to picture:  rank = (scores[:, text] >= own).sum() - 1
    picture to text:  rank = (scores[picture] >= own).sum() - (its own texts that score >= own)
    right at k:       rank < k

tests/metrics/test_retrieval.py computes the ranks plainly, by sorting; counting.py computes them in blocks.

Two definitions of recall at k are in use for a picture's own texts. "any" (Karpathy and Fei-Fei 2015; the CLIP paper,
section 3.1.4; CLIP_benchmark): a picture is right if any of its texts is among the k best. "share": the share of its
texts that are among the k best, averaged over the pictures. From text to picture they are the same.

A wrong item with the same score as the right one counts against the model, in any order.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from contralto import arguments, arrays
from contralto.errors import DataError
from contralto.metrics.accuracy import top_k
from contralto.metrics.counting import Distinct, PairProgress, count, exact
from contralto.metrics.undefined import UndefinedError

Matrix = NDArray[Any]
Integers = NDArray[np.int64]


class Recall(NamedTuple):
    """Recall at k in both directions, shares in 0..1."""

    image_to_text: float
    text_to_image: float


class Ranks(NamedTuple):
    """The number of items that rank before the right ones, each int64 and counted from 0.

    image_to_text (N,): wrong texts that score at least as high as the picture's best own text ("any"). text_to_image
    (M,): wrong pictures that score at least as high as the text's own picture. own_texts (M,): for each text, all other
    texts that rank before it for its picture, texts of the same picture too ("share"); of these, equal scores rank one
    after another.
    """

    image_to_text: Integers
    text_to_image: Integers
    own_texts: Integers


def recall(images: ArrayLike, texts: ArrayLike, owners: ArrayLike, k: int) -> Recall:
    """Recall at k in both directions; a picture is right if any of its texts is among the k best ("any").

    Arguments and errors as for `retrieval_ranks`; for several k take `top_k` of its ranks.
    """
    k = arguments.whole(k, "k")
    ranks = retrieval_ranks(images, texts, owners)
    return Recall(top_k(ranks.image_to_text, k), top_k(ranks.text_to_image, k))


def share_recall(own_texts: ArrayLike, owners: ArrayLike, k: int) -> float:
    """Recall at k from picture to text as the mean share of a picture's texts among the k best ("share").

    Arguments and errors as for `text_shares`.
    """
    return float(np.mean(text_shares(own_texts, owners, k)))


def text_shares(own_texts: ArrayLike, owners: ArrayLike, k: int) -> NDArray[np.float64]:
    """float64 (N,): for each picture, in rising order, the share of its texts among the k best.

    own_texts (M,): of `Ranks`. owners (M,): the picture of each text. Raises DataError unless M is the same in both and
    at least 1.
    """
    k, ranks, owner = arguments.whole(k, "k"), arrays.places(own_texts, "rank"), arrays.places(owners, "owner")
    if ranks.shape != owner.shape or not len(owner):
        raise DataError(f"own_texts {ranks.shape} and owners {owner.shape} disagree: both must be (M,), M > 0")
    _, picture = np.unique(owner, return_inverse=True)
    shares: NDArray[np.float64] = np.bincount(picture, weights=ranks < k) / np.bincount(picture)
    return shares


def median_rank(rank: ArrayLike) -> float:
    """Median rank of the right answer, counted from 1. rank (N,): as `Ranks` counts it, from 0; N > 0."""
    places = arrays.places(rank, "rank")
    if not places.size:
        raise UndefinedError("a median rank needs at least one item")
    return unchecked_median_rank(places)


def unchecked_median_rank(rank: Integers) -> float:
    """`median_rank` of valid ranks, quick enough for thousands of resamples."""
    return float(np.median(rank)) + 1


def retrieval_ranks(
    images: ArrayLike, texts: ArrayLike, owners: ArrayLike, *, progress: PairProgress | None = None
) -> Ranks:
    """Ranks in both directions by dot products of the rows, without normalisation.

    images (N, E), texts (M, E): finite; owners (M,): the picture of each text. The ranks are those of scores computed
    pair by pair in float64, ties included; memory beyond the inputs is bounded. progress: called with pairs scored,
    pairs in all. Raises DataError for shapes that disagree, an owner that is not a picture, a picture without a text,
    or a row that is not finite.
    """
    arguments.function(progress, "progress", "pairs scored, pairs in all")
    pictures, captions = arrays.numbers(images, "images", 2), arrays.numbers(texts, "texts", 2)
    owner = arrays.array(owners, "owners")
    _check(pictures, captions, owner)
    distinct_images, distinct_texts = Distinct(pictures, "images"), Distinct(captions, "texts")
    pairs = distinct_images.place[owner] * len(distinct_texts) + distinct_texts.place
    own_pairs, pair = np.unique(pairs, return_inverse=True)
    image, text = np.divmod(own_pairs, len(distinct_texts))
    counts = count(distinct_images, distinct_texts, image, text, progress)
    scores = exact(distinct_images.rows, distinct_texts.rows, owner, np.arange(len(owner)))
    order, first, place, at_least = _siblings(owner, scores)
    wrong = np.empty_like(place)
    wrong[order] = counts.texts[pair[order]] - at_least
    own_texts = np.empty_like(place)
    own_texts[order] = wrong[order] + place
    return Ranks(wrong[order[first]], counts.images[pair] - 1, own_texts)


def _siblings(owner: Integers, scores: NDArray[np.float64]) -> tuple[Integers, Integers, Integers, Integers]:
    """The texts ordered by picture, the best of each first, with counts of each picture's texts.

    Returns the order (M,); where each picture begins in it (N,); and for each text in that order how many texts of its
    picture come before it (M,), and how many, itself included, score at least as high (M,).
    """
    order = np.lexsort((-scores, owner))
    begins = np.flatnonzero(np.diff(owner[order], prepend=-1))
    begin = np.repeat(begins, np.diff(begins, append=len(order)))
    within = np.arange(len(order)) - begin
    changes = (np.diff(owner[order], prepend=-1) != 0) | (np.diff(scores[order], prepend=np.nan) != 0)
    starts = np.flatnonzero(changes)
    last = np.repeat(np.append(starts[1:], len(order)), np.diff(starts, append=len(order)))
    return order, begins, within, last - begin


def _check(images: Matrix, texts: Matrix, owners: Integers) -> None:
    if images.shape[1] != texts.shape[1] or not images.shape[1]:
        raise DataError(f"images {images.shape} and texts {texts.shape} disagree: (N, E) and (M, E) are needed")
    if owners.shape != texts.shape[:1] or not np.issubdtype(owners.dtype, np.integer):
        raise DataError(f"owners must be whole numbers ({len(texts)},), one for each text; they are {owners.shape}")
    if not len(images):
        raise UndefinedError("retrieval needs at least one picture")
    outside = np.flatnonzero((owners < 0) | (owners >= len(images)))
    if len(outside):
        text = outside[0]
        raise DataError(f"owners[{text}] is {owners[text]}, which is not one of the {len(images)} pictures")
    alone = np.flatnonzero(np.bincount(owners, minlength=len(images)) == 0)
    if len(alone):
        raise DataError(f"picture {alone[0]} has no text, so no answer could be right: leave it out")
