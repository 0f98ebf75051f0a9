"""How many pictures and texts score at least as high as a given pair: exact as in float64, fast as in float32.

Scores of blocks are computed in float32. They are trusted where they lie further from what they are compared with than
rounding can have moved them; the others are computed again, pair by pair, by `exact`, which gives equal rows equal
scores wherever they stand. Rows that occur several times are compared once and counted as often as they occur.

Higham 2002, Accuracy and Stability of Numerical Algorithms, section 3.1: in any order of summation, the dot product of
E values is off by at most E u / (1 - E u) times the sum of the products' sizes, which the lengths of the rows bound.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from contralto.errors import DataError

Rows = NDArray[Any]
Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Progress = Callable[[int, int], object]

TEXTS, IMAGES = 8192, 1024  # rows of a block: its scores take 32 MiB
STRIPE = 128  # images that are counted together: few enough for a byte
COMPARED = 2**20  # scores that are compared at once
VALUES = 2**20  # values of each side that `exact` has in hand
DENSE = 64  # from one pair in so many on, a block in float64 is quicker than single pairs


class Counts(NamedTuple):
    """For each own pair (K,): texts that score not below it for its image, images that do for its text; itself too."""

    texts: Integers
    images: Integers


class Distinct:
    """Rows (N, E) without their repetitions: `place` (N,) says which distinct row each is, `copies` how often it is.

    Raises DataError for a row that holds NaN or infinity; `what` is what it calls the rows.
    """

    def __init__(self, rows: Rows, what: str) -> None:
        seen: dict[bytes, int] = {}
        digests = (blake2b(row.tobytes(), digest_size=16).digest() for row in rows)
        self.place = np.fromiter((seen.setdefault(one, len(seen)) for one in digests), np.int64, len(rows))
        _, self.first, self.copies = np.unique(self.place, return_index=True, return_counts=True)
        self.rows = rows
        self.lengths = np.concatenate([_lengths(block) for _, block in self.blocks(TEXTS)])
        endless = np.flatnonzero(~np.isfinite(self.lengths))
        if len(endless):
            raise DataError(f"row {self.first[endless[0]]} of the {what} is not finite: no score can be computed of it")

    def __len__(self) -> int:
        return len(self.first)

    def blocks(self, size: int) -> Iterator[tuple[slice, Rows]]:
        for start in range(0, len(self), size):
            part = slice(start, min(start + size, len(self)))
            yield part, self.rows[self.first[part]]


def exact(images: Rows, texts: Rows, image: Integers, text: Integers) -> Floats:
    """float64 (K,): the scores of pairs of rows, each `(a.astype(float64) * b.astype(float64)).sum()` to the bit."""
    scores = np.empty(len(image), np.float64)
    step = max(1, VALUES // images.shape[1])
    for start in range(0, len(image), step):
        part = slice(start, start + step)
        scores[part] = (images[image[part]].astype(np.float64) * texts[text[part]].astype(np.float64)).sum(axis=1)
    return scores


def count(images: Distinct, texts: Distinct, image: Integers, text: Integers, progress: Progress | None) -> Counts:
    """Counts of the own pairs, K different ones: distinct row image[k] with distinct row text[k].

    One pass over all blocks of scores serves both directions. progress: called with pairs scored and pairs in all.
    """
    own = exact(images.rows, texts.rows, images.first[image], texts.first[text])
    by_image, by_text = _Side(image, own), _Side(text, own)
    done, total = 0, len(images) * len(texts)
    for columns, text_rows in texts.blocks(TEXTS):
        for rows, image_rows in images.blocks(IMAGES):
            for lines, stripe in _stripes(rows, image_rows, text_rows, images.lengths, texts.lengths[columns].max()):
                by_image.count(stripe, lines, texts.copies[columns], transposed=False)
                by_text.count(stripe, columns, images.copies[lines], transposed=True)
            done += len(image_rows) * len(text_rows)
            if progress:
                progress(done, total)
    return Counts(by_image.counts, by_text.counts)


@dataclass(eq=False)
class _Stripe:
    """A few images with a block of texts: rows, their float32 scores, and how far those may be off."""

    images: Rows
    texts: Rows
    scores: NDArray[np.float32]
    bound: float

    def not_below(self, image: Integers, text: Integers, own: Floats) -> NDArray[np.bool_]:
        """For pairs of its rows, whether they score at least `own`, as `exact` has it."""
        if len(image) * DENSE < self.scores.size:
            return exact(self.images, self.texts, image, text) >= own
        fine, bound = self._fine
        apart = fine[image, text] - own
        answers: NDArray[np.bool_] = apart >= 0
        close = np.flatnonzero(~(np.abs(apart) > bound))
        answers[close] = exact(self.images, self.texts, image[close], text[close]) >= own[close]
        return answers

    @cached_property
    def _fine(self) -> tuple[Floats, float]:
        """The scores in float64, summed in any order; and how far they may be off."""
        longest = _lengths(self.images).max(), _lengths(self.texts).max()
        scores = self.images.astype(np.float64) @ self.texts.astype(np.float64).T
        return scores, _bound(np.float64, self.images.shape[1], *longest)


def _stripes(
    rows: slice, images: Rows, texts: Rows, image_lengths: Floats, longest_text: float
) -> Iterator[tuple[slice, _Stripe]]:
    """The scores of a block, a few images at a time; each with the places of its images among all."""
    with np.errstate(over="ignore", invalid="ignore"):  # the bound of such a stripe is endless
        scores = images.astype(np.float32, copy=False) @ texts.astype(np.float32, copy=False).T
    for start in range(0, len(images), STRIPE):
        part = slice(start, start + STRIPE)
        lines = slice(rows.start + start, min(rows.start + start + STRIPE, rows.stop))
        bound = _bound(np.float32, images.shape[1], image_lengths[lines].max(), longest_text)
        yield lines, _Stripe(images[part], texts, scores[part], bound)


class _Side:
    """One direction: the own pairs in the order of their image (or text), their scores, and their counts so far."""

    def __init__(self, line: Integers, own: Floats) -> None:
        self._order = np.argsort(line, kind="stable")
        self._line, self._own = line[self._order], own[self._order]
        self.counts = np.zeros(len(line), np.int64)

    def count(self, stripe: _Stripe, lines: slice, copies: Integers, *, transposed: bool) -> None:
        """Adds what the stripe tells of the own pairs whose image (transposed: text) is at `lines`.

        copies: how often each of the stripe's texts (transposed: images) occurs.
        """
        first, end = np.searchsorted(self._line, (lines.start, lines.stop))
        step = max(1, COMPARED // len(copies))
        for start in range(first, end, step):
            part = slice(start, min(start + step, end))
            found = _not_below(stripe, self._line[part] - lines.start, self._own[part], copies, transposed)
            self.counts[self._order[part]] += found


def _not_below(stripe: _Stripe, line: Integers, own: Floats, copies: Integers, transposed: bool) -> Integers:
    """For each own score (L,), how many of a line of the stripe's scores are not below it, with their copies."""
    consecutive = np.array_equal(line, np.arange(line[0], line[0] + len(line)))
    taken = slice(line[0], line[0] + len(line)) if consecutive else line  # a slice is not copied
    scores = stripe.scores[:, taken].T if transposed else stripe.scores[taken]
    low, high = _float32(own - stripe.bound, -np.inf), _float32(own + stripe.bound, np.inf)
    above, below = scores > high[:, None], scores < low[:, None]
    sure = _counted(above)
    undecided = np.flatnonzero(sure + _counted(below) < scores.shape[1])
    repeated = np.flatnonzero(copies > 1)
    found = sure + above[:, repeated] @ (copies[repeated] - 1)
    at, other = np.divmod(np.flatnonzero(~(above[undecided] | below[undecided])), scores.shape[1])
    at = undecided[at]
    image, text = (other, line[at]) if transposed else (line[at], other)
    more = stripe.not_below(image, text, own[at]) * copies[other]
    added: Integers = found + np.bincount(at, weights=more, minlength=len(line)).astype(np.int64)
    return added


def _counted(mask: NDArray[np.bool_]) -> Integers:
    """How many of each row are true; a transposed mask has at most STRIPE columns, whose sum a byte holds."""
    if mask.flags.c_contiguous:
        return np.array([np.count_nonzero(row) for row in mask], np.int64)
    counts: Integers = mask.T.view(np.uint8).sum(axis=0, dtype=np.uint8).astype(np.int64)
    return counts


def _float32(values: Floats, towards: float) -> NDArray[np.float32]:
    """The float32 values next to these in a direction: never on the other side of them."""
    with np.errstate(over="ignore"):
        next_ones: NDArray[np.float32] = np.nextafter(values.astype(np.float32), np.float32(towards))
    return next_ones


def _lengths(rows: Rows) -> Floats:
    """float64 (N,), and what squares that are too small for float64 could add."""
    wide = rows.astype(np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        squares = np.einsum("ne,ne->n", wide, wide)
    lengths: Floats = np.sqrt(squares) + np.sqrt(rows.shape[1] * np.finfo(np.float64).tiny)
    return lengths


def _bound(kind: type[np.float32] | type[np.float64], values: int, image: float, text: float) -> float:
    """How far apart a score computed in this type and that of `exact` can be, for rows of at most these lengths.

    Rounding: of either row to the type, of each product and of each sum, in both. Below the smallest normal number an
    error is absolute instead, even where the processor takes such numbers for zero.
    """
    info = np.finfo(kind)
    product = float(image) * float(text)
    if not max(product, image, text) < float(info.max) / 4:
        return np.inf
    rounding = (values + 2) * (float(info.eps) + float(np.finfo(np.float64).eps)) / 2
    relative = 1.01 * rounding / (1 - rounding) * product  # 1.01: the lengths are rounded as well
    return relative + 2 * values * (1 + float(image) + float(text)) * float(info.tiny)
