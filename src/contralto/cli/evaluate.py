"""Measures a model on data sets: zero-shot classification, retrieval, choice between texts, boxes, probes.

Each figure has a 95% interval. SET is a name from --list, whose data is in the folder --data, or a path: a folder with
one folder per class, a tar, CSV or Parquet file, COCO's JSON of boxes. SET:val selects a split. Names of suites: paper
(the 27 data sets of the CLIP paper), robustness, retrieval, limits. Embeddings are cached, so the same command
continues an interrupted run.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from contralto.cli import options as shared
from contralto.cli.console import Console, printable
from contralto.cli.exit_codes import FAILED, OK, PARTLY, UsageError
from contralto.errors import ContraltoError, MissingExtraError

if TYPE_CHECKING:
    from contralto.encoder import Clip
    from contralto.evaluation.outcome import Figure, Outcome
    from contralto.evaluation.run import EvaluateOptions
    from contralto.sets.data_set import DataSet

CHECKS = ("corruptions", "typographic", "sizes", "questions", "prompts", "faces", "long")


def options(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of `contralto evaluate`."""
    parser.add_argument(
        "name", nargs="?", metavar="MODEL", help="name (see contralto models), folder or file of a model"
    )
    parser.add_argument(
        "sets", nargs="*", metavar="SET", help="names, paths or suites; append :split to select a split"
    )
    parser.add_argument("--list", action="store_true", help="list the named data sets and where to get them")
    parser.add_argument("--data", metavar="DIR", default=".", help="folder of the named data sets (default: .)")
    help = f"{shared.TEMPLATES_HELP}; compare measures every way to name the classes"
    parser.add_argument("--templates", metavar="T", help=help)
    help = "class names of your own: @FILE with one per line, or a JSON file with names or descriptions per class"
    parser.add_argument("--classes", metavar="@FILE", help=help)
    help = "also fit a probe on the training split: linear (as in the CLIP paper), knn or few-shot"
    parser.add_argument("--probe", metavar="P", choices=("linear", "knn", "few-shot"), help=help)
    help = "examples per class for few-shot (default: 1 2 4 8 16)"
    parser.add_argument("--shots", nargs="+", type=shared.positive_int, metavar="N", help=help)
    help = f"further measurements: {', '.join(CHECKS)}"
    parser.add_argument("--check", nargs="+", default=[], choices=CHECKS, metavar="NAME", help=help)
    help = "search this data set for near-duplicates of SET's pictures, and measure their effect on the figures"
    parser.add_argument("--overlap", metavar="TRAIN", help=help)
    help = "similarity above which two pictures count as duplicates, 0 to 1 (default: 0.8)"
    parser.add_argument("--threshold", type=float, metavar="X", help=help)
    help = "folder for the report: a page, JSON, and a record per item; contralto compare reads it"
    parser.add_argument("--report", metavar="DIR", help=help)
    help = "keep pictures out of the page; many data sets must not be redistributed"
    parser.add_argument("--no-pictures", action="store_true", help=help)
    parser.add_argument("--card", metavar="FILE", help="write the table into this model card, between its markers")
    shared.add_overlong_option(parser, default=None)
    parser.add_argument("--fresh", action="store_true", help="ignore cached embeddings")
    shared.add_engine_options(parser.add_argument_group("model"), decode="exact", precision="fp32")
    shared.add_output_options(parser)


def run(args: argparse.Namespace, console: Console) -> int:
    """Prints a line or a JSON object per figure after each data set. If one data set fails, the others continue."""
    if args.list:
        return _list(console)
    if not args.name or not args.sets:
        raise UsageError("contralto evaluate", "give a MODEL and a SET, or --list")
    from contralto.evaluation.run import measure
    from contralto.evaluation.session import open_session
    from contralto.sets.classes_file import read_classes
    from contralto.sets.open import open_set

    if args.classes and not args.classes.startswith("@"):
        raise UsageError("contralto evaluate", f"--classes takes a file: @FILE, got {args.classes!r}")
    classes = read_classes(Path(args.classes[1:])) if args.classes else None
    _require_writable(args)
    args.model = args.name
    clip = shared.load_model(args, console)
    console.saved_work = "the embeddings are cached; run the same command to continue"
    evaluate_options = _evaluate_options(args)
    done: list[tuple[DataSet, list[Outcome]]] = []
    failed = lost = 0
    with console.stages() as progress, open_session(clip, fresh=args.fresh, progress=progress) as session:
        for name in _expanded(args.sets):
            try:
                data = open_set(name, Path(args.data), classes=classes)
                outcomes = list(measure(session, data, evaluate_options))
            except MissingExtraError:
                raise
            except ContraltoError as error:
                _show_failure(console, name, error, alone=len(args.sets) == 1)
                failed += 1
                continue
            _show(console, outcomes)
            lost += len({key for outcome in outcomes for key in outcome.failures})
            done.append((data, outcomes))
    if evaluate_options.overlap is not None:
        done.append((evaluate_options.overlap, []))  # the page shows its pictures
    _write(args, console, clip, done)
    return FAILED if not any(outcomes for _, outcomes in done) else PARTLY if failed or lost else OK


def _require_writable(args: argparse.Namespace) -> None:
    """Raises ContraltoError, before the work, if the report or the card cannot be written."""
    from contralto.evaluation import card, report_files

    if args.report:
        report_files.require(Path(args.report))
    if args.card:
        card.require(Path(args.card))


def _show_failure(console: Console, name: str, error: ContraltoError, *, alone: bool) -> None:
    from contralto.sets.declaration import MissingSet

    if console.json or not alone:
        console.failure(name, str(error))
    elif isinstance(error, MissingSet):
        console.error(f"contralto: {error.what}\nget {error.title} from: {error.where}\nexpected: {error.layout}")
    else:
        console.error(f"contralto: {error}")


def _evaluate_options(args: argparse.Namespace) -> EvaluateOptions:
    from contralto.evaluation.overlap import THRESHOLD
    from contralto.evaluation.run import SHOTS, EvaluateOptions
    from contralto.sets.open import open_set

    templates = args.templates
    if templates not in (None, "compare", "none"):
        templates = shared.read_templates(templates)
    overlap = open_set(args.overlap, Path(args.data)) if args.overlap else None
    threshold = THRESHOLD if args.threshold is None else args.threshold
    shots, checks = tuple(args.shots or SHOTS), tuple(args.check)
    return EvaluateOptions(templates, args.probe, shots, checks, overlap, threshold, args.overlong)


def _expanded(names: list[str]) -> Iterator[str]:
    """Replaces each suite by its data sets."""
    from contralto.sets.suites import SUITES

    for name in names:
        yield from SUITES.get(name, [name])


def _show(console: Console, outcomes: list[Outcome]) -> None:
    for key, reason in {key: why for outcome in outcomes for key, why in outcome.failures.items()}.items():
        console.failure(key, reason)
    protocol = outcomes[0].protocol
    items, published = protocol["items"], protocol.get("published_items", protocol["items"])
    if published != items:
        console.note(f"{protocol['set']}:{protocol['split']} has {items} items, the published split has {published}")
    overlong = protocol.get("overlong", {"count": 0})
    if overlong["count"]:
        which = f"{overlong['count']} of {overlong['of']} texts are longer than the model's context"
        console.note(f"{protocol['set']}:{protocol['split']}: {which}: --overlong {overlong['how']}")
    for outcome in outcomes:
        for figure in outcome.figures:
            if console.json:
                console.record(figure_record(outcome, figure))
            else:
                console.line(_line(outcome, figure))
    console.flush()


def figure_record(outcome: Outcome, figure: Figure) -> dict[str, Any]:
    """A figure as one object of --json."""
    from contralto.evaluation.protocol import without_lists

    values = {name: getattr(figure, name) for name in ("metric", "value", "low", "high", "n")}
    protocol = without_lists(dict(outcome.protocol)) | {"variant": outcome.variant}
    return {"set": outcome.set, "split": outcome.split, **values, "protocol": protocol}


def _line(outcome: Outcome, figure: Figure) -> str:
    from contralto.evaluation.card import value

    name = f"{outcome.set}:{outcome.split}" + (f", {outcome.variant}" if outcome.variant else "")
    return f"{printable(name):36}  {figure.n:>6}  {figure.metric:26}  {value(figure)}"


def _list(console: Console) -> int:
    from contralto.sets.listing import set_entries

    for one in set_entries():
        if console.json:
            console.record({"set": one.name, "task": one.task, "layout": one.layout, "where": one.where})
        else:
            console.line(f"{one.name:18}  {one.task:10}  {console.dim(one.where)}")
    return OK


def _write(args: argparse.Namespace, console: Console, clip: Clip, done: list[tuple[DataSet, list[Outcome]]]) -> None:
    """Writes the report and the table in the model card, if the options ask for them."""
    outcomes = [outcome for _, several in done for outcome in several]
    if not outcomes:
        return
    if args.report:
        from contralto.evaluation.publish import publish

        page = publish(Path(args.report), clip, done, pictures=not args.no_pictures)
        console.record({"page": str(page)}) if console.json else console.line(printable(str(page)))
    if args.card:
        from contralto.evaluation import card

        card.update(Path(args.card), outcomes)
