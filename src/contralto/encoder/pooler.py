"""A learned pooler: attention with one query over the parts of a long text, in NumPy.

A part's weight is its content tokens times exp(query . row + place . (p / (P - 1), 1 / (1 + p)) + length log(tokens)),
where row is its unit embedding and p its place among P parts; the text's embedding is the weighted sum of the rows,
made unit. With all parameters zero it is `pool_sentences` of `encoder/overlong.py`, so training starts there. It can
learn which parts say nothing about a picture, and keeps each row as the towers made it.

`encoder/pooler_training.py` fits it. Its tensors are `pooler.query` (d,), `pooler.place` (2,), `pooler.length` ().
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from contralto.embeddings import Embeddings, unit
from contralto.errors import WeightsError

QUERY: Final = "pooler.query"
PLACE: Final = "pooler.place"
LENGTH: Final = "pooler.length"

Floats = NDArray[np.float64]


class PartFeatures(NamedTuple):
    """Facts about the parts of a text, float64: places (P, 2) and lengths (P,), the logarithms of their tokens.

    A part without content tokens has length -inf, so its weight is 0.
    """

    places: Floats
    lengths: Floats


class LearnedPooler:
    """A pooler with fixed parameters; `Clip` takes it as `pooler`. Safe to share between threads."""

    def __init__(self, tensors: Mapping[str, ArrayLike]) -> None:
        """tensors: those of the module's docstring, finite. Raises WeightsError for other names, shapes or values."""
        given = {name: np.asarray(tensor, np.float64) for name, tensor in tensors.items()}
        shapes = {name: array.shape for name, array in given.items()}
        if {*shapes} != {QUERY, PLACE, LENGTH} or (len(shapes[QUERY]), shapes[PLACE], shapes[LENGTH]) != (1, (2,), ()):
            raise WeightsError(f"a pooler has {QUERY} (d,), {PLACE} (2,) and {LENGTH} (), got {shapes}")
        if not all(np.isfinite(array).all() for array in given.values()):
            raise WeightsError("a pooler's tensors must be finite")
        self._query, self._place, self._length = given[QUERY], given[PLACE], float(given[LENGTH])

    def __call__(self, rows: Embeddings, tokens: NDArray[np.int64], /) -> Embeddings:
        """Unit rows (P, d) with content tokens (P,), in the order of the text -> a unit embedding (d,)."""
        wide, features = rows.astype(np.float64), part_features(tokens)
        known = np.isfinite(features.lengths)
        if not known.any():
            return unit(wide.sum(axis=0))
        lengths = np.where(known, features.lengths, 0)
        logits = wide @ self._query + features.places @ self._place + (1 + self._length) * lengths
        weights = np.where(known, np.exp(logits - logits[known].max()), 0)
        return unit(weights @ wide)


def part_features(tokens: NDArray[np.int64]) -> PartFeatures:
    """The features of the parts of one text with these content tokens (P,)."""
    order = np.arange(len(tokens))
    places = np.stack([order / max(len(tokens) - 1, 1), 1 / (1 + order)], axis=1)
    with np.errstate(divide="ignore"):
        return PartFeatures(places, np.log(tokens.astype(np.float64)))
