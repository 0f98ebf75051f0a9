"""Zero-shot classification: pictures against embeddings of class names, and the figures of the result.

Protocol of the paper (section 3.1): a class embedding is the normalised mean of the embeddings of its templates; the
class with the highest cosine is the answer.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from contralto import metrics
from contralto.embeddings import Embeddings
from contralto.encoder import Clip
from contralto.evaluation.cached_embeddings import PictureEmbeddings, overlong_protocol
from contralto.evaluation.condition import PLAIN, Condition
from contralto.evaluation.figures import FigureCollector, bootstrapped, mean, share
from contralto.evaluation.outcome import Figure, Outcome, Records
from contralto.evaluation.predictions import Predictions, predict
from contralto.evaluation.protocol import base_protocol, class_protocol
from contralto.sets.data_set import Class, DataSet
from contralto.zeroshot import prompts

FITTED: Final = "by least negative log-likelihood on the other half of the pictures, halves by their sha256"
MERGED: Final = "classes of one name of the data's are one, whose score is the highest of theirs"


def zero_shot(
    clip: Clip,
    data: DataSet,
    pictures: PictureEmbeddings,
    templates: Sequence[str],
    template_set: str,
    condition: Condition = PLAIN,
    overlong: str | None = None,
) -> Outcome:
    """The outcome of a data set with one class per picture, with these templates. Raises ContraltoError.

    overlong: what becomes of prompts longer than the context, as in `Clip.encode_text`; None: an error.
    """
    protocol = base_protocol(clip, data, pictures) | class_protocol(data.classes, templates, template_set)
    class_embeddings, stated = embed_prompts(clip, data.classes, templates, overlong)
    protocol |= stated
    data, merged = _merged(data)
    predictions = predict(pictures, class_embeddings, labels_of(data), clip.contract.score, merged)
    if merged is not None:
        protocol["merged"] = MERGED
    if predictions.temperatures:
        protocol["temperatures"] = {"fitted": FITTED, "values": [round(t, 4) for t in predictions.temperatures]}
    return classification_outcome(data, pictures, predictions, protocol, condition)


def embed_classes(clip: Clip, classes: Sequence[Class], templates: Sequence[str]) -> Embeddings:
    """Class embeddings (C, d)."""
    return clip.encode_labels({str(i): one.names for i, one in enumerate(classes)}, templates)


def embed_prompts(
    clip: Clip, classes: Sequence[Class], templates: Sequence[str], overlong: str | None
) -> tuple[Embeddings, dict[str, Any]]:
    """Class embeddings (C, d), and the protocol's entry on prompts longer than the context, if `overlong` is given."""
    if overlong is None:
        return embed_classes(clip, classes, templates), {}
    several = [prompt for one in classes for name in one.names for prompt in prompts.fill(templates, name)]
    too_long = len(clip.too_long(several))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # the protocol counts these prompts
        labels = {str(i): one.names for i, one in enumerate(classes)}
        embeddings = clip.encode_labels(labels, templates, overlong=overlong)
    return embeddings, overlong_protocol(overlong, too_long, len(several))


def labels_of(data: DataSet) -> NDArray[np.int64]:
    """Class indices int64 (N,)."""
    return np.array([-1 if (label := data.items[i].label) is None else label for i in range(len(data.items))], np.int64)


def classification_outcome(
    data: DataSet,
    pictures: PictureEmbeddings,
    predictions: Predictions,
    protocol: dict[str, Any],
    condition: Condition,
) -> Outcome:
    """The outcome of a data set with one class per picture, from the predictions of any classifier."""
    labels = labels_of(data)
    records = Records.of_items(
        [data.items[i].key for i in range(len(data.items))],
        labels,
        predictions.predicted,
        predictions.confidence,
        predictions.rank,
        None if predictions.margin is None else predictions.margin.astype(np.float32)[:, None],
    )
    collector = _figures(records, len(data.classes), predictions, data.metric == "mean_top1_top5")
    own_first = tuple(sorted(collector.figures, key=lambda figure: figure.metric != data.metric))
    names, failures = tuple(one.name for one in data.classes), dict(pictures.failures)
    stated = protocol | collector.protocol
    return Outcome(data.name, data.split, data.task, condition, own_first, stated, records, names, failures)


def _merged(data: DataSet) -> tuple[DataSet, NDArray[np.int64] | None]:
    """The data set with groups of classes as its classes, and the group of each declared class.

    For pictures with several right classes: each of ObjectNet's classes is several of ImageNet's. Others stay as they
    are, with None.
    """
    items = [data.items[i] for i in range(len(data.items))]
    if not any(len(item.labels) > 1 for item in items):
        return data, None
    groups = list(dict.fromkeys(one.group for one in data.classes))
    place = np.array([groups.index(one.group) for one in data.classes], np.int64)
    grouped = [replace(item, label=int(place[item.label or 0])) for item in items]
    return replace(data, items=grouped, classes=tuple(Class(group) for group in groups)), place


def _figures(records: Records, classes: int, predictions: Predictions, with_mean_of_both: bool) -> FigureCollector:
    """All metrics that the predictions allow. with_mean_of_both: also the mean of top1 and top5, Kinetics' metric."""
    right, label, count = records.rank == 0, records.label, len(records)
    scored = bool(np.isfinite(records.confidence).all())
    collector = FigureCollector()
    collector.add(share, "top1", right, chance=1 / classes)
    if classes > 5 and scored:
        collector.add(share, "top5", records.rank < 5, chance=5 / classes)

    def per_class(places: NDArray[np.intp]) -> float:
        return metrics.mean_per_class(right[places], label[places])

    collector.add(bootstrapped, "mean_per_class", per_class, count, chance=1 / classes)
    if with_mean_of_both and scored:
        both = (right.astype(np.float64) + (records.rank < 5)) / 2
        collector.add(mean, "mean_top1_top5", both, chance=3 / classes)
    if predictions.margin is not None:
        collector.add(_auc, "auc", predictions.margin, label == 1)
    if scored:
        collector.add(_ece, "ece", records.confidence, right)
    if predictions.tempered is not None:
        collector.add(_ece, "ece_tempered", predictions.tempered, right)
    return collector


def _ece(metric: str, confidence: NDArray[np.float64], right: NDArray[np.bool_]) -> Figure:
    """ECE is biased upwards, in resamples even more, so the interval is widened if it lies above the value."""
    figure = bootstrapped(metric, lambda places: metrics.ece(confidence[places], right[places]), len(right))
    return figure if figure.low is None else replace(figure, low=min(figure.low, figure.value))


def _auc(metric: str, margin: NDArray[np.float64], positive: NDArray[np.bool_]) -> Figure:
    """The ROC area of the second of two classes."""
    return bootstrapped(metric, lambda places: metrics.auc(margin[places], positive[places]), len(positive), chance=0.5)
