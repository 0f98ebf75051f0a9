"""Where the good answers end: which pictures of a collection fit what is looked for, and which are merely the nearest.

A cosine alone does not tell: how large it is for a picture that fits differs from model to model, and the best of ten
thousand pictures is close to anything. So the cosines are set against two backgrounds. The first is what unrelated
questions get from this collection: the same question with common nouns in the place of its text (or with other pictures
of the collection in the place of its picture). Its mean and deviation turn a cosine into a number z of deviations. The
second is the collection itself: from the share of pictures that fits, which is not known, and the weight of evidence
exp(slope * (z - middle)) of each, one follows from the other (expectation maximisation with a known likelihood ratio;
Saerens, Latinne and Decaestecker 2002). Where nothing stands out the share goes to nothing, and a single picture needs
more evidence; where most pictures fit, less. A picture is relevant if it is likelier to fit than not.

The constants were chosen with nano on the training pictures of labelled sets. For questions in words: the highest F1
with which four of five questions that nothing fits are answered so. Questions by a picture are judged less surely, as
likeness has no edge where it ends. benchmarks/relevance.py measures both on other pictures. The constants are in
deviations of the background, so that no model's own cosines are built in; other models than nano were not measured.
"""

from __future__ import annotations

from dataclasses import dataclass
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
FITTING, OTHERS = 0.1, 1.0  # pictures that are taken to have been seen before any was: few things fit a question
LEAST_SHARE: Final = 0.005  # far out evidence grows faster than the formula: one in ten thousand may still be found
STEPS: Final = 100


@dataclass(frozen=True)
class Evidence:
    """How fast evidence grows with the deviations above the background, and where it speaks neither for nor against."""

    slope: float
    middle: float


BY_TEXT: Final = Evidence(slope=1.5, middle=2.5)
BY_IMAGE: Final = Evidence(slope=6.0, middle=2.0)  # pictures are more alike than texts: less is out of the ordinary


class Encoder(Protocol):
    """What the background needs of `contralto.encoder.Clip`, which keeps such rows from one run to the next."""

    def encode_labels(self, labels: list[str], templates: None) -> Row: ...


def threshold(encoder: Encoder, question: Question, rows: Row, cosines: NDArray[np.float64]) -> float:
    """The cosine above which pictures are relevant to the question; it may lie above or below all of them.

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
    evidence = BY_TEXT if question.image is None else BY_IMAGE
    return mean + deviation * _cut((cosines - mean) / deviation, evidence)


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


def _cut(z: NDArray[np.float64], evidence: Evidence) -> float:
    """The z at which a picture is as likely to fit as not, given how many of all seem to fit."""
    ratio = np.exp(np.clip(evidence.slope * (z - evidence.middle), -30, 30))
    share = FITTING / (FITTING + OTHERS)
    for _ in range(STEPS):
        fits = share * ratio / (share * ratio + 1 - share)
        before, share = share, float((fits.sum() + FITTING) / (len(z) + FITTING + OTHERS))
        if abs(share - before) < 1e-9:
            break
    share = max(share, LEAST_SHARE)
    return evidence.middle + float(np.log((1 - share) / share)) / evidence.slope
