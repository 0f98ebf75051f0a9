"""Measuring a model on sets: what is asked of each task, in which order, and what is kept between runs."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from contralto import arguments, metrics
from contralto.encoder import Clip
from contralto.errors import ContraltoError
from contralto.evaluation import embed
from contralto.evaluation.checks import CHECKS, check
from contralto.evaluation.choice import choice
from contralto.evaluation.classes import zero_shot
from contralto.evaluation.embed import PictureEmbeddings, Progress
from contralto.evaluation.labels import several_labels
from contralto.evaluation.notes import NOTES, tell_left_out
from contralto.evaluation.outcome import Outcome
from contralto.evaluation.overlap import THRESHOLD
from contralto.evaluation.overlapping import overlapping
from contralto.evaluation.probes import PROBES, probed
from contralto.evaluation.retrieval import captions, retrieval
from contralto.evaluation.store import Store
from contralto.metrics import UndefinedError
from contralto.sets.data_set import DataSet
from contralto.sets.open import open_set
from contralto.zeroshot import prompts

SHOTS: Final = (1, 2, 4, 8, 16)


def evaluate(
    clip: Clip,
    data: str | os.PathLike[str] | DataSet | Iterable[str | os.PathLike[str] | DataSet],
    *,
    folder: str | os.PathLike[str] = ".",
    templates: str | Sequence[str] | None = None,
    probe: str | None = None,
    shots: Sequence[int] = SHOTS,
    checks: Sequence[str] = (),
    overlap: str | os.PathLike[str] | DataSet | None = None,
    threshold: float = THRESHOLD,
    fresh: bool = False,
    progress: Progress | None = None,
) -> list[Outcome]:
    """Measures `clip` on sets: figures with 95% intervals, the protocol behind them, and a record an item.

    data: a set's name, found under `folder`, or a path, either with ":split" (see `contralto.sets.open_set`); a DataSet
    that is open; or a list of these. templates: the set's own if None; the name of a set of templates, texts with {},
    or "compare": bare name, a single template and seven of them, beside the set's own. probe: also fit a linear probe,
    nearest neighbours or few-shot probes on the training split's features. checks: names in `CHECKS`. overlap: a set,
    such as a model's training set, whose near-duplicates are looked for in what is measured; threshold: how alike two
    pictures are from which on they are taken for one (0 to 1), to be judged by the pairs that the protocol lists.
    Embeddings are kept in the cache folder, so that an interrupted run goes on; fresh=True makes them anew.

    Raises DataError for a set that is missing or malformed, ContraltoError for arguments that fit no set.
    """
    several = _several(data, "data")
    if overlap is not None:
        _several([overlap], "overlap")
    _check(clip, folder, templates, shots, checks, threshold, fresh, progress)
    with session(clip, fresh=fresh, progress=progress) as measuring:

        def opened(one: str | os.PathLike[str] | DataSet) -> DataSet:
            return one if isinstance(one, DataSet) else open_set(os.fspath(one), Path(folder))

        seen = None if overlap is None else opened(overlap)
        asked = Asked(templates, probe, tuple(shots), tuple(checks), seen, threshold)
        return [outcome for one in several for outcome in measuring.outcomes(opened(one), asked)]


def _several(data: object, name: str) -> list[str | os.PathLike[str] | DataSet]:
    """The sets that are asked for, one or more. Raises ContraltoError."""
    single = isinstance(data, str | os.PathLike | DataSet)
    several: list[Any] = [data] if single else [*data] if isinstance(data, Iterable) else []
    if not several or not all(isinstance(one, str | os.PathLike | DataSet) for one in several):
        told = "the name or path of a set, a DataSet, or a list of these"
        raise ContraltoError(f"{name} must be {told}, got {arguments.shown(data)}")
    return several


def _check(
    clip: object,
    folder: object,
    templates: Any,
    shots: object,
    checks: object,
    threshold: object,
    fresh: object,
    progress: object,
) -> None:
    """What would fail only after hours of work, or not at all. Raises ContraltoError."""
    if isinstance(clip, type) or not hasattr(clip, "engine_report"):
        raise ContraltoError(f"clip must be a Clip, as contralto.load gives it, got {arguments.shown(clip)}")
    arguments.path(folder, "folder")
    arguments.number(threshold, "threshold", 0)
    arguments.flag(fresh, "fresh")
    arguments.function(progress, "progress", "what is done, done, total")
    if not isinstance(templates, str):
        prompts.templates(templates)
    for name, given in (("shots", shots), ("checks", checks)):
        if not isinstance(given, Iterable):
            raise ContraltoError(f"{name} must be a list, got {arguments.shown(given)}")


@dataclass(frozen=True)
class Asked:
    """What is asked of every set, as `evaluate` takes it; overlap is open."""

    templates: str | Sequence[str] | None = None
    probe: str | None = None
    shots: tuple[int, ...] = SHOTS
    checks: tuple[str, ...] = ()
    overlap: DataSet | None = None
    threshold: float = THRESHOLD


@dataclass(frozen=True, eq=False)
class Session:
    """A model, what is kept of its work, and who is told how far it is."""

    clip: Clip
    store: Store
    progress: Progress

    def outcomes(self, data: DataSet, asked: Asked = Asked()) -> Iterator[Outcome]:
        """Everything that is asked of one set, as it is worked out. What the set leaves out, and figures that have no
        value on it, are told as notes. Raises as `evaluate`, and UndefinedError where no figure has a value."""
        tell_left_out(data)
        for outcome in self._outcomes(data, _fit_for(data, asked)):
            where = f"{data.name}:{data.split}" + (f", {outcome.variant}" if outcome.variant else "")
            for metric, reason in outcome.protocol.get("without", {}).items():
                NOTES.info("%s has no %s: %s", where, metric, reason)
            if outcome.figures:
                yield replace(outcome, failures={**outcome.failures, **data.left_out.failed})
            elif not outcome.variant:
                raise UndefinedError(f"{where} has no figure: {'; '.join(outcome.protocol['without'].values())}")

    def _outcomes(self, data: DataSet, asked: Asked) -> Iterator[Outcome]:
        pictures = embed.pictures(self.clip, data.items, self.store, progress=self.progress)
        described = pictures.described(data)
        if data.task == "retrieval":
            yield self._retrieval(described, pictures, asked.templates)
        elif data.task in ("choice", "pairs"):
            yield from self._choice(described, pictures)
        else:
            measure = several_labels if data.task == "labels" else zero_shot
            for variant, chosen, name in _chosen(data, asked.templates):
                outcome = measure(self.clip, described, pictures, chosen, name, variant)
                yield outcome
                if asked.overlap is not None and not variant:
                    yield overlapping(self, data, pictures, outcome, asked.overlap, asked.threshold)
        if asked.probe is not None:
            yield from _where_defined(data, asked.probe, probed(self, data, asked.probe, asked.shots))
        for name in asked.checks:
            yield from _where_defined(data, name, check(self, name, data, pictures))

    def _retrieval(self, data: DataSet, pictures: PictureEmbeddings, templates: str | Sequence[str] | None) -> Outcome:
        template = _only((data.templates or prompts.PLAIN) if templates is None else templates)
        several, owners = captions(data, template)
        texts = embed.texts(self.clip, several, self.store, progress=self.progress)
        return retrieval(
            self.clip,
            data,
            pictures,
            texts,
            owners,
            template=template,
            progress=lambda done, total: self.progress("comparing", done, total),
        )

    def _choice(self, data: DataSet, pictures: PictureEmbeddings) -> list[Outcome]:
        texts = embed.texts(self.clip, captions(data)[0], self.store, progress=self.progress)
        return choice(self.clip, data, pictures, texts.rows)


@contextmanager
def session(clip: Clip, *, fresh: bool = False, progress: Progress | None = None) -> Iterator[Session]:
    """Settles what the model computes in, so that all rows of a run are of one kind, and opens what is kept.

    Raises MissingExtraError without the extra `evaluate`.
    """
    metrics.clopper_pearson(0, 1)  # which needs the extra: better told now than after hours of embedding
    clip.engine_report()
    with Store(clip, fresh=fresh, warn=NOTES.warning) as store:
        yield Session(clip, store, progress or (lambda what, done, total: None))


def _where_defined(data: DataSet, what: str, outcomes: Iterator[Outcome]) -> Iterator[Outcome]:
    """What a probe or a check gives, up to where it has no value on this set, which is told."""
    try:
        yield from outcomes
    except UndefinedError as error:
        NOTES.info("%s:%s is measured without %s: %s", data.name, data.split, what, error)


def _fit_for(data: DataSet, asked: Asked) -> Asked:
    """What of it can be asked of this set; what is left out is told, as several sets may be asked the same.

    Raises ContraltoError for what no set can be asked.
    """
    if asked.probe is not None and asked.probe not in PROBES:
        raise ContraltoError(f"probe must be one of {', '.join(PROBES)}, got {asked.probe!r}")
    if unknown := [name for name in asked.checks if name not in CHECKS]:
        raise ContraltoError(f"no check is called {unknown[0]!r} (there are: {', '.join(CHECKS)})")
    left_out = []
    if data.task != "classes" and (asked.probe or asked.checks or asked.overlap):
        left_out.append("probes, checks and overlap, which need one class a picture")
        asked = replace(asked, probe=None, checks=(), overlap=None)
    if data.task in ("choice", "pairs") and asked.templates is not None:
        left_out.append("templates, as its texts are whole captions")
        asked = replace(asked, templates=None)
    if data.task == "retrieval" and asked.templates == "compare":
        left_out.append("templates to compare, as it has no class names")
        asked = replace(asked, templates=None)
    if left_out:
        NOTES.info("%s is measured without %s", data.name, "; without ".join(left_out))
    return asked


def _chosen(data: DataSet, templates: str | Sequence[str] | None) -> list[tuple[str, tuple[str, ...], str]]:
    """(variant, templates, what they are called) of each way to name the classes."""
    own = ("", data.templates, data.template_set)
    if templates is None:
        return [own]
    if templates == "compare":
        ways = {"name": prompts.PLAIN, "single": ("a photo of a {}.",), "imagenet-7": prompts.templates("imagenet-7")}
        return [own, *((f"templates {name}", several, name) for name, several in ways.items())]
    if isinstance(templates, str) and templates != "none":
        return [("", prompts.templates(templates), templates)]
    several = prompts.templates(None if templates == "none" else templates)
    return [("", several, "none" if several == prompts.PLAIN else "given")]


def _only(templates: str | Sequence[str]) -> str:
    several = (
        list(prompts.PLAIN) if templates == "none" else [templates] if isinstance(templates, str) else list(templates)
    )
    if len(several) != 1 or prompts.PLACE not in several[0]:
        raise ContraltoError("captions take one template, such as 'a photo of {}', or none")
    return several[0]
