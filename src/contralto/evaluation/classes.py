"""Zero-shot classification: pictures against the rows of class names, and the figures of it.

Protocol of the paper (section 3.1): a class's row is the mean of its templates' unit rows, made unit; the class with
the highest cosine is the answer. Confidence is the contract's own score rule over all classes, for sigmoid models too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contralto import metrics
from contralto.contract import Score
from contralto.encoder import Clip
from contralto.encoder.rows import Rows, at_once, probabilities
from contralto.evaluation.embed import Pictures
from contralto.evaluation.outcome import Figure, Outcome, Records
from contralto.evaluation.protocol import of_classes, protocol
from contralto.sets.items import Class, DataSet

MOST_TO_FIT = 5000  # pictures of a half that a temperature is fitted on: more would not move it


@dataclass(frozen=True, eq=False)
class Answers:
    """What a classifier says of N pictures: predicted int64, confidence float64, rank int64 (see Records).

    tempered: the confidence under the temperatures that were fitted; None where there is no softmax to temper. margin:
    of two classes, by how much the second scores above the first (for a sigmoid rule, its own score).
    """

    predicted: NDArray[np.int64]
    confidence: NDArray[np.float64]
    rank: NDArray[np.int64]
    tempered: NDArray[np.float64] | None = None
    temperatures: tuple[float, float] | None = None
    margin: NDArray[np.float64] | None = None


def zero_shot(
    clip: Clip, data: DataSet, pictures: Pictures, templates: Sequence[str], template_set: str, variant: str = ""
) -> Outcome:
    """The outcome of a set with classes, its texts made with these templates. Raises ContraltoError."""
    class_rows = rows_of(clip, data.classes, templates)
    said = protocol(clip, data, pictures) | of_classes(data.classes, templates, template_set)
    labels = labels_of(data)
    answers = answer(pictures.rows, class_rows, labels, clip.contract.score, pictures.digests)
    if answers.temperatures:
        said["temperatures"] = {
            "fitted": "by least negative log-likelihood on the other half of the pictures, halves by their sha256",
            "values": [round(t, 4) for t in answers.temperatures],
        }
    return of_answers(data, pictures, answers, said, variant)


def rows_of(clip: Clip, classes: Sequence[Class], templates: Sequence[str]) -> Rows:
    """Unit rows (C, d) of the classes."""
    return clip.encode_labels({str(i): one.names for i, one in enumerate(classes)}, templates)


def labels_of(data: DataSet) -> NDArray[np.int64]:
    """Class indices int64 (N,)."""
    return np.array([-1 if (label := data.items[i].label) is None else label for i in range(len(data.items))], np.int64)


def answer(
    rows: Rows, class_rows: Rows, labels: NDArray[np.int64], rule: Score, digests: Sequence[bytes | None]
) -> Answers:
    """rows (N, d) against class_rows (C, d), some pictures at a time. A row of zeros, of a picture that failed, is
    wrong at any k."""
    count = len(rows)
    predicted, rank = np.empty(count, np.int64), np.empty(count, np.int64)
    confidence = np.empty(count, np.float64)
    halves = np.array([digest is not None and digest[0] % 2 == 1 for digest in digests], bool)
    there = np.asarray(rows.any(axis=1))
    fitted = _temperatures(rows, class_rows, labels, rule, halves, there)
    tempered = np.empty(count, np.float64) if fitted else None
    for start in range(0, count, step := at_once(len(class_rows))):
        part = slice(start, start + step)
        cosine = rows[part] @ class_rows.T
        rank[part] = metrics.ranks(cosine, labels[part])
        predicted[part] = _told(cosine, labels[part], rank[part])
        confidence[part] = probabilities(cosine, rule).max(axis=1)
        if fitted and tempered is not None:
            scales = rule.scale / np.where(halves[part], fitted[0], fitted[1])
            soft = replace(rule, scale=1.0)
            tempered[part] = probabilities(cosine * scales[:, None].astype(np.float32), soft).max(axis=1)
    rank[~there], predicted[~there], confidence[~there] = len(class_rows), -1, 0.0
    margin = None
    if len(class_rows) == 2:
        towards = class_rows[1] - class_rows[0] if rule.rule == "softmax" else class_rows[1]
        margin = (rows @ towards).astype(np.float64)
    return Answers(predicted, confidence, rank, tempered, fitted, margin)


def of_answers(data: DataSet, pictures: Pictures, answers: Answers, said: dict[str, Any], variant: str) -> Outcome:
    """The outcome of a set with one class a picture, however the answers were found."""
    labels = labels_of(data)
    records = Records(
        key=np.array([data.items[i].key for i in range(len(data.items))], object),
        label=labels,
        predicted=answers.predicted,
        confidence=answers.confidence,
        rank=answers.rank,
        direction=np.full(len(labels), "", object),
        text=np.full(len(labels), -1, np.int64),
    )
    figures = _figures(data.metric, records, len(data.classes), answers)
    names = tuple(one.name for one in data.classes)
    return Outcome(data.name, data.split, data.task, variant, figures, said, records, names, dict(pictures.failures))


def _figures(metric: str, records: Records, classes: int, answers: Answers) -> tuple[Figure, ...]:
    """The set's own metric first, then the others that its answers have."""
    right, count = records.rank == 0, len(records)
    found = [
        share("top1", right, chance=1 / classes),
        *([share("top5", records.rank < 5, chance=5 / classes)] if classes > 5 else []),
        _mean_per_class(records, right, classes),
    ]
    if metric == "mean_top1_top5":
        both = (right.astype(float) + (records.rank < 5)) / 2
        low, high = metrics.bootstrap(lambda drawn: float(both[drawn].mean()), count)
        found.append(Figure("mean_top1_top5", float(both.mean()), low, high, count, chance=3 / classes))
    if answers.margin is not None:
        found.append(_auc(answers.margin, records.label == 1))
    found.append(_ece("ece", records.confidence, right))
    if answers.tempered is not None:
        found.append(_ece("ece_tempered", answers.tempered, right))
    return tuple(sorted(found, key=lambda figure: figure.metric != metric))


def _temperatures(
    rows: Rows,
    class_rows: Rows,
    labels: NDArray[np.int64],
    rule: Score,
    halves: NDArray[np.bool_],
    there: NDArray[np.bool_],
) -> tuple[float, float] | None:
    """Fitted on the first half and on the second: each is for the other. None if the rule is no softmax."""
    usable = [np.flatnonzero(there & (halves == half))[:MOST_TO_FIT] for half in (False, True)]
    if rule.rule != "softmax" or min(map(len, usable)) < 2 or len(class_rows) < 2:
        return None
    first, second = (metrics.temperature(rule.scale * (rows[one] @ class_rows.T), labels[one]) for one in usable)
    return first, second


def _told(cosine: Rows, labels: NDArray[np.int64], rank: NDArray[np.int64]) -> NDArray[np.int64]:
    """The best class of each row; where a wrong one ties with the right one, the wrong one."""
    best: NDArray[np.int64] = cosine.argmax(axis=1)
    for i in np.flatnonzero((rank > 0) & (best == labels)):
        others = cosine[i].copy()
        others[labels[i]] = -np.inf
        best[i] = others.argmax()
    return best


def share(metric: str, right: NDArray[np.bool_], chance: float | None = None) -> Figure:
    """Of right (N,), with its exact interval."""
    low, high = metrics.clopper_pearson(int(right.sum()), len(right))
    return Figure(metric, float(right.mean()), low, high, len(right), chance)


def _mean_per_class(records: Records, right: NDArray[np.bool_], classes: int) -> Figure:
    def value(drawn: NDArray[np.intp]) -> float:
        return metrics.mean_per_class(right[drawn], records.label[drawn])

    low, high = metrics.bootstrap(value, len(right))
    return Figure("mean_per_class", value(np.arange(len(right))), low, high, len(right), 1 / classes)


def _ece(metric: str, confidence: NDArray[np.float64], right: NDArray[np.bool_]) -> Figure:
    """ECE is biased upwards, in resamples even more, so that its interval may have to be widened to hold it."""
    value = metrics.ece(confidence, right)
    low, high = metrics.bootstrap(lambda drawn: metrics.ece(confidence[drawn], right[drawn]), len(right))
    return Figure(metric, value, min(low, value), high, len(right))


def _auc(margin: NDArray[np.float64], positive: NDArray[np.bool_]) -> Figure:
    """Of the second of two classes."""
    low, high = metrics.bootstrap(lambda drawn: metrics.auc(margin[drawn], positive[drawn]), len(positive))
    return Figure("auc", metrics.auc(margin, positive), low, high, len(positive), chance=0.5)
