"""Retrieval in both directions: each picture searches its captions among all captions, each caption its picture.

`metrics/retrieval.py` defines the ranks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from contralto import metrics
from contralto.evaluation.cached_embeddings import PictureEmbeddings
from contralto.evaluation.condition import PLAIN, Condition
from contralto.evaluation.figures import FigureCollector, bootstrapped, mean
from contralto.evaluation.metric_table import RECALL_AT
from contralto.evaluation.outcome import Figure, Outcome, Records
from contralto.evaluation.protocol import base_protocol
from contralto.evaluation.session import Session
from contralto.metrics.retrieval import unchecked_median_rank
from contralto.sets.data_set import DataSet

DEFINITIONS: Final = {
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


def all_figures(ranks: metrics.Ranks, owners: NDArray[np.int64]) -> FigureCollector:
    """Every figure of retrieval, from the ranks and the picture of each caption, int64 (M,)."""
    collector = FigureCollector()
    for k in RECALL_AT:
        collector.add(mean, f"r{k}_image_to_text", ranks.image_to_text < k)
    collector.add(_median, "median_rank_image_to_text", ranks.image_to_text)
    for k in RECALL_AT:
        collector.add(mean, f"share{k}_image_to_text", metrics.text_shares(ranks.own_texts, owners, k))
    for k in RECALL_AT:
        collector.add(mean, f"r{k}_text_to_image", ranks.text_to_image < k, owners)
    collector.add(_median, "median_rank_text_to_image", ranks.text_to_image, owners)
    return collector


def retrieval(
    session: Session,
    data: DataSet,
    pictures: PictureEmbeddings,
    template: str = "{}",
    condition: Condition = PLAIN,
    figures_of: Callable[[metrics.Ranks, NDArray[np.int64]], FigureCollector] = all_figures,
) -> Outcome:
    """The outcome of a data set of pictures and captions, with the figures that `figures_of` collects."""
    filled, owners = captions(data, template)
    texts = session.embed_texts(filled)
    ranks = metrics.retrieval_ranks(
        pictures.embeddings,
        texts.embeddings,
        owners,
        progress=lambda done, total: session.progress("comparing", done, total),
    )
    collector = figures_of(ranks, owners)
    keys = np.array([data.items[i].key for i in range(len(data.items))], object)
    n_pictures, n_captions = len(keys), len(owners)
    both = n_pictures + n_captions
    records = Records(
        key=np.concatenate([keys, keys[owners]]),
        label=np.full(both, -1, np.int64),
        predicted=np.full(both, -1, np.int64),
        confidence=np.full(both, np.nan),
        rank=np.concatenate([ranks.image_to_text, ranks.text_to_image]),
        direction=np.array(["image_to_text"] * n_pictures + ["text_to_image"] * n_captions, object),
        text=np.concatenate([np.full(n_pictures, -1, np.int64), np.arange(n_captions)]),
    )
    protocol = base_protocol(session.clip, data, pictures) | collector.protocol | texts.protocol
    protocol |= {
        "captions": n_captions,
        "captions_cut_to_context": texts.too_long if texts.overlong == "truncate" else 0,
        "template": template,
        "definitions": DEFINITIONS,
    }
    figures = tuple(collector.figures)
    return Outcome(data.name, data.split, data.task, condition, figures, protocol, records, (), pictures.failures)


def _median(metric: str, rank: NDArray[np.int64], groups: NDArray[np.int64] | None = None) -> Figure:
    return bootstrapped(metric, lambda places: unchecked_median_rank(rank[places]), len(rank), groups)
