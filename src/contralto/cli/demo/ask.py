"""What the demo asks: a zero-shot table, five searches, and the cosine of every picture with every text."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from contralto.cli.demo.gather import Picture
from contralto.search.query import query_embedding, rank
from contralto.zeroshot import classifier
from contralto.zeroshot.classifier import Prediction

if TYPE_CHECKING:
    from contralto.encoder import Clip

TEMPLATES = ("{}.", "a photo of {}.", "a picture of {}.")
OTHERS = (  # labels that none of the demo's own pictures shows: a choice among its own alone would be too easy
    *("a dog", "a bird", "a car", "a bicycle", "an aeroplane", "a pizza", "a cake", "a bottle", "a chair", "a guitar"),
    *("a beach", "mountains", "a city street", "a bridge", "a crowd of people", "a child playing", "a computer"),
)
SHOWN = 3
FOUND = 5


@dataclass(frozen=True)
class Question:
    """One search: what is wanted in words, and what is not."""

    text: str
    away: str | None = None


QUESTIONS = (
    Question("a cat looking at you"),
    Question("something hot to drink"),
    Question("outer space"),
    Question("a vehicle", away="a rocket"),
    Question("a boat on the sea"),
)


@dataclass(frozen=True)
class Answers:
    """All that the page shows. predictions[i] and columns of `cosines` (texts, pictures) belong to pictures[i]."""

    pictures: list[Picture]
    predictions: list[list[Prediction]]
    searches: list[tuple[Question, list[tuple[int, float]]]]
    texts: list[str]
    cosines: NDArray[np.float32]
    labels: int
    seconds: float

    @property
    def judged(self) -> tuple[int, int]:
        """Of the pictures whose content is known: how many have it as their best label, and how many there are."""
        known = [(p.shows, best[0].label) for p, best in zip(self.pictures, self.predictions, strict=True) if p.shows]
        return sum(shows == label for shows, label in known), len(known)


def ask(clip: Clip, pictures: list[Picture], advance: Callable[[], None]) -> Answers:
    """Encodes the pictures and puts the questions. Raises ImageError for a picture that cannot be used."""
    texts = [picture.shows for picture in pictures if picture.shows]
    labels = list(dict.fromkeys([*texts, *OTHERS]))
    classify = classifier.build(clip, labels, TEMPLATES)
    began = time.perf_counter()
    rows = clip.encode_image([picture.source for picture in pictures], progress=lambda done, total: advance())
    seconds = time.perf_counter() - began
    searches = [
        (q, rank(rows, query_embedding(clip, q.text, None, [q.away] if q.away else ()), FOUND)) for q in QUESTIONS
    ]
    return Answers(
        pictures,
        classify(rows, SHOWN),
        searches,
        texts,
        classify.embeddings[: len(texts)] @ rows.T,
        len(labels),
        seconds,
    )
