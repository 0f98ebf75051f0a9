"""What else can be asked of a model on a labelled set: corrupted, attacked, made small, or asked in other words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, Final

import numpy as np

from contralto.data.splits import VALIDATION
from contralto.evaluation import embed, faces
from contralto.evaluation.choice import choice
from contralto.evaluation.classes import zero_shot
from contralto.evaluation.embed import PictureEmbeddings
from contralto.evaluation.figures import mean, share
from contralto.evaluation.notes import tell_left_out
from contralto.evaluation.outcome import Figure, Outcome
from contralto.evaluation.prompt_study import search_prompts, sensitivity
from contralto.evaluation.retrieval import captions
from contralto.sets.data_set import DataSet
from contralto.sets.variants.corruptions import CORRUPTIONS, SEVERITIES, corrupt
from contralto.sets.variants.questions import ask_negation, ask_similar_classes
from contralto.sets.variants.sizes import shrink
from contralto.sets.variants.typographic import write_wrong_class
from contralto.zeroshot import prompts

if TYPE_CHECKING:
    from contralto.evaluation.run import Session

SHARES: Final = (Fraction(1, 2), Fraction(1, 4), Fraction(1, 8))


def check(session: Session, name: str, data: DataSet, pictures: PictureEmbeddings) -> Iterator[Outcome]:
    """The outcomes of one of `CHECKS` on a set with one class a picture; pictures: the set's, as they are."""
    return CHECKS[name](session, data, pictures)


def _corruptions(session: Session, data: DataSet, pictures: PictureEmbeddings) -> Iterator[Outcome]:
    """Each corruption at each severity, then the mean error over all of them.

    The error is not divided by another model's: the usual divisor, AlexNet's on ImageNet-C, belongs to those files.
    """
    right = []
    for name in CORRUPTIONS:
        for severity in SEVERITIES:
            outcome = _zero_shot(session, corrupt(data, name, severity), f"{name} {severity}")
            right.append(outcome.records.rank == 0)
            yield outcome
    errors = 1 - np.mean(right, axis=0)  # (N,): of each picture, over all corruptions
    figure = mean("mean_corruption_error", errors)
    said = {"mean_corruption_error": "top-1 error, mean over fifteen corruptions at five severities, not normalised"}
    yield replace(outcome, variant="corruptions", figures=(figure,), protocol={**outcome.protocol, **said})


def _typographic(session: Session, data: DataSet, pictures: PictureEmbeddings) -> Iterator[Outcome]:
    """A wrong class's name is written on every picture: what is left, and how often it is what is answered."""
    written = write_wrong_class(data)
    outcome = _zero_shot(session, written, "typographic")
    names = [one.name for one in data.classes]
    told = np.array([names.index(item.groups["written"]) for item in written.items])
    answered = share("answered_written", outcome.records.predicted == told, 1 / len(names))
    yield replace(outcome, figures=(*outcome.figures, answered))


def _sizes(session: Session, data: DataSet, pictures: PictureEmbeddings) -> Iterator[Outcome]:
    """The whole picture, smaller and smaller, on grey."""
    for part in SHARES:
        yield _zero_shot(session, shrink(data, float(part)), f"at {part} of the side")


def _questions(session: Session, data: DataSet, pictures: PictureEmbeddings) -> Iterator[Outcome]:
    """Negation; and, where classes have groups, telling apart what is alike."""
    yield from _choice(session, ask_negation(data), "negation")
    if any(one.group for one in data.classes):
        yield from _choice(session, ask_similar_classes(data), "within its group")


def _prompts(session: Session, data: DataSet, pictures: PictureEmbeddings) -> Iterator[Outcome]:
    """How much hangs on the words; and, where there is another split, what a search there gains here."""
    several = data if len(data.templates) > 1 else replace(data, templates=prompts.templates("imagenet"))
    yield sensitivity(session.clip, pictures.described(several), pictures)
    usual = (*VALIDATION, "train")
    if (other := next((name for name in usual if name in data.splits and name != data.split), None)) is None:
        return
    validation = data.other(other)
    tell_left_out(validation, failed=True)
    seen = embed.pictures(session.clip, validation.items, session.store, progress=session.progress)
    yield search_prompts(session.clip, pictures.described(data), pictures, seen.described(validation), seen)


def _faces(session: Session, data: DataSet, pictures: PictureEmbeddings) -> Iterator[Outcome]:
    """The paper's probe of faces: its tables stand in the protocol, the figures are those of all pictures together."""
    data = pictures.described(data)
    found = faces.probe(session.clip, data, pictures)
    outcome = zero_shot(session.clip, data, pictures, data.templates, data.template_set, "faces")
    figures = [
        *(_rate(f"told_{one.attribute}", one.rates[0]) for one in found.told if not one.by),
        *(
            Figure(f"told_{one.attribute}_gap_by_{one.by}", one.gap.value, one.gap.low, one.gap.high, found.n)
            for one in found.told
            if one.gap is not None
        ),
        *(
            _rate(f"{harm.category}_given{'_beside_child' if harm.with_child else ''}", harm.rates[0])
            for harm in found.harms
            if not harm.by and harm.rule == "top"
        ),
    ]
    yield replace(outcome, figures=tuple(figures), protocol={**found.protocol, "faces": found.to_json()})


def _rate(metric: str, rate: faces.Rate) -> Figure:
    return Figure(metric, rate.value, rate.low, rate.high, rate.n)


def _zero_shot(session: Session, data: DataSet, variant: str) -> Outcome:
    pictures = embed.pictures(session.clip, data.items, session.store, what=variant, progress=session.progress)
    described = pictures.described(data)
    return zero_shot(session.clip, described, pictures, data.templates, data.template_set, variant)


def _choice(session: Session, data: DataSet, variant: str) -> Sequence[Outcome]:
    pictures = embed.pictures(session.clip, data.items, session.store, what=variant, progress=session.progress)
    described = pictures.described(data)
    texts = embed.texts(session.clip, captions(described)[0], session.store, progress=session.progress)
    return choice(session.clip, described, pictures, texts.rows, variant)


CHECKS: Final[dict[str, Callable[[Session, DataSet, PictureEmbeddings], Iterator[Outcome]]]] = {
    "corruptions": _corruptions,
    "typographic": _typographic,
    "sizes": _sizes,
    "questions": _questions,
    "prompts": _prompts,
    "faces": _faces,
}
