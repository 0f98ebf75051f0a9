"""Multi-label pictures (VOC 2007): for each class, pictures are ranked by their cosine with it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from contralto import metrics
from contralto.encoder import Clip
from contralto.evaluation.cached_embeddings import PictureEmbeddings
from contralto.evaluation.condition import PLAIN, Condition
from contralto.evaluation.figures import FigureCollector, bootstrapped
from contralto.evaluation.outcome import Outcome, Records
from contralto.evaluation.protocol import base_protocol, class_protocol
from contralto.evaluation.zero_shot import embed_prompts
from contralto.sets.data_set import DataSet

MAP11_SCORES = "the cosine with each class; no softmax over the classes, as several may be there at once"


def multi_label(
    clip: Clip,
    data: DataSet,
    pictures: PictureEmbeddings,
    templates: Sequence[str],
    template_set: str,
    condition: Condition = PLAIN,
    overlong: str | None = None,
) -> Outcome:
    """The outcome of a data set of task `labels`: 11-point mean average precision. overlong: as in `zero_shot`."""
    count = len(data.items)
    class_embeddings, stated = embed_prompts(clip, data.classes, templates, overlong)
    scores = pictures.embeddings @ class_embeddings.T
    relevant, ignored = np.zeros(scores.shape, bool), np.zeros(scores.shape, bool)
    for i in range(count):
        relevant[i, list(data.items[i].labels)] = True
        ignored[i, list(data.items[i].ignored)] = True
    collector = FigureCollector()
    collector.add(bootstrapped, "map11", lambda at: metrics.map11(scores[at], relevant[at], ignored[at]), count)
    best = np.where(relevant, scores, -np.inf).max(axis=1, keepdims=True)
    records = Records.of_items(
        [data.items[i].key for i in range(count)],
        label=np.array([next(iter(data.items[i].labels), -1) for i in range(count)], np.int64),
        predicted=scores.argmax(axis=1),
        confidence=np.full(count, np.nan),
        rank=((scores >= best) & ~relevant).sum(axis=1),
        scores=scores,
    )
    protocol = base_protocol(clip, data, pictures) | class_protocol(data.classes, templates, template_set)
    protocol |= collector.protocol | {"map11_scores": MAP11_SCORES} | stated
    names, figures = tuple(one.name for one in data.classes), tuple(collector.figures)
    return Outcome(data.name, data.split, data.task, condition, figures, protocol, records, names, pictures.failures)
