"""Counts the pictures and texts that score at least as high as a given pair: as exact as float64, as fast as float32.

Blocks of scores are computed in float32. A comparison is trusted if the scores differ by more than rounding can move
them; the others are computed again, pair by pair, by `exact`, which gives equal rows equal scores at any place. Rows
that occur several times are compared once and counted as often as they occur. Its plain twin is `plain` in
tests/metrics/test_retrieval.py.

Higham 2002, Accuracy and Stability of Numerical Algorithms, section 3.1: in any order of summation, the dot product of
E values is off by at most E u / (1 - E u) times the sum of the absolute products, which the lengths of the rows bound.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from contralto.errors import DataError

Matrix = NDArray[Any]
Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
PairProgress = Callable[[int, int], object]
"""Called with (pairs scored, pairs in all)."""

TEXTS_PER_BLOCK: Final = 8192
IMAGES_PER_BLOCK: Final = 1024  # the scores of a block take 32 MiB
IMAGES_PER_STRIPE: Final = 128  # images that are counted together: few enough for a byte
SCORES_COMPARED: Final = 2**20  # scores that are compared at once
VALUES_PER_STEP: Final = 2**20  # values of each matrix that `exact` gathers at once
PAIRS_PER_EXACT: Final = 64  # if more than one pair in 64 is exact, a float64 block is quicker than single pairs


class Counts(NamedTuple):
    """For each own pair (K,): texts that score at least as high for its image, and images for its text; itself
    included.
    """

    texts: Integers
    images: Integers


class Distinct:
    """A matrix (N, d) without repeated rows. place (N,): the distinct row of each row; copies: how often each occurs.

    Raises DataError for a row with NaN or infinity; `what` names the matrix in the error.
    """

    def __init__(self, rows: Matrix, what: str) -> None:
        seen: dict[bytes, int] = {}
        digests = (blake2b(row.tobytes(), digest_size=16).digest() for row in rows)
        self.place = np.fromiter((seen.setdefault(one, len(seen)) for one in digests), np.int64, len(rows))
        _, self.first, self.copies = np.unique(self.place, return_index=True, return_counts=True)
        self.rows = rows
        self.lengths = np.concatenate([_lengths(block) for _, block in self.blocks(TEXTS_PER_BLOCK)])
        infinite = np.flatnonzero(~np.isfinite(self.lengths))
        if len(infinite):
            raise DataError(
                f"row {self.first[infinite[0]]} of the {what} is not finite: no score can be computed of it"
            )

    def __len__(self) -> int:
        return len(self.first)

    def blocks(self, size: int) -> Iterator[tuple[slice, Matrix]]:
        """(places of the distinct rows, the rows) of each block."""
        for start in range(0, len(self), size):
            part = slice(start, min(start + size, len(self)))
            yield part, self.rows[self.first[part]]


def exact(images: Matrix, texts: Matrix, image: Integers, text: Integers) -> Floats:
    """float64 (K,): scores of pairs of rows, bit for bit `(a.astype(float64) * b.astype(float64)).sum()` each."""
    scores = np.empty(len(image), np.float64)
    step = max(1, VALUES_PER_STEP // images.shape[1])
    for start in range(0, len(image), step):
        part = slice(start, start + step)
        scores[part] = (images[image[part]].astype(np.float64) * texts[text[part]].astype(np.float64)).sum(axis=1)
    return scores


def count(images: Distinct, texts: Distinct, image: Integers, text: Integers, progress: PairProgress | None) -> Counts:
    """Counts for the own pairs, K different ones: distinct row image[k] with distinct row text[k].

    One pass over all blocks of scores serves both directions. progress: called with pairs scored and pairs in all.
    """
    own = exact(images.rows, texts.rows, images.first[image], texts.first[text])
    by_image, by_text = _Direction(image, own), _Direction(text, own)
    done, total = 0, len(images) * len(texts)
    for columns, text_rows in texts.blocks(TEXTS_PER_BLOCK):
        for rows, image_rows in images.blocks(IMAGES_PER_BLOCK):
            for lines, stripe in _stripes(rows, image_rows, text_rows, images.lengths, texts.lengths[columns].max()):
                by_image.count(stripe, lines, texts.copies[columns], transposed=False)
                by_text.count(stripe, columns, images.copies[lines], transposed=True)
            done += len(image_rows) * len(text_rows)
            if progress:
                progress(done, total)
    return Counts(by_image.counts, by_text.counts)


@dataclass(eq=False)
class _Stripe:
    """A few images with a block of texts: their rows, their float32 scores, and the largest error of these."""

    images: Matrix
    texts: Matrix
    scores: NDArray[np.float32]
    bound: float

    def not_below(self, image: Integers, text: Integers, own: Floats) -> NDArray[np.bool_]:
        """For pairs of the stripe, whether they score at least `own`, as `exact` computes it."""
        if len(image) * PAIRS_PER_EXACT < self.scores.size:
            return exact(self.images, self.texts, image, text) >= own
        fine, bound = self._fine
        apart = fine[image, text] - own
        answers: NDArray[np.bool_] = apart >= 0
        close = np.flatnonzero(~(np.abs(apart) > bound))
        answers[close] = exact(self.images, self.texts, image[close], text[close]) >= own[close]
        return answers

    @cached_property
    def _fine(self) -> tuple[Floats, float]:
        """The scores in float64, summed in any order, and their largest error."""
        longest = _lengths(self.images).max(), _lengths(self.texts).max()
        scores = self.images.astype(np.float64) @ self.texts.astype(np.float64).T
        return scores, _bound(np.float64, self.images.shape[1], *longest)


def _stripes(
    rows: slice, images: Matrix, texts: Matrix, image_lengths: Floats, longest_text: float
) -> Iterator[tuple[slice, _Stripe]]:
    """The scores of a block, a few images at a time, each with the places of its images among all."""
    with np.errstate(over="ignore", invalid="ignore"):  # the bound of such a stripe is infinite
        scores = images.astype(np.float32, copy=False) @ texts.astype(np.float32, copy=False).T
    for start in range(0, len(images), IMAGES_PER_STRIPE):
        part = slice(start, start + IMAGES_PER_STRIPE)
        lines = slice(rows.start + start, min(rows.start + start + IMAGES_PER_STRIPE, rows.stop))
        bound = _bound(np.float32, images.shape[1], image_lengths[lines].max(), longest_text)
        yield lines, _Stripe(images[part], texts, scores[part], bound)


class _Direction:
    """One direction: the own pairs in the order of their image (or text), their scores, and their counts so far."""

    def __init__(self, line: Integers, own: Floats) -> None:
        self._order = np.argsort(line, kind="stable")
        self._line, self._own = line[self._order], own[self._order]
        self.counts = np.zeros(len(line), np.int64)

    def count(self, stripe: _Stripe, lines: slice, copies: Integers, *, transposed: bool) -> None:
        """Adds the counts from a stripe to the own pairs whose image (transposed: text) is at `lines`.

        copies: how often each of the stripe's texts (transposed: images) occurs.
        """
        first, end = np.searchsorted(self._line, (lines.start, lines.stop))
        step = max(1, SCORES_COMPARED // len(copies))
        for start in range(first, end, step):
            part = slice(start, min(start + step, end))
            counts = _not_below(stripe, self._line[part] - lines.start, self._own[part], copies, transposed)
            self.counts[self._order[part]] += counts


def _not_below(stripe: _Stripe, line: Integers, own: Floats, copies: Integers, transposed: bool) -> Integers:
    """For each own score (L,), how many scores of its line of the stripe are at least as high, with their copies."""
    consecutive = np.array_equal(line, np.arange(line[0], line[0] + len(line)))
    taken = slice(line[0], line[0] + len(line)) if consecutive else line  # a slice is not copied
    scores = stripe.scores[:, taken].T if transposed else stripe.scores[taken]
    low, high = _float32(own - stripe.bound, -np.inf), _float32(own + stripe.bound, np.inf)
    above, below = scores > high[:, None], scores < low[:, None]
    sure = _counted(above)
    undecided = np.flatnonzero(sure + _counted(below) < scores.shape[1])
    repeated = np.flatnonzero(copies > 1)
    certain = sure + above[:, repeated] @ (copies[repeated] - 1)
    at, other = np.divmod(np.flatnonzero(~(above[undecided] | below[undecided])), scores.shape[1])
    at = undecided[at]
    image, text = (other, line[at]) if transposed else (line[at], other)
    more = stripe.not_below(image, text, own[at]) * copies[other]
    total: Integers = certain + np.bincount(at, weights=more, minlength=len(line)).astype(np.int64)
    return total


def _counted(mask: NDArray[np.bool_]) -> Integers:
    """The number of true values per row. A transposed mask has at most IMAGES_PER_STRIPE columns, so a byte holds
    it.
    """
    if mask.flags.c_contiguous:
        return np.array([np.count_nonzero(row) for row in mask], np.int64)
    counts: Integers = mask.T.view(np.uint8).sum(axis=0, dtype=np.uint8).astype(np.int64)
    return counts


def _float32(values: Floats, towards: float) -> NDArray[np.float32]:
    """The nearest float32 values in one direction: never on the other side of the given ones."""
    with np.errstate(over="ignore"):
        next_ones: NDArray[np.float32] = np.nextafter(values.astype(np.float32), np.float32(towards))
    return next_ones


def _lengths(rows: Matrix) -> Floats:
    """Lengths of the rows, float64 (N,), plus the largest sum that squares too small for float64 could add."""
    wide = rows.astype(np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        squares = np.einsum("ne,ne->n", wide, wide)
    lengths: Floats = np.sqrt(squares) + np.sqrt(rows.shape[1] * np.finfo(np.float64).tiny)
    return lengths


def _bound(kind: type[np.float32] | type[np.float64], values: int, image: float, text: float) -> float:
    """The largest difference between a score in this type and that of `exact`, for rows of at most these lengths.

    Both round each row to the type, each product and each sum. Below the smallest normal number an error is absolute
    instead, even if the processor flushes such numbers to zero.
    """
    info = np.finfo(kind)
    product = float(image) * float(text)
    if not max(product, image, text) < float(info.max) / 4:
        return np.inf
    rounding = (values + 2) * (float(info.eps) + float(np.finfo(np.float64).eps)) / 2
    relative = 1.01 * rounding / (1 - rounding) * product  # 1.01: the lengths are rounded as well
    return relative + 2 * values * (1 + float(image) + float(text)) * float(info.tiny)
