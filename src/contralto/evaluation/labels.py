"""Pictures with any number of classes each (VOC 2007): for each class, pictures are ranked by their cosine with it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from contralto import metrics
from contralto.encoder import Clip
from contralto.evaluation.classes import rows_of
from contralto.evaluation.embed import PictureEmbeddings
from contralto.evaluation.figures import Figures, over
from contralto.evaluation.outcome import Outcome, Records
from contralto.evaluation.protocol import of_classes, protocol
from contralto.sets.data_set import DataSet

SCORES = "the cosine with each class; no softmax over the classes, as several may be there at once"


def several_labels(
    clip: Clip,
    data: DataSet,
    pictures: PictureEmbeddings,
    templates: Sequence[str],
    template_set: str,
    variant: str = "",
) -> Outcome:
    """The outcome of a set of task `labels`: 11-point mean average precision."""
    count = len(data.items)
    scores = pictures.rows @ rows_of(clip, data.classes, templates).T
    relevant, ignored = np.zeros(scores.shape, bool), np.zeros(scores.shape, bool)
    for i in range(count):
        relevant[i, list(data.items[i].labels)] = True
        ignored[i, list(data.items[i].ignored)] = True
    figures = Figures()
    figures.add(over, "map11", lambda at: metrics.map11(scores[at], relevant[at], ignored[at]), count)
    best = np.where(relevant, scores, -np.inf).max(axis=1, keepdims=True)
    records = Records.of_items(
        [data.items[i].key for i in range(count)],
        label=np.array([next(iter(data.items[i].labels), -1) for i in range(count)], np.int64),
        predicted=scores.argmax(axis=1),
        confidence=np.full(count, np.nan),
        rank=((scores >= best) & ~relevant).sum(axis=1),
        scores=scores,
    )
    said = protocol(clip, data, pictures) | of_classes(data.classes, templates, template_set) | figures.said
    said["map11_scores"] = SCORES
    names, found = tuple(one.name for one in data.classes), tuple(figures.found)
    return Outcome(data.name, data.split, data.task, variant, found, said, records, names, pictures.failures)
