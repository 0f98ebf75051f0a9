"""The query as one unit embedding, and the ranking of pictures by their cosine with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from contralto.embeddings import Embeddings
from contralto.errors import ContraltoError
from contralto.search.encoder import Encoder

BLOCK = 8192  # embeddings that are compared at once
DECIMALS = 9  # of a cosine
AWAY_WEIGHT = 0.5  # of the excluded texts' direction
SHORTEST = 1e-6  # a vector that is shorter has no direction


@dataclass(frozen=True, eq=False)
class Query:
    """Unit embeddings: (d,) of the wanted text, picture or both, and (A, d) of the excluded texts, A >= 0."""

    text: Embeddings | None
    image: Embeddings | None
    away: Embeddings

    def embedding(self) -> Embeddings:
        """The unit embedding (d,) of the query. Raises ContraltoError if text and picture cancel each other out."""
        text, image = (None if vector is None else vector[None] for vector in (self.text, self.image))
        combined: Embeddings = self.variants(text, image)[0]
        if not combined.any():
            raise ContraltoError("the text and the picture cancel each other out: ask for one of them")
        return combined

    def variants(self, texts: Embeddings | None, images: Embeddings | None) -> Embeddings:
        """(B, d): the same query for each of other texts and pictures (B, d) instead of its own.

        Text and picture have equal weight: their unit embeddings are added, and the sum is scaled to unit length. Then
        half the mean direction of `away` is subtracted. Only half of it is subtracted, because all texts share much of
        their direction: subtracting all of it would rank unrelated pictures above pictures that match a little. The
        mean is used, so that several exclusions weigh as much as one.
        """
        given = [vectors.astype(np.float64) for vectors in (texts, images) if vectors is not None]
        wanted = _unit(np.sum(given, axis=0))
        if len(self.away):
            wanted = _unit(wanted - AWAY_WEIGHT * _unit(self.away.astype(np.float64).mean(axis=0)))
        return wanted.astype(np.float32)


def encode_query(
    encoder: Encoder, text: str | None, image: str | None = None, away: Sequence[str] = (), *, overlong: str = "error"
) -> Query:
    """The query for `text`, for pictures like `image`, or for both, that excludes the texts `away`.

    overlong: what becomes of a text longer than the context, as `Clip.encode_text` takes it. Raises ContraltoError if
    both `text` and `image` are None, and the encoder's errors.
    """
    if text is None and image is None:
        raise ContraltoError("nothing to look for: give a text, a picture, or both")
    texts = [*away] if text is None else [text, *away]
    encoded = encoder.encode_text(texts, overlong=overlong) if texts else np.zeros((0, 1), np.float32)
    example = None if image is None else encoder.encode_image([image])[0]
    return Query(None if text is None else encoded[0], example, encoded[len(texts) - len(away) :])


def query_embedding(
    encoder: Encoder, text: str | None, image: str | None = None, away: Sequence[str] = ()
) -> Embeddings:
    """The unit embedding (d,) of the query that `encode_query` makes; raises its errors."""
    return encode_query(encoder, text, image, away).embedding()


def cosines(embeddings: Embeddings, wanted: Embeddings) -> NDArray[np.float64]:
    """(N,): the cosine of each unit embedding (N, d) with the query's (d,).

    Products are summed in float64 and rounded to nine decimals, so that equal pictures get equal cosines whatever their
    neighbours are; block by block, so that no second copy of all embeddings is made.
    """
    products = np.empty(len(embeddings), np.float64)
    for start in range(0, len(embeddings), BLOCK):
        block = embeddings[start : start + BLOCK]
        products[start : start + BLOCK] = block.astype(np.float64) @ wanted.astype(np.float64)
    return products.round(DECIMALS)


def best_matches(cosines: NDArray[np.float64], top: int) -> list[tuple[int, float]]:
    """The `top` best (position, cosine), best first; equal cosines in the order of their positions."""
    return [(int(i), float(cosines[i])) for i in np.argsort(-cosines, kind="stable")[:top]]


def rank(embeddings: Embeddings, wanted: Embeddings, top: int) -> list[tuple[int, float]]:
    """The `top` best (position, cosine) of embeddings (N, d) for a query's (d,), as `best_matches` gives them."""
    return best_matches(cosines(embeddings, wanted), top)


def _unit(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Vectors scaled to unit length; one of almost no length becomes zero."""
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    scaled: NDArray[np.float64] = np.where(length < SHORTEST, 0, vectors / np.where(length < SHORTEST, 1, length))
    return scaled
