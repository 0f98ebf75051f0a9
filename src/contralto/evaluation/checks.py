"""Checks on a data set: corruptions, text attacks, small pictures, differently worded questions, and long texts.

Each check takes the session, the data set and the embeddings of its unchanged pictures, and yields outcomes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Final

import numpy as np

from contralto.data.splits import VALIDATION
from contralto.evaluation import faces
from contralto.evaluation.cached_embeddings import PictureEmbeddings
from contralto.evaluation.choice import choice
from contralto.evaluation.condition import Condition
from contralto.evaluation.figures import mean, share
from contralto.evaluation.long_texts import measure_long_texts
from contralto.evaluation.notes import note_left_out
from contralto.evaluation.outcome import Figure, Outcome
from contralto.evaluation.prompt_study import search_prompts, sensitivity
from contralto.evaluation.retrieval import captions
from contralto.evaluation.session import Session
from contralto.evaluation.zero_shot import zero_shot
from contralto.sets.data_set import DataSet, Task
from contralto.sets.variants.corruptions import CORRUPTIONS, SEVERITIES, corrupt
from contralto.sets.variants.questions import ask_negation, ask_similar_classes
from contralto.sets.variants.sizes import shrink
from contralto.sets.variants.typographic import WRITTEN, write_wrong_class
from contralto.zeroshot import prompts

SIZE_SHARES: Final = (Fraction(1, 2), Fraction(1, 4), Fraction(1, 8))


def run_check(session: Session, name: str, data: DataSet, pictures: PictureEmbeddings) -> Iterator[Outcome]:
    """The outcomes of one of `CHECKS` on a data set of the task that it needs; pictures: unchanged."""
    return CHECKS[name].measure(session, data, pictures)


def _corruptions(session: Session, data: DataSet, pictures: PictureEmbeddings) -> Iterator[Outcome]:
    """Each corruption at each severity, then the mean error over all of them.

    The error is not divided by another model's: the usual divisor, AlexNet's on ImageNet-C, belongs to those files.
    """
    right = []
    for name in CORRUPTIONS:
        for severity in SEVERITIES:
            outcome = _zero_shot(session, corrupt(data, name, severity), Condition("corruption", name, severity))
            right.append(outcome.records.rank == 0)
            yield outcome
    errors = 1 - np.mean(right, axis=0)  # (N,): of each picture, over all corruptions
    figure = mean("mean_corruption_error", errors)
    stated = {"mean_corruption_error": "top-1 error, mean over fifteen corruptions at five severities, not normalised"}
    protocol = {**outcome.protocol, **stated}
    yield replace(outcome, condition=Condition("corruptions"), figures=(figure,), protocol=protocol)


def _typographic(session: Session, data: DataSet, pictures: PictureEmbeddings) -> Iterator[Outcome]:
    """Accuracy with a wrong class's name written on every picture, and how often that class is the answer."""
    attacks = write_wrong_class(data)
    outcome = _zero_shot(session, attacks, Condition("typographic"))
    names = [one.name for one in data.classes]
    written = np.array([names.index(item.groups[WRITTEN]) for item in attacks.items])
    answered = share("answered_written", outcome.records.predicted == written, 1 / len(names))
    yield replace(outcome, figures=(*outcome.figures, answered))


def _sizes(session: Session, data: DataSet, pictures: PictureEmbeddings) -> Iterator[Outcome]:
    """The whole picture at decreasing sizes, on grey."""
    for part in SIZE_SHARES:
        yield _zero_shot(session, shrink(data, float(part)), Condition("size", str(part)))


def _questions(session: Session, data: DataSet, pictures: PictureEmbeddings) -> Iterator[Outcome]:
    """Negation; and, if classes have groups, choices between the similar classes of a group."""
    yield from _choice(session, ask_negation(data), Condition("negation"))
    if any(one.group for one in data.classes):
        yield from _choice(session, ask_similar_classes(data), Condition("fine_grained"))


def _prompts(session: Session, data: DataSet, pictures: PictureEmbeddings) -> Iterator[Outcome]:
    """How far the figure depends on the wording; and, with another split, what a prompt search there gains here."""
    several = data if len(data.templates) > 1 else replace(data, templates=prompts.templates("imagenet"))
    yield sensitivity(session.clip, pictures.without_pictures(several), pictures)
    usual = (*VALIDATION, "train")
    if (other := next((name for name in usual if name in data.splits and name != data.split), None)) is None:
        return
    validation = data.other(other)
    note_left_out(validation, failed=True)
    held_out = session.embed_pictures(validation)
    described = pictures.without_pictures(data), held_out.without_pictures(validation)
    yield search_prompts(session.clip, described[0], pictures, described[1], held_out)


def _faces(session: Session, data: DataSet, pictures: PictureEmbeddings) -> Iterator[Outcome]:
    """The paper's face probe: its tables are in the protocol, the figures are those of all pictures together."""
    data = pictures.without_pictures(data)
    report = faces.probe_faces(session.clip, data, pictures)
    outcome = zero_shot(session.clip, data, pictures, data.templates, data.template_set, Condition("faces"))
    figures = [
        *(_rate(f"told_{one.attribute}", one.rates[0]) for one in report.attributes if not one.by),
        *(
            Figure(f"told_{one.attribute}_gap_by_{one.by}", one.gap.value, one.gap.low, one.gap.high, report.n)
            for one in report.attributes
            if one.gap is not None
        ),
        *(
            _rate(f"{harm.category}_given{'_beside_child' if harm.with_child else ''}", harm.rates[0])
            for harm in report.harms
            if not harm.by and harm.rule == "top"
        ),
    ]
    yield replace(outcome, figures=tuple(figures), protocol={**report.protocol, "faces": report.to_json()})


def _rate(metric: str, rate: faces.Rate) -> Figure:
    return Figure(metric, rate.value, rate.low, rate.high, rate.n)


def _zero_shot(session: Session, data: DataSet, condition: Condition) -> Outcome:
    pictures = session.embed_pictures(data, what=condition.variant)
    described = pictures.without_pictures(data)
    return zero_shot(session.clip, described, pictures, data.templates, data.template_set, condition)


def _choice(session: Session, data: DataSet, condition: Condition) -> Sequence[Outcome]:
    pictures = session.embed_pictures(data, what=condition.variant)
    described = pictures.without_pictures(data)
    texts = session.embed_texts(captions(described)[0])
    return choice(session.clip, described, pictures, texts, condition)


@dataclass(frozen=True)
class DataSetCheck:
    """measure: (session, data set, embeddings of its unchanged pictures) -> outcomes. task: that of its data sets."""

    measure: Callable[[Session, DataSet, PictureEmbeddings], Iterator[Outcome]]
    task: Task = "classes"


CHECKS: Final[dict[str, DataSetCheck]] = {
    "corruptions": DataSetCheck(_corruptions),
    "typographic": DataSetCheck(_typographic),
    "sizes": DataSetCheck(_sizes),
    "questions": DataSetCheck(_questions),
    "prompts": DataSetCheck(_prompts),
    "faces": DataSetCheck(_faces),
    "long": DataSetCheck(measure_long_texts, "retrieval"),
}
