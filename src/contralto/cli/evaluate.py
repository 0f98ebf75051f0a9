"""Measures a model on sets: zero-shot classification, retrieval, choices between texts, probes; with 95% intervals.

A SET is a name (--list tells them), found in the folder --data, or a path of your own: a folder per class, a tar, CSV,
Parquet. SET:val names a split. Several sets by one name: paper (its 27), robustness, retrieval, limits. What was
embedded is kept in the cache folder: an interrupted run goes on.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from contralto.cli import options as shared
from contralto.cli.console import Console, shown
from contralto.cli.outcome import FAILED, OK, PARTLY, Usage
from contralto.errors import ContraltoError, MissingExtraError

if TYPE_CHECKING:
    from contralto.encoder import Clip
    from contralto.evaluation.outcome import Figure, Outcome
    from contralto.evaluation.run import EvaluateOptions
    from contralto.sets.data_set import DataSet

CHECKS = ("corruptions", "typographic", "sizes", "questions", "prompts", "faces")


def options(parser: argparse.ArgumentParser) -> None:
    """What `contralto evaluate` takes."""
    parser.add_argument("name", nargs="?", metavar="MODEL", help="a name (see contralto models), a folder or a file")
    parser.add_argument("sets", nargs="*", metavar="SET", help="names, paths or suites, each maybe with :split")
    parser.add_argument("--list", action="store_true", help="the sets that are known by name, and where they are from")
    parser.add_argument("--data", metavar="DIR", default=".", help="the folder in which named sets lie (default: .)")
    help = f"{shared.TEMPLATES}, or compare: what each way to name the classes gives"
    parser.add_argument("--templates", metavar="T", help=help)
    help = "class names of your own: @FILE, one a line, or a JSON of names or descriptions a class"
    parser.add_argument("--classes", metavar="@FILE", help=help)
    help = "also fit to the training split: linear (as in the paper), knn or few-shot"
    parser.add_argument("--probe", metavar="P", choices=("linear", "knn", "few-shot"), help=help)
    help = "examples a class for few-shot (default: 1 2 4 8 16)"
    parser.add_argument("--shots", nargs="+", type=shared.positive, metavar="N", help=help)
    help = f"what else is measured: {', '.join(CHECKS)}"
    parser.add_argument("--check", nargs="+", default=[], choices=CHECKS, metavar="NAME", help=help)
    help = "look for near-duplicates of SET's pictures in this set, and what they do to the figures"
    parser.add_argument("--overlap", metavar="TRAIN", help=help)
    help = "how alike two pictures are from which on they are taken for one, 0 to 1 (default: 0.8)"
    parser.add_argument("--threshold", type=float, metavar="X", help=help)
    help = "a folder for the page, the JSON and a record an item, which contralto compare reads"
    parser.add_argument("--report", metavar="DIR", help=help)
    help = "leave the sets' pictures out of the page: many sets may not be passed on"
    parser.add_argument("--no-pictures", action="store_true", help=help)
    parser.add_argument("--card", metavar="FILE", help="write the table into this model card, between its marks")
    parser.add_argument("--fresh", action="store_true", help="use nothing of what was embedded before")
    shared.running(parser.add_argument_group("model"), decode="exact", precision="fp32")
    shared.common(parser)


def run(args: argparse.Namespace, console: Console) -> int:
    """Prints a line or an object a figure, as soon as a set is done. A set that fails costs only itself."""
    if args.list:
        return _list(console)
    if not args.name or not args.sets:
        raise Usage("contralto evaluate", "name a MODEL and a SET, or ask for --list")
    from contralto.evaluation.run import measure
    from contralto.evaluation.session import open_session
    from contralto.sets.classes_file import read_classes
    from contralto.sets.open import open_set

    if args.classes and not args.classes.startswith("@"):
        raise Usage("contralto evaluate", f"--classes takes a file: @FILE, got {args.classes!r}")
    classes = read_classes(Path(args.classes[1:])) if args.classes else None
    _require_writable(args)
    args.model = args.name
    clip = shared.load(args, console)
    console.kept = "what was embedded is kept: the same command goes on from there"
    asked = _asked(args)
    done: list[tuple[DataSet, list[Outcome]]] = []
    failed = lost = 0
    with console.stages() as progress, open_session(clip, fresh=args.fresh, progress=progress) as session:
        for name in _named(args.sets):
            try:
                data = open_set(name, Path(args.data), classes=classes)
                found = list(measure(session, data, asked))
            except MissingExtraError:
                raise
            except ContraltoError as error:
                _tell_failed(console, name, error, alone=len(args.sets) == 1)
                failed += 1
                continue
            _tell(console, found)
            lost += len({key for one in found for key in one.failures})
            done.append((data, found))
    if asked.overlap is not None:
        done.append((asked.overlap, []))  # whose pictures the page shows
    _write(args, console, clip, done)
    return FAILED if not any(found for _, found in done) else PARTLY if failed or lost else OK


def _require_writable(args: argparse.Namespace) -> None:
    """Raises ContraltoError for a report or a card that could not be written when all is measured."""
    from contralto.evaluation import card, report_files

    if args.report:
        report_files.require(Path(args.report))
    if args.card:
        card.require(Path(args.card))


def _tell_failed(console: Console, name: str, error: ContraltoError, *, alone: bool) -> None:
    from contralto.sets.declaration import MissingSet

    if console.json or not alone:
        console.failed(name, str(error))
    elif isinstance(error, MissingSet):
        console.error(f"contralto: {error.what}\nget {error.title} from: {error.where}\nexpected: {error.layout}")
    else:
        console.error(f"contralto: {error}")


def _asked(args: argparse.Namespace) -> EvaluateOptions:
    from contralto.evaluation.overlap import THRESHOLD
    from contralto.evaluation.run import SHOTS, EvaluateOptions
    from contralto.sets.open import open_set

    templates = args.templates
    if templates not in (None, "compare", "none"):
        templates = shared.templates(templates)
    overlap = open_set(args.overlap, Path(args.data)) if args.overlap else None
    threshold = THRESHOLD if args.threshold is None else args.threshold
    return EvaluateOptions(templates, args.probe, tuple(args.shots or SHOTS), tuple(args.check), overlap, threshold)


def _named(given: list[str]) -> Iterator[str]:
    """Suites become their sets."""
    from contralto.sets.suites import SUITES

    for name in given:
        yield from SUITES.get(name, [name])


def _tell(console: Console, outcomes: list[Outcome]) -> None:
    from contralto.evaluation.protocol import brief

    for key, reason in {key: why for outcome in outcomes for key, why in outcome.failures.items()}.items():
        console.failed(key, reason)
    said = outcomes[0].protocol
    if said.get("published_items", said["items"]) != said["items"]:
        console.note(f"{said['set']}:{said['split']} has {said['items']} items, as published {said['published_items']}")
    for outcome in outcomes:
        for figure in outcome.figures:
            if console.json:
                console.record(
                    {
                        "set": outcome.set,
                        "split": outcome.split,
                        "metric": figure.metric,
                        "value": figure.value,
                        "low": figure.low,
                        "high": figure.high,
                        "n": figure.n,
                        "protocol": brief(dict(outcome.protocol)) | {"variant": outcome.variant},
                    }
                )
            else:
                console.line(_line(outcome, figure))
    console.flush()


def _line(outcome: Outcome, figure: Figure) -> str:
    from contralto.evaluation.card import value

    where = f"{outcome.set}:{outcome.split}" + (f", {outcome.variant}" if outcome.variant else "")
    return f"{shown(where):36}  {figure.n:>6}  {figure.metric:26}  {value(figure)}"


def _list(console: Console) -> int:
    from contralto.sets.listing import set_entries

    for one in set_entries():
        if console.json:
            console.record({"set": one.name, "task": one.task, "layout": one.layout, "where": one.where})
        else:
            console.line(f"{one.name:18}  {one.task:10}  {console.dim(one.where)}")
    return OK


def _write(args: argparse.Namespace, console: Console, clip: Clip, done: list[tuple[DataSet, list[Outcome]]]) -> None:
    """The report and the table in the model card, where they are asked for."""
    outcomes = [outcome for _, several in done for outcome in several]
    if not outcomes:
        return
    if args.report:
        from contralto.evaluation.publish import publish

        page = publish(Path(args.report), clip, done, pictures=not args.no_pictures)
        console.record({"page": str(page)}) if console.json else console.line(shown(str(page)))
    if args.card:
        from contralto.evaluation import card

        card.update(Path(args.card), outcomes)
