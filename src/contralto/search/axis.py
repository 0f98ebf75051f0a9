"""An axis between two texts, the order of pictures along it, and whether it tells them apart at all.

Any two texts span an axis, and some picture is always at its end. How far the pictures spread tells more: along an axis
that the model sees in them, they spread wider than along one between two unrelated nouns. Both axes are scaled to unit
length for this, because two texts of similar words are close together and so span a short axis.

The rule has no constant but 1. Measured with nano on the 1,000 photographs of Flickr8k's dev part
(`benchmarks/axis.py`): it takes 0.7% of the axes between words without a look ("odd", "Tuesday") for wide, and 93% of
those between two words of the captions that rank the pictures right (AUC above 0.8). In few pictures it is less
certain: 11% of the former are wide in 30 pictures, 20% in 10. A wide axis may still tell little: two texts that hardly
differ ("a dog", "the dog") can have a wide axis, because it is scaled to unit length.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from contralto.embeddings import Embeddings
from contralto.errors import ContraltoError
from contralto.search.encoder import Encoder
from contralto.search.query import cosines
from contralto.search.relevance import BACKGROUND_PICTURES, FEWEST, NOUNS, evenly_spread

SHORTEST = 1e-5  # two texts that are closer are the same text to the model


@dataclass(frozen=True, eq=False)
class Axis:
    """Unit embeddings (d,) of the text where the axis starts and of the text where it ends."""

    start: Embeddings
    end: Embeddings

    def scores(self, embeddings: Embeddings) -> NDArray[np.float64]:
        """(N,): the cosine of each unit embedding (N, d) with the end less that with the start."""
        return cosines(embeddings, self.end) - cosines(embeddings, self.start)

    def length(self) -> float:
        """Distance between the two embeddings, 0 to 2."""
        return float(np.linalg.norm(self.end.astype(np.float64) - self.start.astype(np.float64)))


def encode_axis(encoder: Encoder, start: str, end: str, *, overlong: str = "error") -> Axis:
    """The axis from `start` to `end`. overlong: as `Clip.encode_text` takes it.

    Raises ContraltoError if both texts have the same embedding, and the encoder's errors.
    """
    encoded = encoder.encode_text([start, end], overlong=overlong)
    axis = Axis(encoded[0], encoded[1])
    if axis.length() < SHORTEST:
        raise ContraltoError("the two texts of the axis have the same embedding: give two that differ")
    return axis


def relative_spread(encoder: Encoder, axis: Axis, embeddings: Embeddings) -> float | None:
    """The standard deviation of the pictures (N, d) along the axis, in that along a usual axis of two unrelated nouns.

    Both per unit of the axis's length; the usual one is the median of all pairs of NOUNS. At most 1: the model hardly
    sees in these pictures what the axis is about. None for fewer than 8 pictures, or if all are the same.
    """
    if len(embeddings) < FEWEST:
        return None
    pictures = embeddings[evenly_spread(len(embeddings), BACKGROUND_PICTURES)].astype(np.float64)
    centred = pictures - pictures.mean(axis=0)
    covariance = centred.T @ centred / len(pictures)
    nouns = encoder.encode_labels([*NOUNS], None).astype(np.float64)
    first, second = np.triu_indices(len(nouns), k=1)
    usual = float(np.median(_deviations(covariance, nouns[first] - nouns[second])))
    own = float(_deviations(covariance, (axis.end.astype(np.float64) - axis.start)[None])[0])
    return own / usual if usual > SHORTEST else None


def _deviations(covariance: NDArray[np.float64], axes: NDArray[np.float64]) -> NDArray[np.float64]:
    """(A,): the standard deviation along each axis (A, d), per unit of its length; 0 along an axis without length."""
    squares, variances = (axes**2).sum(axis=1), ((axes @ covariance) * axes).sum(axis=1)
    deviations: NDArray[np.float64] = np.sqrt(np.maximum(variances, 0) / np.where(squares > 0, squares, 1))
    return deviations
