"""Retrieval both ways: of each picture its captions among all captions, of each caption its picture among all."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from contralto import metrics
from contralto.encoder import Clip
from contralto.evaluation.embed import PictureEmbeddings, TextEmbeddings
from contralto.evaluation.figures import Figures, mean, over
from contralto.evaluation.outcome import Figure, Outcome, Records
from contralto.evaluation.protocol import protocol
from contralto.sets.data_set import DataSet

AT = (1, 5, 10)
DEFINITIONS = {
    "r{k}_image_to_text": "share of pictures of which any caption is among the k best of all captions",
    "share{k}_image_to_text": "mean share of a picture's captions that are among the k best of all captions",
    "r{k}_text_to_image": "share of captions whose picture is among the k best of all pictures",
    "median_rank": "counts from 1; of a picture, the rank of its best caption among those of other pictures",
}


def captions(data: DataSet, template: str = "{}") -> tuple[list[str], NDArray[np.int64]]:
    """All captions, put into the template, and the picture of each: int64 (M,)."""
    of_items = [data.items[i].captions for i in range(len(data.items))]
    texts = [template.replace("{}", caption) for several in of_items for caption in several]
    return texts, np.repeat(np.arange(len(of_items)), [len(several) for several in of_items])


def retrieval(
    clip: Clip,
    data: DataSet,
    pictures: PictureEmbeddings,
    texts: TextEmbeddings,
    owners: NDArray[np.int64],
    *,
    template: str = "{}",
    variant: str = "",
    progress: Callable[[int, int], object] | None = None,
) -> Outcome:
    """The outcome of a set of pictures and captions."""
    ranks = metrics.retrieval_ranks(pictures.rows, texts.rows, owners, progress=progress)
    figures = Figures()
    for k in AT:
        figures.add(mean, f"r{k}_image_to_text", ranks.image_to_text < k)
    figures.add(_median, "median_rank_image_to_text", ranks.image_to_text)
    for k in AT:
        figures.add(mean, f"share{k}_image_to_text", _shares(ranks.own_texts < k, owners))
    for k in AT:
        figures.add(mean, f"r{k}_text_to_image", ranks.text_to_image < k, owners)
    figures.add(_median, "median_rank_text_to_image", ranks.text_to_image, owners)
    keys = np.array([data.items[i].key for i in range(len(data.items))], object)
    count, several = len(keys), len(owners)
    records = Records(
        key=np.concatenate([keys, keys[owners]]),
        label=np.full(count + several, -1, np.int64),
        predicted=np.full(count + several, -1, np.int64),
        confidence=np.full(count + several, np.nan),
        rank=np.concatenate([ranks.image_to_text, ranks.text_to_image]),
        direction=np.array(["image_to_text"] * count + ["text_to_image"] * several, object),
        text=np.concatenate([np.full(count, -1, np.int64), np.arange(several)]),
    )
    said = protocol(clip, data, pictures) | figures.said
    said |= {
        "captions": several,
        "captions_cut_to_context": texts.cut,
        "template": template,
        "definitions": DEFINITIONS,
    }
    return Outcome(
        data.name, data.split, data.task, variant, tuple(figures.found), said, records, (), pictures.failures
    )


def _shares(found: NDArray[np.bool_], owners: NDArray[np.int64]) -> NDArray[np.float64]:
    """Of each picture the share of its captions that were found."""
    shares: NDArray[np.float64] = np.bincount(owners, weights=found) / np.bincount(owners)
    return shares


def _median(metric: str, rank: NDArray[np.int64], groups: NDArray[np.int64] | None = None) -> Figure:
    return over(metric, lambda places: metrics.median_rank(rank[places]), len(rank), groups)
