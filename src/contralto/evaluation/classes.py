"""Zero-shot classification: pictures against the rows of class names, and the figures of it.

Protocol of the paper (section 3.1): a class's row is the mean of its templates' unit rows, made unit; the class with
the highest cosine is the answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contralto import metrics
from contralto.embeddings import Embeddings
from contralto.encoder import Clip
from contralto.evaluation.answers import Answers, answer
from contralto.evaluation.embed import PictureEmbeddings
from contralto.evaluation.figures import Figures, mean, over, share
from contralto.evaluation.outcome import Figure, Outcome, Records
from contralto.evaluation.protocol import of_classes, protocol
from contralto.sets.data_set import Class, DataSet

FITTED = "by least negative log-likelihood on the other half of the pictures, halves by their sha256"
MERGED = "classes of one name of the data's are one, whose score is the highest of theirs"


def zero_shot(
    clip: Clip,
    data: DataSet,
    pictures: PictureEmbeddings,
    templates: Sequence[str],
    template_set: str,
    variant: str = "",
) -> Outcome:
    """The outcome of a set with one class a picture, its texts made with these templates. Raises ContraltoError."""
    said = protocol(clip, data, pictures) | of_classes(data.classes, templates, template_set)
    class_rows = rows_of(clip, data.classes, templates)
    data, merged = _merged(data)
    answers = answer(pictures, class_rows, labels_of(data), clip.contract.score, merged)
    if merged is not None:
        said["merged"] = MERGED
    if answers.temperatures:
        said["temperatures"] = {"fitted": FITTED, "values": [round(t, 4) for t in answers.temperatures]}
    return of_answers(data, pictures, answers, said, variant)


def rows_of(clip: Clip, classes: Sequence[Class], templates: Sequence[str]) -> Embeddings:
    """Unit rows (C, d) of the classes."""
    return clip.encode_labels({str(i): one.names for i, one in enumerate(classes)}, templates)


def labels_of(data: DataSet) -> NDArray[np.int64]:
    """Class indices int64 (N,)."""
    return np.array([-1 if (label := data.items[i].label) is None else label for i in range(len(data.items))], np.int64)


def of_answers(
    data: DataSet, pictures: PictureEmbeddings, answers: Answers, said: dict[str, Any], variant: str
) -> Outcome:
    """The outcome of a set with one class a picture, however the answers were found."""
    labels = labels_of(data)
    records = Records.of_items(
        [data.items[i].key for i in range(len(data.items))],
        labels,
        answers.predicted,
        answers.confidence,
        answers.rank,
        None if answers.margin is None else answers.margin.astype(np.float32)[:, None],
    )
    figures = _figures(records, len(data.classes), answers, data.metric == "mean_top1_top5")
    own_first = tuple(sorted(figures.found, key=lambda figure: figure.metric != data.metric))
    names, failures = tuple(one.name for one in data.classes), dict(pictures.failures)
    return Outcome(data.name, data.split, data.task, variant, own_first, said | figures.said, records, names, failures)


def _merged(data: DataSet) -> tuple[DataSet, NDArray[np.int64] | None]:
    """Where a picture has several right classes (ObjectNet's classes are several of ImageNet's each), the set with the
    groups of the declared classes for its classes, and for each declared one its group's place."""
    items = [data.items[i] for i in range(len(data.items))]
    if not any(len(item.labels) > 1 for item in items):
        return data, None
    groups = list(dict.fromkeys(one.group for one in data.classes))
    place = np.array([groups.index(one.group) for one in data.classes], np.int64)
    grouped = [replace(item, label=int(place[item.label or 0])) for item in items]
    return replace(data, items=grouped, classes=tuple(Class(group) for group in groups)), place


def _figures(records: Records, classes: int, answers: Answers, with_mean_of_both: bool) -> Figures:
    """All that the answers have. with_mean_of_both: also the mean of top1 and top5, which is the metric of Kinetics."""
    right, label, count = records.rank == 0, records.label, len(records)
    scored = bool(np.isfinite(records.confidence).all())
    found = Figures()
    found.add(share, "top1", right, chance=1 / classes)
    if classes > 5 and scored:
        found.add(share, "top5", records.rank < 5, chance=5 / classes)

    def per_class(places: NDArray[np.intp]) -> float:
        return metrics.mean_per_class(right[places], label[places])

    found.add(over, "mean_per_class", per_class, count, chance=1 / classes)
    if with_mean_of_both and scored:
        both = (right.astype(np.float64) + (records.rank < 5)) / 2
        found.add(mean, "mean_top1_top5", both, chance=3 / classes)
    if answers.margin is not None:
        found.add(_auc, "auc", answers.margin, label == 1)
    if scored:
        found.add(_ece, "ece", records.confidence, right)
    if answers.tempered is not None:
        found.add(_ece, "ece_tempered", answers.tempered, right)
    return found


def _ece(metric: str, confidence: NDArray[np.float64], right: NDArray[np.bool_]) -> Figure:
    """ECE is biased upwards, in resamples even more, so that its interval may have to be widened to hold it."""
    found = over(metric, lambda places: metrics.ece(confidence[places], right[places]), len(right))
    return found if found.low is None else replace(found, low=min(found.low, found.value))


def _auc(metric: str, margin: NDArray[np.float64], positive: NDArray[np.bool_]) -> Figure:
    """Of the second of two classes."""
    return over(metric, lambda places: metrics.auc(margin[places], positive[places]), len(positive), chance=0.5)
