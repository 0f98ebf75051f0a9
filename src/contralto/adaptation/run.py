"""`adapt`: roles, a method that is fitted and chosen, one look at the measured part, and what comes out."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from contralto import arguments
from contralto.adaptation.fold_plan import FoldPlan, plan_folds
from contralto.adaptation.folder import require_new
from contralto.adaptation.frozen import FrozenFit, fit_frozen
from contralto.adaptation.long import LONG_CHOICE, fit_long, measure_long
from contralto.adaptation.measure import Measured, measure_classifier, measure_towers
from contralto.adaptation.methods import CLASSIFIERS, FittedClassifier
from contralto.adaptation.moved import Moved, caption_rows, move_for_captions, move_for_classes
from contralto.adaptation.report import AdaptationReport
from contralto.adaptation.result import Adaptation
from contralto.adaptation.roles import RolePart, Roles, assign_roles
from contralto.adaptation.rows import labelled_rows, only_decoded
from contralto.adaptation.suspects import Suspect
from contralto.adaptation.tuned import BY_NAME, Tuning, require_training
from contralto.adaptation.verdict import verdict
from contralto.encoder import Clip
from contralto.encoder.loading import adapted_clip, source_of
from contralto.errors import ContraltoError
from contralto.evaluation.cached_embeddings import Progress
from contralto.evaluation.publish import facts
from contralto.evaluation.retrieval import captions as captions_of
from contralto.evaluation.session import Session, open_session
from contralto.evaluation.zero_shot import embed_classes
from contralto.sets.classes_file import ClassNames
from contralto.sets.data_set import DataSet
from contralto.sets.open import open_set
from contralto.train.tuning.settings import Prompt, Way
from contralto.weights.adaptation import (
    AdaptationBase,
    AdaptationDescription,
    AdaptationMethod,
    TrainedOn,
    bytes_on_disk,
    in_memory,
)

METHODS: Final = ("auto", *CLASSIFIERS, "projection", "adapter", *BY_NAME)
CAPTION_METHODS: Final = ("auto", "projection", "adapter", "lora", "full", "long")
KEPT_ANYWAY: Final = "the sets to keep are not measured: the towers are untouched, so nothing changes there"


@dataclass(frozen=True)
class AdaptOptions:
    """What decides the fit. method: a name of METHODS, or a Lora, Full or Prompt."""

    method: str | Way = "auto"
    shots: int | None = None
    steps: int | None = None
    soup: int = 1
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Fit:
    """What any method gives: tensors and settings as they are stored, how it was chosen, and the classifiers of a
    learning curve where the towers are frozen. fit: the pictures that were used.
    """

    method: AdaptationMethod
    tensors: dict[str, Any]
    settings: dict[str, Any]
    why: str
    fit: RolePart
    candidates: dict[str, float]
    draws: Sequence[tuple[int, list[FittedClassifier]]] = ()
    suspects: tuple[Suspect, ...] = ()
    notes: tuple[str, ...] = ()


def adapt(
    clip: Clip,
    data: str | os.PathLike[str] | DataSet,
    *,
    method: str | Way = "auto",
    out: str | os.PathLike[str] | None = None,
    folder: str | os.PathLike[str] = ".",
    templates: str | Sequence[str] | None = None,
    classes: ClassNames | None = None,
    shots: int | None = None,
    keep: Iterable[str | os.PathLike[str] | DataSet] = (),
    steps: int | None = None,
    soup: int = 1,
    seed: int = 0,
    force: bool = False,
    progress: Progress | None = None,
) -> Adaptation:
    """Makes `clip` better at your own data, and measures whether it is.

        adaptation = contralto.adapt(clip, "trash.tar", out="mine")
        adaptation.verdict, adaptation.difference      # "helped", (value, low, high, p)

    data: as for `evaluate`: pictures with a class each, or with captions. Its split `train` is fitted; `test`, else
        `val`, is measured, once, after everything is chosen by five folds of `train`. Without a second split a fifth
        of each class, by sha256, is measured. Pictures of equal bytes never lie on both sides.
    method: "auto", the best of the methods with frozen towers; one of METHODS; or a `contralto.adaptation.Lora`, `Full`
        or `Prompt`, which need the extra `train`.
    out: the folder to write, whole or not at all. force: replace it if it exists.
    folder, templates, classes: as for `evaluate`. shots: fit only so many pictures of each class, drawn by `seed`.
    keep: data sets that the change should not harm; they are measured before and after. steps: of training, instead of
        as many as fit into 90 seconds. soup: so many trainings, with a seed each, are averaged.
    progress: called with (stage, done, total).

    Raises ContraltoError: DataError for data that cannot be used, MissingExtraError without the extra `evaluate`.
    """
    began = time.monotonic()
    if out is not None:
        require_new(Path(arguments.path(out, "out")), arguments.flag(force, "force"))
    arguments.function(progress, "progress", "stage, done, total")
    options = _options(clip, method, shots, steps, soup, seed)
    opened = _opened(data, folder, classes, templates)
    _check_method(opened, options.method)
    kept = [_opened(one, folder, None, None) for one in _listed(keep)]
    with open_session(clip, progress=progress) as session:
        roles = only_decoded(session, assign_roles(session, opened, shots=shots, seed=seed))
        made = fit(session, roles.fit, options)
        result = measured_result(session, roles, made, kept, began)
    if out is not None:
        result.save(out, force=force)
    return result


def fit(session: Session, part: RolePart, options: AdaptOptions) -> Fit:
    """The method, fitted to the part and chosen on it alone."""
    by_classes = part.data.task == "classes"
    method = options.method
    data, plan = part.data, plan_folds(session.clip, part)
    text = embed_classes(session.clip, data.classes, data.templates) if by_classes else None
    way = BY_NAME.get(method) if isinstance(method, str) else method
    if way is not None:
        tuned = Tuning(session, part, way, text, plan, options.steps, options.soup, options.seed).run()
        mixes = {f"mix {mix:g}": figure for mix, figure in tuned.mixes.items()}
        return Fit(tuned.method, tuned.tensors, tuned.settings, tuned.why, part, mixes, notes=plan.notes)
    assert isinstance(method, str)
    if method == "long":
        return Fit("long", fit_long(session, part, options.seed), {}, LONG_CHOICE, part, {})
    if text is None:
        return _moved(_move_captions(session, part, method, plan, options.seed), part, plan)
    if method in ("projection", "adapter"):
        rows, part = labelled_rows(session, part, text, plan.folds)
        return _moved(move_for_classes(session, rows, method, plan, options.seed), part, plan)
    return _frozen(fit_frozen(session, part, text, method, plan, options.seed), plan)


def measured_result(session: Session, roles: Roles, made: Fit, keep: Sequence[DataSet], began: float) -> Adaptation:
    """The adaptation of a fit, after one look at the measured part."""
    clip, data = session.clip, roles.measure.data
    stored = in_memory(_description(clip, roles, made), made.tensors)
    adapted = adapted_clip(clip, stored)
    if made.method == "long":
        before, after = measure_long(session, data, adapted)
        measured = Measured(before, after, verdict(before, after, data.metric))
    elif stored.keeps_towers and data.task == "classes":
        measured = measure_classifier(session, data, stored, made.draws, made.why)
    else:
        measured = measure_towers(session, data, stored, made.why, lambda mix: adapted_clip(clip, stored, mix), keep)
    untouched = keep and (stored.keeps_towers or made.method == "long")
    notes = (*roles.notes, *made.notes) + ((KEPT_ANYWAY,) if untouched else ())
    report = AdaptationReport(
        described=stored.description,
        model={**facts(clip), "name": f"{clip.contract.name}+{made.method}"},
        measured=measured,
        why=made.why,
        candidates=made.candidates,
        notes=notes,
        suspects=made.suspects,
        fit=made.fit.data,
        data=data,
        seconds=time.monotonic() - began,
        bytes=bytes_on_disk(stored),
        prompts_pictures=stored.prompts_pictures,
    )
    return Adaptation(adapted, stored, report)


def _options(clip: object, method: object, shots: int | None, steps: int | None, soup: int, seed: int) -> AdaptOptions:
    """Raises ContraltoError for arguments that would fail only after minutes of work."""
    if isinstance(clip, type) or not isinstance(clip, Clip):
        raise ContraltoError(f"clip must be a Clip, as contralto.load gives it, got {arguments.shown(clip)}")
    if clip.adaptation is not None:
        raise ContraltoError(f"{clip.contract.name} is adapted already: adapt its base, or merge it with convert first")
    for name, value in (("shots", shots), ("steps", steps)):
        if value is not None:
            arguments.whole(value, name)
    source_of(clip)  # it becomes the base of the adaptation
    if isinstance(method, str):
        arguments.one_of(method, "method", tuple(dict.fromkeys((*METHODS, *CAPTION_METHODS))))
    elif not isinstance(method, Way):
        raise ContraltoError(f"method must be a name or a Lora, Full or Prompt, got {arguments.shown(method)}")
    trains = not isinstance(method, str) or method in BY_NAME
    if not trains and (steps is not None or soup != 1):
        raise ContraltoError(f"steps and soup are of methods that train towers ({', '.join(BY_NAME)}), not of {method}")
    if trains:
        require_training(f"method {method if isinstance(method, str) else type(method).__name__}")
    if isinstance(method, Prompt):
        method.check_towers(clip.contract.image.tower, clip.contract.text.tower)
        if "image" in method.towers and soup != 1:
            raise ContraltoError("soup must be 1: the mean of several sets of vectors beside the patches is none")
    return AdaptOptions(method, shots, steps, arguments.whole(soup, "soup"), arguments.whole(seed, "seed", 0))


def _opened(
    data: str | os.PathLike[str] | DataSet,
    folder: str | os.PathLike[str],
    classes: ClassNames | None,
    templates: str | Sequence[str] | None,
) -> DataSet:
    if isinstance(data, DataSet):
        if classes is not None or templates is not None:
            raise ContraltoError(f"{data.name} is open already, with its own classes and templates: give its path")
        return data
    named, root = arguments.path(data, "data"), Path(arguments.path(folder, "folder"))
    return open_set(named, root, classes=classes, templates=templates)


def _listed(keep: Iterable[str | os.PathLike[str] | DataSet]) -> list[str | os.PathLike[str] | DataSet]:
    if isinstance(keep, str | os.PathLike | DataSet) or not isinstance(keep, Iterable):
        raise ContraltoError(f"keep must be a list of data sets, got {arguments.shown(keep)}")
    return list(keep)


def _check_method(data: DataSet, method: str | Way) -> None:
    """Raises ContraltoError if the method cannot be fitted to a set like this."""
    if data.task not in ("classes", "retrieval"):
        raise ContraltoError(f"{data.name} is a set for {data.task}: adapting takes a class a picture, or captions")
    name = method if isinstance(method, str) else type(method).__name__.lower()
    known, what = (METHODS, "classes") if data.task == "classes" else (CAPTION_METHODS, "captions")
    if name not in known:
        raise ContraltoError(f"{name} is not for {what}: the method must be one of {', '.join(known)}")


def _move_captions(session: Session, part: RolePart, method: str, plan: FoldPlan, seed: int) -> Moved:
    images = session.embed_pictures(part.data, what="pictures to fit").embeddings
    features = session.embed_pictures(part.data, kind="features", what="their features").embeddings
    texts, owners = captions_of(replace(part.data, items=part.bare), (part.data.templates or ("{}",))[0])
    rows = caption_rows(session, images, features, texts, owners, plan.folds)
    return move_for_captions(rows, method, plan, seed, session.progress)


def _moved(moved: Moved, part: RolePart, plan: FoldPlan) -> Fit:
    stated = (moved.method, moved.tensors, moved.settings, moved.why)
    return Fit(*stated, part, dict(moved.candidates), notes=plan.notes)


def _frozen(made: FrozenFit, plan: FoldPlan) -> Fit:
    fitted, choice = made.classifier, made.choice
    candidates: dict[str, float] = {one.method.name: one.accuracy for one in choice.candidates}
    shown = (fitted.method, fitted.tensors, fitted.settings, choice.why)
    return Fit(*shown, made.fit, candidates, made.draws, made.suspects, plan.notes)


def _description(clip: Clip, roles: Roles, made: Fit) -> AdaptationDescription:
    data = roles.fit.data
    return AdaptationDescription(
        made.method,
        AdaptationBase(clip.contract.name, clip.contract.hash, source_of(clip)),
        tuple(one.names for one in data.classes) or None,
        data.templates,
        made.settings,
        trained_on=TrainedOn(data.name, data.split, len(made.fit), made.fit.sha256),
        measured=_pictures(roles.measure),
        licence=clip.contract.licence,
        provenance=f"contralto adapt, method {made.method}: {made.why}",
    )


def _pictures(part: RolePart) -> dict[str, Any]:
    """Which pictures were measured: nothing that depends on their labels."""
    return {"set": part.data.name, "split": part.data.split, "items": len(part), "sha256": part.sha256}
