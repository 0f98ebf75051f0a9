"""Choices between an item's own texts (counting, relations, SugarCrepe ...), and Winoground's pairs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from contralto import metrics
from contralto.contract import Score
from contralto.embeddings import Embeddings, probabilities
from contralto.encoder import Clip
from contralto.evaluation.cached_embeddings import PictureEmbeddings, TextEmbeddings
from contralto.evaluation.condition import PLAIN, Condition
from contralto.evaluation.figures import FigureCollector, share
from contralto.evaluation.outcome import Outcome, Records
from contralto.evaluation.predictions import predicted_classes
from contralto.evaluation.protocol import base_protocol
from contralto.sets.data_set import DataSet, Item

PAIR_CHANCE = {"text": 1 / 4, "image": 1 / 4, "group": 1 / 6}


def choice(
    clip: Clip, data: DataSet, pictures: PictureEmbeddings, texts: TextEmbeddings, condition: Condition = PLAIN
) -> list[Outcome]:
    """The outcome of a data set of task `choice` or `pairs`, then one for each value of each group of its items.

    texts: those of all captions, item after item.
    """
    items = [data.items[i] for i in range(len(data.items))]
    records, cosines = _compare(items, pictures.embeddings, texts.embeddings, clip.contract.score)
    stated = {"choice": "the text with the highest cosine; chance is its mean over items"}
    protocol = base_protocol(clip, data, pictures) | stated | texts.protocol

    def outcome(condition: Condition, chosen: NDArray[np.intp]) -> Outcome:
        chance = float(np.mean([1 / len(items[i].captions) for i in chosen]))
        collector = FigureCollector()
        collector.add(share, "top1", records.rank[chosen] == 0, chance)
        if data.task == "pairs":
            _add_pairs(collector, cosines[chosen])
        figures, stated, some = tuple(collector.figures), protocol | collector.protocol, records.select(chosen)
        return Outcome(data.name, data.split, data.task, condition, figures, stated, some, (), pictures.failures)

    outcomes = [outcome(condition, np.arange(len(items)))]
    for group in dict.fromkeys(name for item in items for name in item.groups):
        for value in sorted({item.groups[group] for item in items if group in item.groups}):
            chosen = np.array([i for i, item in enumerate(items) if item.groups.get(group) == value])
            outcomes.append(outcome(replace(condition, group=f"{group}={value}"), chosen))
    return outcomes


def _compare(
    items: Sequence[Item], embeddings: Embeddings, texts: Embeddings, rule: Score
) -> tuple[Records, NDArray[np.float32]]:
    """The records, and for data sets with two texts per item the cosines (N, 2)."""
    count, start = len(items), 0
    labels = np.array([item.label or 0 for item in items], np.int64)
    predicted, rank = np.empty(count, np.int64), np.empty(count, np.int64)
    confidence, cosines = np.empty(count), np.zeros((count, 2), np.float32)
    for i, item in enumerate(items):
        cosine = texts[start : start + len(item.captions)] @ embeddings[i]
        start += len(item.captions)
        one = slice(i, i + 1)
        rank[one] = metrics.ranks(cosine[None], labels[one])
        predicted[one] = predicted_classes(cosine[None], labels[one], rank[one])
        confidence[i] = probabilities(cosine[None], rule)[0, predicted[i]]
        cosines[i] = cosine[:2]
    return Records.of_items([item.key for item in items], labels, predicted, confidence, rank), cosines


def _add_pairs(collector: FigureCollector, cosines: NDArray[np.float32]) -> None:
    """Winoground: items 2k and 2k + 1 are two pictures with the same two texts; the first text is true of the first.

    text: each picture prefers its own text; image: each text prefers its own picture; group: both. Ties are wrong.
    """
    first, second = cosines[0::2], cosines[1::2]  # (P, 2): with text 0 and text 1
    text = (first[:, 0] > first[:, 1]) & (second[:, 1] > second[:, 0])
    image = (first[:, 0] > second[:, 0]) & (second[:, 1] > first[:, 1])
    for name, right in (("text", text), ("image", image), ("group", text & image)):
        collector.add(share, f"{name}_score", right, PAIR_CHANCE[name])
