"""Where the good answers end: which pictures of a collection fit what is looked for, and which are merely the nearest.

A cosine alone does not tell. How large it is for a picture that fits differs from model to model, and the best of ten
thousand pictures is close to anything. So there are three steps:

1. The background is what unrelated questions get from this collection: the same question with common nouns in the
   place of its text, or with other pictures of the collection in the place of its picture. Its mean and standard
   deviation turn each cosine into a number of deviations above the background.
2. Does anything fit? The best picture must stand out by a number of deviations, and by more in a large collection,
   as the best of many is far out by chance: half a deviation for each factor e in the number of different pictures.
3. Which pictures fit? Those that are at least half as far above the background as the best.

The two steps have separate bounds because they answer separate questions. One bound for both would be strict, so that
few questions are answered wrongly where nothing fits, and would then lose most of what fits elsewhere.

The constants were chosen with nano on pictures that nano was not trained on (the part `fit` of
benchmarks/relevance.py), for the highest F1 where one in eight questions that nothing fits may be answered with
something; the part `test` measures them on other pictures and questions. A question by a picture is judged less surely,
as likeness has no edge where it ends. The constants are in deviations of the background, so that no model's own
cosines are built in; other models than nano were not measured.
"""

from __future__ import annotations

from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from contralto.search.query import Question, Row

NOUNS: Final = (
    *("person", "baby", "dog", "sheep", "elephant", "frog", "grass", "hill", "river", "sky", "moon", "field", "road"),
    *("house", "window", "kitchen", "shop", "station", "train", "ship", "chair", "lamp", "paper", "painting", "text"),
    *("computer", "keyboard", "plate", "spoon", "umbrella", "dress", "watch", "cake", "apple", "cheese", "coffee"),
    *("beer", "football", "skiing", "dancing", "game", "guitar", "machine", "farm", "flag", "brick", "fabric", "smoke"),
)
SAMPLE: Final = 2048  # pictures that are enough to know the background by
FEWEST: Final = 8  # pictures from which others stand for a background
PER_SIZE: Final = 0.5  # deviations for each factor e in the number of pictures
NEAR_BEST: Final = 0.5  # of the best picture's deviations
BY_TEXT: Final = 1.5  # deviations that a single picture must reach
BY_IMAGE: Final = 0.5  # pictures are more alike than texts: less is out of the ordinary


class Encoder(Protocol):
    """What the background needs of `contralto.encoder.Clip`, which keeps such rows from one run to the next."""

    def encode_labels(self, labels: list[str], templates: None) -> Row: ...


def threshold(encoder: Encoder, question: Question, rows: Row, cosines: NDArray[np.float64]) -> float:
    """The cosine above which pictures are relevant to the question; it lies above all of them if none is.

    rows (N, d): unit rows of the collection. cosines (N,): theirs with the question. It is -inf, so that everything
    counts as relevant, where there is nothing to judge by: a question by a picture alone to fewer than 8 pictures, or
    a background that does not vary. A question in words is judged in any collection, even of one picture.
    """
    if not len(rows) or (question.text is None and len(rows) < FEWEST):
        return -np.inf
    sample = rows[_spread(len(rows), SAMPLE)]
    if question.image is None:
        background = sample @ question.rows(encoder.encode_labels([*NOUNS], None), None).T
    else:
        background = _by_image(encoder, question, sample)
    mean, deviation = float(background.mean()), float(background.std())
    if deviation < 1e-6:
        return -np.inf
    different = np.unique(cosines)  # copies of a picture are one picture
    best = (float(different[-1]) - mean) / deviation
    least = (BY_TEXT if question.image is None else BY_IMAGE) + PER_SIZE * float(np.log(len(different)))
    return mean + deviation * (NEAR_BEST * best if best >= least else least)


def _by_image(encoder: Encoder, question: Question, sample: Row) -> Row:
    """(P,) cosines of pictures with the same question about other pictures, and other texts if it has one."""
    places = _spread(len(sample), len(NOUNS))
    texts = None if question.text is None else encoder.encode_labels([*NOUNS[: len(places)]], None)
    found = sample @ question.rows(texts, sample[places]).T
    others = np.ones(found.shape, bool)
    others[places, np.arange(len(places))] = False  # a picture is no background to itself
    return found[others] if len(sample) > 1 else found.ravel()


def _spread(n: int, most: int) -> NDArray[np.intp]:
    """At most `most` places among n, evenly spread."""
    return np.arange(n) if n <= most else np.linspace(0, n - 1, most).astype(np.intp)
