"""What is looked for, as one unit row, and the ranking of pictures by their cosine with it."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from contralto.errors import ContraltoError

Row = NDArray[np.float32]
BLOCK = 8192
DECIMALS = 9
AWAY = 0.5


class Encoder(Protocol):
    """What a query needs of `contralto.encoder.Clip`."""

    def encode_text(self, texts: Sequence[str], *, truncate: bool = False) -> Row: ...

    def encode_image(self, items: Sequence[str]) -> Row: ...


@dataclass(frozen=True, eq=False)
class Question:
    """Unit rows (d,) of what is wanted, a text, a picture or both, and (A, d) of what is not, A >= 0."""

    text: Row | None
    image: Row | None
    away: Row

    def row(self) -> Row:
        """The unit row (d,) that asks for it. Raises ContraltoError if text and picture cancel each other out."""
        text, image = (None if row is None else row[None] for row in (self.text, self.image))
        found: Row = self.rows(text, image)[0]
        if not found.any():
            raise ContraltoError("the text and the picture cancel each other out: ask for one of them")
        return found

    def rows(self, texts: Row | None, images: Row | None) -> Row:
        """(B, d): the same question with each of these texts and pictures (B, d) in the place of its own.

        Text and picture weigh the same: the sum of their unit rows, made unit. Half the mean direction of `away` is
        then subtracted. Half, because all texts share much of their direction: the whole of it would cancel that share
        and leave a row that ranks by the difference alone, so that a picture with neither comes before one with a
        little of both; with half, likeness to what is wanted stays the larger part. The mean, so that a list of
        exclusions weighs no more than one.
        """
        given = [rows.astype(np.float64) for rows in (texts, images) if rows is not None]
        wanted = _unit(np.sum(given, axis=0))
        if len(self.away):
            wanted = _unit(wanted - AWAY * _unit(self.away.astype(np.float64).mean(axis=0)))
        return wanted.astype(np.float32)


def question(
    encoder: Encoder, text: str | None, image: str | None = None, away: Sequence[str] = (), *, truncate: bool = False
) -> Question:
    """Asks for `text`, for pictures like `image`, or for both, and not for the texts `away`.

    truncate: an over-long text loses its end; else it is an error.
    Raises ContraltoError if neither `text` nor `image` is given, and what the encoder raises for them.
    """
    if text is None and image is None:
        raise ContraltoError("nothing to look for: give a text, a picture, or both")
    texts = [*away] if text is None else [text, *away]
    encode = functools.partial(encoder.encode_text, truncate=True) if truncate else encoder.encode_text
    rows = encode(texts) if texts else np.zeros((0, 1), np.float32)
    shown = None if image is None else encoder.encode_image([image])[0]
    return Question(None if text is None else rows[0], shown, rows[len(texts) - len(away) :])


def query(encoder: Encoder, text: str | None, image: str | None = None, away: Sequence[str] = ()) -> Row:
    """The unit row (d,) of a `question`; raises what that raises."""
    return question(encoder, text, image, away).row()


def cosines(rows: Row, wanted: Row) -> NDArray[np.float64]:
    """(N,): the cosine of each unit row (N, d) with what is wanted (d,).

    Products are summed in float64 and rounded to nine decimals, so that equal pictures are equal whatever rows stand
    beside them; by blocks, so that no second copy of all rows is made.
    """
    found = np.empty(len(rows), np.float64)
    for start in range(0, len(rows), BLOCK):
        found[start : start + BLOCK] = rows[start : start + BLOCK].astype(np.float64) @ wanted.astype(np.float64)
    return found.round(DECIMALS)


def best(cosines: NDArray[np.float64], top: int) -> list[tuple[int, float]]:
    """The `top` best (position, cosine), best first; of equal ones the first position comes first."""
    return [(int(i), float(cosines[i])) for i in np.argsort(-cosines, kind="stable")[:top]]


def rank(rows: Row, wanted: Row, top: int) -> list[tuple[int, float]]:
    """The `top` best (position, cosine) of `rows` (N, d) for `wanted` (d,), as `best` gives them."""
    return best(cosines(rows, wanted), top)


def _unit(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rows scaled to unit length; one that has none to speak of becomes zero."""
    length = np.linalg.norm(rows, axis=-1, keepdims=True)
    found: NDArray[np.float64] = np.where(length < 1e-6, 0, rows / np.where(length < 1e-6, 1, length))
    return found
