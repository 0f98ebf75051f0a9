"""Computes the results of the demo: a zero-shot table, five searches, and all cosines of pictures and texts."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from contralto.cli.demo.gallery import DemoPicture
from contralto.search.query import query_embedding, rank
from contralto.zeroshot import classifier
from contralto.zeroshot.classifier import Prediction

if TYPE_CHECKING:
    from contralto.encoder import Clip

DEMO_TEMPLATES = ("{}.", "a photo of {}.", "a picture of {}.")
DISTRACTORS = (  # labels that no demo picture shows: without them the choice would be too easy
    *("a dog", "a bird", "a car", "a bicycle", "an aeroplane", "a pizza", "a cake", "a bottle", "a chair", "a guitar"),
    *("a beach", "mountains", "a city street", "a bridge", "a crowd of people", "a child playing", "a computer"),
)
LABELS_PER_PICTURE = 3
MATCHES_PER_SEARCH = 5


@dataclass(frozen=True)
class SearchQuery:
    """One search: the words to find, and optional words to avoid."""

    text: str
    away: str | None = None


SEARCH_QUERIES = (
    SearchQuery("a cat looking at you"),
    SearchQuery("something hot to drink"),
    SearchQuery("outer space"),
    SearchQuery("a vehicle", away="a rocket"),
    SearchQuery("a boat on the sea"),
)


@dataclass(frozen=True)
class DemoResults:
    """The content of the page. predictions[i] and column i of `cosines` (texts, pictures) belong to pictures[i]."""

    pictures: list[DemoPicture]
    predictions: list[list[Prediction]]
    searches: list[tuple[SearchQuery, list[tuple[int, float]]]]
    texts: list[str]
    cosines: NDArray[np.float32]
    labels: int
    seconds: float

    @property
    def correct_count(self) -> tuple[int, int]:
        """(correct, known): pictures with known content, and how many of them have it as their best label."""
        known = [(p.shows, best[0].label) for p, best in zip(self.pictures, self.predictions, strict=True) if p.shows]
        return sum(shows == label for shows, label in known), len(known)


def compute(clip: Clip, pictures: list[DemoPicture], advance: Callable[[], None]) -> DemoResults:
    """Encodes the pictures and runs the queries. Raises ImageError for a picture that cannot be used."""
    texts = [picture.shows for picture in pictures if picture.shows]
    labels = list(dict.fromkeys([*texts, *DISTRACTORS]))
    classify = classifier.build(clip, labels, DEMO_TEMPLATES)
    began = time.perf_counter()
    embeddings = clip.encode_image([picture.source for picture in pictures], progress=lambda done, total: advance())
    seconds = time.perf_counter() - began
    searches = []
    for wanted in SEARCH_QUERIES:
        target = query_embedding(clip, wanted.text, None, [wanted.away] if wanted.away else ())
        searches.append((wanted, rank(embeddings, target, MATCHES_PER_SEARCH)))
    cosines = classify.embeddings[: len(texts)] @ embeddings.T
    predictions = classify(embeddings, LABELS_PER_PICTURE)
    return DemoResults(pictures, predictions, searches, texts, cosines, len(labels), seconds)
