"""`evaluate`: the measurements for each task of a data set, and their order."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from contralto import arguments
from contralto.encoder import Clip
from contralto.errors import ContraltoError
from contralto.evaluation.adapted import adapted_outcome
from contralto.evaluation.cached_embeddings import Progress
from contralto.evaluation.checks import CHECKS, run_check
from contralto.evaluation.choice import choice
from contralto.evaluation.condition import PLAIN, Condition
from contralto.evaluation.detection import detection
from contralto.evaluation.multi_label import multi_label
from contralto.evaluation.notes import NOTES, note_left_out
from contralto.evaluation.outcome import Outcome
from contralto.evaluation.overlap import THRESHOLD
from contralto.evaluation.overlapping import measure_overlap
from contralto.evaluation.probes import PROBES, run_probe
from contralto.evaluation.retrieval import captions, retrieval
from contralto.evaluation.session import Session, open_session
from contralto.evaluation.zero_shot import zero_shot
from contralto.metrics import UndefinedError
from contralto.sets.data_set import DataSet
from contralto.sets.open import open_set
from contralto.zeroshot import prompts

SHOTS: Final = (1, 2, 4, 8, 16)
NEEDED: Final = {"classes": "one class per picture", "retrieval": "captions"}
"""The task of a check in words."""


@dataclass(frozen=True)
class EvaluateOptions:
    """The options of `evaluate` that apply to every data set; the data set `overlap` is open."""

    templates: str | Sequence[str] | None = None
    probe: str | None = None
    shots: tuple[int, ...] = SHOTS
    checks: tuple[str, ...] = ()
    overlap: DataSet | None = None
    threshold: float = THRESHOLD
    overlong: str | None = None


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
    overlong: str | None = None,
    fresh: bool = False,
    progress: Progress | None = None,
) -> list[Outcome]:
    """Measures `clip` on data sets: figures with 95% intervals, their protocol, and one record per item.

        evaluate(clip, "cifar10", folder="data", probe="linear")

    data: the name of a data set in `folder`, or a path, either with ":split" (see `contralto.sets.open.open_set`); an
        open DataSet; or a list of these.
    templates: None for those of the data set; the name of a template set; texts with {}; or "compare": the bare name, a
        single template and seven templates, in addition to those of the data set.
    probe: also fits a linear probe, nearest neighbours or few-shot probes to features of the training split.
    checks: names in `CHECKS`.
    overlap: a data set, such as the model's training data, to search for near-duplicates of the measured pictures.
    threshold: the similarity (0 to 1) above which two pictures count as duplicates; judge it by the pairs that the
        protocol lists.
    overlong: what becomes of captions and prompts that are longer than the context, as in `Clip.encode_text`. None:
        captions are cut, and such a prompt is an error. The protocol counts them.
    fresh: computes embeddings again. Else they are cached on disk, so an interrupted run resumes.

    Raises DataError if a data set is missing or malformed, ContraltoError if arguments fit no data set.
    """
    several = _data_sets(data, "data")
    if overlap is not None:
        _data_sets([overlap], "overlap")
    _check_arguments(clip, folder, templates, shots, checks, threshold, fresh, progress)
    with open_session(clip, fresh=fresh, progress=progress) as session:

        def opened(one: str | os.PathLike[str] | DataSet) -> DataSet:
            return one if isinstance(one, DataSet) else open_set(os.fspath(one), Path(folder))

        other = None if overlap is None else opened(overlap)
        options = EvaluateOptions(templates, probe, tuple(shots), tuple(checks), other, threshold, overlong)
        return [outcome for one in several for outcome in measure(session, opened(one), options)]


def measure(session: Session, data: DataSet, options: EvaluateOptions = EvaluateOptions()) -> Iterator[Outcome]:
    """The outcomes of one data set, each as soon as it is computed.

    Notes name the files that the data set leaves out, and the metrics without a value on it. Raises the errors of
    `evaluate`, and UndefinedError if no metric has a value.
    """
    note_left_out(data)
    if options.overlong is not None:
        session.clip.encode_text([], overlong=options.overlong)  # raises its error before any work
    session = replace(session, overlong=options.overlong)
    for outcome in _outcomes(session, data, _options_for(data, options)):
        where = f"{data.name}:{data.split}" + (f", {outcome.variant}" if outcome.variant else "")
        for metric, reason in outcome.undefined.items():
            NOTES.info("%s has no %s: %s", where, metric, reason)
        if outcome.figures:
            yield replace(outcome, failures={**outcome.failures, **data.left_out.failed})
        elif outcome.is_plain:
            raise UndefinedError(f"{where} has no figure: {'; '.join(outcome.undefined.values())}")


def _outcomes(session: Session, data: DataSet, options: EvaluateOptions) -> Iterator[Outcome]:
    if data.task == "boxes":
        ((_, templates, name),) = _template_sets(data, options.templates)
        yield detection(session, data, templates, name)
        return
    pictures = session.embed_pictures(data)
    described = pictures.without_pictures(data)
    if data.task == "retrieval":
        template = _only((data.templates or prompts.PLAIN) if options.templates is None else options.templates)
        yield retrieval(session, described, pictures, template)
    elif data.task in ("choice", "pairs"):
        texts = session.embed_texts(captions(described)[0])
        yield from choice(session.clip, described, pictures, texts)
    else:
        classify = multi_label if data.task == "labels" else zero_shot
        for condition, templates, name in _template_sets(data, options.templates):
            outcome = classify(session.clip, described, pictures, templates, name, condition, options.overlong)
            yield outcome
            if options.overlap is not None and condition == PLAIN:
                yield measure_overlap(session, data, pictures, outcome, options.overlap, options.threshold)
        if data.task == "classes":
            yield from adapted_outcome(session, data, pictures)
    if options.probe is not None:
        yield from _where_defined(data, options.probe, run_probe(session, data, options.probe, options.shots))
    for name in options.checks:
        yield from _where_defined(data, name, run_check(session, name, data, pictures))


def _where_defined(data: DataSet, what: str, outcomes: Iterator[Outcome]) -> Iterator[Outcome]:
    """The outcomes of a probe or a check. It ends, with a note, when one has no value on this data set."""
    try:
        yield from outcomes
    except UndefinedError as error:
        NOTES.info("%s:%s is measured without %s: %s", data.name, data.split, what, error)


def _options_for(data: DataSet, options: EvaluateOptions) -> EvaluateOptions:
    """The options that apply to this data set. A note names those that do not, as several data sets share the options.

    Raises ContraltoError for options that apply to no data set.
    """
    if options.probe is not None and options.probe not in PROBES:
        raise ContraltoError(f"probe must be one of {', '.join(PROBES)}, got {options.probe!r}")
    if unknown := [name for name in options.checks if name not in CHECKS]:
        raise ContraltoError(f"checks must be among {', '.join(CHECKS)}, got {unknown[0]!r}")
    left_out = []
    if data.task != "classes" and (options.probe or options.overlap):
        left_out.append("probes and overlap, which need one class per picture")
        options = replace(options, probe=None, overlap=None)
    fitting = tuple(name for name in options.checks if CHECKS[name].task == data.task)
    if unfit := [name for name in options.checks if name not in fitting]:
        needed = dict.fromkeys(NEEDED[CHECKS[name].task] for name in unfit)
        left_out.append(f"{', '.join(unfit)}, which need{'s' * (len(unfit) == 1)} {' or '.join(needed)}")
        options = replace(options, checks=fitting)
    if data.task in ("choice", "pairs") and options.templates is not None:
        left_out.append("templates, as its texts are whole captions")
        options = replace(options, templates=None)
    if data.task == "retrieval" and options.templates == "compare":
        left_out.append("templates to compare, as it has no class names")
        options = replace(options, templates=None)
    if data.task == "boxes" and options.templates == "compare":
        left_out.append("templates to compare, as each would search all pictures again")
        options = replace(options, templates=None)
    if data.task == "boxes" and options.overlong is not None:
        left_out.append("overlong, as its texts are names")
    if left_out:
        NOTES.info("%s is measured without %s", data.name, "; without ".join(left_out))
    return options


def _template_sets(
    data: DataSet, templates: str | Sequence[str] | None
) -> list[tuple[Condition, tuple[str, ...], str]]:
    """(condition, templates, name of the template set), for each outcome to measure."""
    own = (PLAIN, data.templates, data.template_set)
    if templates is None:
        return [own]
    if templates == "compare":
        ways = {"name": prompts.PLAIN, "single": ("a photo of a {}.",), "imagenet-7": prompts.templates("imagenet-7")}
        return [own, *((Condition("templates", name), several, name) for name, several in ways.items())]
    if isinstance(templates, str) and templates != "none":
        return [(PLAIN, prompts.templates(templates), templates)]
    several = prompts.templates(None if templates == "none" else templates)
    return [(PLAIN, several, "none" if several == prompts.PLAIN else "given")]


def _only(templates: str | Sequence[str]) -> str:
    """The one template of captions. Raises ContraltoError for more, or for one without a place for the caption."""
    several = (
        list(prompts.PLAIN) if templates == "none" else [templates] if isinstance(templates, str) else list(templates)
    )
    if len(several) != 1 or prompts.PLACE not in several[0]:
        raise ContraltoError("captions take one template, such as 'a photo of {}', or none")
    return several[0]


def _data_sets(data: object, name: str) -> list[str | os.PathLike[str] | DataSet]:
    """One data set or several, as a list. Raises ContraltoError for anything else; name: the argument."""
    single = isinstance(data, str | os.PathLike | DataSet)
    several: list[Any] = [data] if single else [*data] if isinstance(data, Iterable) else []
    if not several or not all(isinstance(one, str | os.PathLike | DataSet) for one in several):
        needed = "the name or path of a set, a DataSet, or a list of these"
        raise ContraltoError(f"{name} must be {needed}, got {arguments.shown(data)}")
    return several


def _check_arguments(
    clip: object,
    folder: object,
    templates: Any,
    shots: object,
    checks: object,
    threshold: object,
    fresh: object,
    progress: object,
) -> None:
    """Raises ContraltoError for arguments that would fail only after hours of work, or not at all."""
    if isinstance(clip, type) or not hasattr(clip, "engine_report"):
        raise ContraltoError(f"clip must be a Clip, as contralto.load gives it, got {arguments.shown(clip)}")
    arguments.path(folder, "folder")
    arguments.number(threshold, "threshold", 0)
    arguments.flag(fresh, "fresh")
    arguments.function(progress, "progress", "stage, done, total")
    if not isinstance(templates, str):
        prompts.templates(templates)
    for name, given in (("shots", shots), ("checks", checks)):
        if not isinstance(given, Iterable):
            raise ContraltoError(f"{name} must be a list, got {arguments.shown(given)}")
