"""Where relevant results end: which pictures of a collection fit the query, and which are only the nearest.

The cosine alone does not tell. Its size for a picture that fits differs between models, and the best of ten thousand
pictures is close to any query. Therefore there are three steps:

1. The background is what unrelated queries get from this collection: the same query with common nouns instead of its
   text, or with other pictures of the collection instead of its picture. The background's mean and standard deviation
   turn each cosine into a number of deviations above the background.
2. Does anything fit? The best picture must stand out by a number of deviations. The number grows with the collection,
   because the best of many is far out by chance: half a deviation for each factor e in the number of distinct pictures.
3. Which pictures fit? Those that are at least half as far above the background as the best.

Steps 2 and 3 have separate bounds because they answer separate questions. A single bound would have to be strict, so
that few queries without a match get an answer, and would then lose most of the matches of other queries.

The constants were chosen with nano on pictures outside its training data (the part `fit` of benchmarks/relevance.py),
for the highest F1 at which one in eight queries without a match may get an answer; the part `test` measures them on
other pictures and queries. A query by picture is judged less reliably, because similarity fades gradually. The
constants are in deviations of the background, so that they do not depend on a model's range of cosines; models other
than nano were not measured.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from contralto.embeddings import Embeddings
from contralto.search.encoder import Encoder
from contralto.search.query import Query

NOUNS: Final = (
    *("person", "baby", "dog", "sheep", "elephant", "frog", "grass", "hill", "river", "sky", "moon", "field", "road"),
    *("house", "window", "kitchen", "shop", "station", "train", "ship", "chair", "lamp", "paper", "painting", "text"),
    *("computer", "keyboard", "plate", "spoon", "umbrella", "dress", "watch", "cake", "apple", "cheese", "coffee"),
    *("beer", "football", "skiing", "dancing", "game", "guitar", "machine", "farm", "flag", "brick", "fabric", "smoke"),
)
BACKGROUND_PICTURES: Final = 2048  # enough for the background's mean and deviation
FEWEST: Final = 8  # pictures that can serve as a background for each other
PER_SIZE: Final = 0.5  # deviations for each factor e in the number of pictures
NEAR_BEST: Final = 0.5  # of the best picture's deviations
BY_TEXT: Final = 1.5  # deviations that a single picture must reach
BY_IMAGE: Final = 0.5  # lower, because pictures are more similar to each other than to texts


def threshold(encoder: Encoder, query: Query, embeddings: Embeddings, cosines: NDArray[np.float64]) -> float:
    """The cosine above which pictures are relevant to the query; it is above all cosines if no picture is.

    embeddings (N, d): all pictures of the collection. cosines (N,): their cosines with the query. Returns -inf, so that
    everything counts as relevant, if there is nothing to judge by: a query by picture alone in fewer than 8 pictures,
    or a background that does not vary. A query with text is judged in any collection, even of one picture.
    """
    if not len(embeddings) or (query.text is None and len(embeddings) < FEWEST):
        return -np.inf
    sample = embeddings[evenly_spread(len(embeddings), BACKGROUND_PICTURES)]
    if query.image is None:
        background = sample @ query.variants(encoder.encode_labels([*NOUNS], None), None).T
    else:
        background = _by_image(encoder, query, sample)
    mean, deviation = float(background.mean()), float(background.std())
    if deviation < 1e-6:
        return -np.inf
    distinct = np.unique(cosines)  # copies of a picture count as one
    best = (float(distinct[-1]) - mean) / deviation
    min_deviations = (BY_TEXT if query.image is None else BY_IMAGE) + PER_SIZE * float(np.log(len(distinct)))
    return mean + deviation * (NEAR_BEST * best if best >= min_deviations else min_deviations)


def _by_image(encoder: Encoder, query: Query, sample: Embeddings) -> Embeddings:
    """(P,) cosines of pictures with the same query for other pictures, and for other texts if it has a text."""
    chosen = evenly_spread(len(sample), len(NOUNS))
    texts = None if query.text is None else encoder.encode_labels([*NOUNS[: len(chosen)]], None)
    cosines: Embeddings = sample @ query.variants(texts, sample[chosen]).T
    others = np.ones(cosines.shape, bool)
    others[chosen, np.arange(len(chosen))] = False  # a picture is no background for itself
    return cosines[others] if len(sample) > 1 else cosines.ravel()


def evenly_spread(n: int, count: int) -> NDArray[np.intp]:
    """At most `count` indices below n, evenly spread."""
    return np.arange(n) if n <= count else np.linspace(0, n - 1, count).astype(np.intp)
