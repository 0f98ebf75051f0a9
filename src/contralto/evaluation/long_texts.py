"""What each way to encode a text beyond the context is worth: retrieval with a picture's captions joined to one text.

The text stands behind eight sentences that say nothing about any picture, so that truncation sees almost no caption.
The same is measured without them: joined captions nearly fit, and there a way must lose nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from contralto import metrics
from contralto.evaluation.cached_embeddings import PictureEmbeddings
from contralto.evaluation.condition import Condition
from contralto.evaluation.figures import FigureCollector, mean
from contralto.evaluation.metric_table import DIRECTIONS, RECALL_AT
from contralto.evaluation.outcome import Outcome
from contralto.evaluation.retrieval import retrieval
from contralto.evaluation.session import Session
from contralto.sets.data_set import DataSet

FILLER: Final = (
    "What follows was typed on an ordinary afternoon, in no particular order.",
    "It may be copied freely, as long as nothing is added to it.",
    "It is easier to ask a question than to answer it.",
    "What was true yesterday is usually still true today.",
    "Whether that is good or bad depends on the reason for it.",
    "In the end, one has to decide for oneself.",
    "Only time will tell whether it was really worth the trouble.",
    "With that said, here is the part that people usually want to read.",
)
"""Eight sentences, 90 words."""


def measure_long_texts(session: Session, data: DataSet, pictures: PictureEmbeddings) -> Iterator[Outcome]:
    """R@1, 5, 10 both ways for every way that the model has, behind the filler and without it."""
    ways = [way for way in session.clip.overlong_ways if way != "error"]
    for filler in (FILLER, ()):
        for way in ways:
            condition = Condition("long", way, len(filler))
            yield long_text_outcome(session, data, pictures, way, condition, filler)


def long_text_outcome(
    session: Session,
    data: DataSet,
    pictures: PictureEmbeddings,
    way: str,
    condition: Condition,
    filler: tuple[str, ...] = FILLER,
) -> Outcome:
    """The outcome of one way, behind these sentences."""
    joined = _joined(pictures.without_pictures(data), filler)
    outcome = retrieval(replace(session, overlong=way), joined, pictures, "{}", condition, _recalls)
    stated = {"captions": len(joined.items), "text": "a picture's captions, joined by spaces"}
    stated |= {"before": {"count": len(filler), "list": list(filler)}}
    return replace(outcome, protocol={**outcome.protocol, **stated})


def _recalls(ranks: metrics.Ranks, owners: NDArray[np.int64]) -> FigureCollector:
    collector = FigureCollector()
    for direction in DIRECTIONS:
        for k in RECALL_AT:
            collector.add(mean, f"r{k}_{direction}", getattr(ranks, direction) < k)
    return collector


def _joined(data: DataSet, filler: tuple[str, ...]) -> DataSet:
    items = [replace(item, captions=(" ".join((*filler, *item.captions)),)) for item in data.items]
    return replace(data, items=items)
