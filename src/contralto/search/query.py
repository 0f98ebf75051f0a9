"""What is looked for, as one unit row, and the ranking of pictures by their cosine with it."""

from __future__ import annotations

from collections.abc import Sequence
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


def query(encoder: Encoder, text: str | None, image: str | None = None, away: Sequence[str] = ()) -> Row:
    """The unit row (d,) that asks for `text`, for pictures like `image`, or for both, and not for the texts `away`.

    Text and picture weigh the same: the sum of their unit rows, made unit. Half the mean direction of `away` is then
    subtracted. Half, because all texts share much of their direction: the whole of it would cancel that share and
    leave a row that ranks by the difference alone, so that a picture with neither comes before one with a little of
    both; with half, likeness to what is wanted stays the larger part. The mean, so that a list of exclusions weighs no
    more than one.

    Raises ContraltoError if neither `text` nor `image` is given, and what the encoder raises for them.
    """
    if text is None and image is None:
        raise ContraltoError("nothing to look for: give a text, a picture, or both")
    wanted = np.zeros((), np.float64)
    texts = [text, *away] if text is not None else list(away)
    rows = encoder.encode_text(texts).astype(np.float64) if texts else np.zeros((0, 1))
    if text is not None:
        wanted = wanted + rows[0]
    if image is not None:
        wanted = wanted + encoder.encode_image([image])[0].astype(np.float64)
    wanted = _unit(wanted)
    if away:
        wanted = _unit(wanted - AWAY * _unit(rows[-len(away) :].mean(axis=0)))
    return wanted.astype(np.float32)


def rank(rows: Row, wanted: Row, top: int) -> list[tuple[int, float]]:
    """The `top` best (position, cosine) of `rows` (N, d), best first; of equal ones the first position comes first.

    Products are summed in float64 and rounded to nine decimals, so that equal pictures are equal whatever rows stand
    beside them; by blocks, so that no second copy of all rows is made.
    """
    cosines = np.empty(len(rows), np.float64)
    for start in range(0, len(rows), BLOCK):
        cosines[start : start + BLOCK] = rows[start : start + BLOCK].astype(np.float64) @ wanted.astype(np.float64)
    cosines = cosines.round(DECIMALS)
    best = np.argsort(-cosines, kind="stable")[:top]
    return [(int(i), float(cosines[i])) for i in best]


def _unit(row: NDArray[np.float64]) -> NDArray[np.float64]:
    length = float(np.linalg.norm(row))
    if length < 1e-6:
        raise ContraltoError("the text and the picture cancel each other out: ask for one of them")
    return row / length
