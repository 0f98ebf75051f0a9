"""Makes a model better at your own data, and measures whether it is.

DATA is what evaluate takes: pictures in a folder per class, or pictures with captions. Its split train is fitted, and
test or val is measured, once; without a second split a fifth is measured. DIR then is a model: --model DIR.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from contralto.cli import options as shared
from contralto.cli.console import Console, printable
from contralto.cli.exit_codes import OK, UsageError

if TYPE_CHECKING:
    from contralto.adaptation.report import AdaptationReport
    from contralto.evaluation.outcome import Outcome

METHODS = (
    *("auto", "zero-shot", "prototypes", "tip", "tip-f", "gaussian", "kernel", "probe", "projection", "adapter"),
    *("prompt", "lora", "full", "long"),
)


def options(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of `contralto adapt`."""
    parser.add_argument("data", metavar="DATA", help="name or path of a data set; append :split to measure that split")
    parser.add_argument("--out", metavar="DIR", required=True, help="folder for the adaptation and its page")
    help = f"{', '.join(METHODS)} (default: auto, the best with frozen towers; the last four train for minutes)"
    parser.add_argument("--method", metavar="HOW", choices=METHODS, default="auto", help=help)
    parser.add_argument(
        "--data", dest="folder", metavar="DIR", default=".", help="folder of named data sets (default: .)"
    )
    parser.add_argument("--templates", metavar="T", help=shared.TEMPLATES_HELP)
    help = "class names of your own: @FILE with one per line, or a JSON file with names or descriptions per class"
    parser.add_argument("--classes", metavar="@FILE", help=help)
    help = "fit only N pictures of each class"
    parser.add_argument("--shots", metavar="N", type=shared.positive_int, help=help)
    help = "data sets that the change should not harm; they are measured before and after"
    parser.add_argument("--keep", metavar="SET", nargs="+", default=[], help=help)
    help = "steps of training (default: as many as fit into 90 seconds)"
    parser.add_argument("--steps", metavar="N", type=shared.positive_int, help=help)
    help = "average N trainings, with a seed each (default: 1)"
    parser.add_argument("--soup", metavar="N", type=shared.positive_int, default=1, help=help)
    parser.add_argument("--seed", metavar="N", type=int, default=0, help="of draws and of training (default: 0)")
    parser.add_argument("--force", action="store_true", help="replace DIR if it exists")
    group = parser.add_argument_group("model")
    help = "name (see contralto models), folder or file of a model (default: nano)"
    group.add_argument("--model", metavar="M", default="nano", help=help)
    shared.add_engine_options(group, decode="exact", precision="fp32")
    shared.add_output_options(parser)


def run(args: argparse.Namespace, console: Console) -> int:
    """Prints the figures before and after, the verdict, and where the page is."""
    from contralto.adaptation.folder import require_new
    from contralto.adaptation.run import adapt
    from contralto.sets.classes_file import read_classes
    from contralto.zeroshot import prompts

    if args.classes and not args.classes.startswith("@"):
        raise UsageError("contralto adapt", f"--classes takes a file: @FILE, got {args.classes!r}")
    require_new(Path(args.out), args.force)
    classes = read_classes(Path(args.classes[1:])) if args.classes else None
    templates = None if args.templates is None else shared.read_templates(args.templates) or prompts.PLAIN
    clip = shared.load_model(args, console)
    console.saved_work = "embeddings and training are cached; run the same command to continue"
    with console.stages() as progress:
        result = adapt(
            clip,
            args.data,
            method=args.method,
            out=args.out,
            folder=args.folder,
            templates=templates,
            classes=classes,
            shots=args.shots,
            keep=args.keep,
            steps=args.steps,
            soup=args.soup,
            seed=args.seed,
            force=args.force,
            progress=progress,
        )
    page = str(Path(args.out) / "index.html")
    for note in result.report.notes:
        console.note(note)
    if console.json:
        _records(console, result.report, args.out, page)
    else:
        for line in lines(result.report, args.out, page):
            console.line(line)
    return OK


def _records(console: Console, report: AdaptationReport, out: str, page: str) -> None:
    from contralto.cli.evaluate import figure_record

    for outcome in report.outcomes:
        for figure in outcome.figures:
            console.record(figure_record(outcome, figure))
    console.record(report.to_json(out, page))


def lines(report: AdaptationReport, out: str, page: str) -> list[str]:
    """What a person reads: before, after, the difference, what it cost, and how to use it."""
    measured = report.measured
    verdict, data = measured.verdict, report.data
    kind = "pictures" if data.task == "classes" else "pictures with captions"
    looked = f"{len(data.items):,} {kind} of {data.split}, looked at once"
    p = "p < 0.0001" if verdict.p < 0.0001 else f"p = {verdict.p:.2g}"
    interval = f"[{100 * verdict.low:+.1f}, {100 * verdict.high:+.1f}]"
    text = [
        _figure("zero-shot", measured.zero_shot, verdict.metric, looked),
        _figure("adapted", measured.adapted, verdict.metric, f"{report.described.method}, {report.why}"),
        f"{'difference':12}  {100 * verdict.difference:+5.1f}  {interval:14}  {verdict.word} ({p})",
    ]
    if verdict.word == "no difference" and verdict.detectable is not None:
        least = f"a gain of {100 * verdict.detectable:.1f} points or more"
        text.append(f"{'':12}  only {least} could have shown on these pictures")
    text += _cost(report)
    if measured.curve is not None and (gain := measured.curve.last_doubling) is not None:
        text.append(f"{'more':12}  the last doubling of the pictures brought {100 * gain:+.1f} points")
    if report.suspects:
        first = printable(report.suspects[0].key)
        text.append(f"{'labels':12}  {len(report.suspects)} look doubtful, such as {first}: see the page")
    text.append(
        f"{printable(out)}: {report.bytes / 1e3:,.0f} kB on top of {report.described.base.name}; {printable(page)}"
    )
    use = "contralto classify PICTURE" if report.described.classes else "contralto search FOLDER QUERY"
    return [*text, f"use it: {use} --model {printable(out)}"]


def _figure(name: str, outcome: Outcome, metric: str, about: str) -> str:
    figure = next(one for one in outcome.figures if one.metric == metric)
    interval = "" if figure.low is None or figure.high is None else f"[{100 * figure.low:.1f}, {100 * figure.high:.1f}]"
    return f"{name:12}  {100 * figure.value:5.1f}  {interval:14}  {about}"


def _cost(report: AdaptationReport) -> list[str]:
    """What is forgotten."""
    measured = report.measured
    if report.keeps_towers:
        return [f"{'forgotten':12}  nothing: the towers are untouched, and every index stays valid"]
    if report.described.method == "long":
        return [f"{'forgotten':12}  nothing: the towers are untouched, and texts that fit keep their embedding"]
    text = []
    for kept in measured.kept:
        one = kept.verdict
        text.append(f"{'forgotten':12}  {kept.set}: {100 * one.difference:+.1f} ({one.word}, p = {one.p:.2g})")
    if measured.label_free is not None:
        share = f"{100 * measured.label_free.agreement:.0f}% of the pictures keep their best of ImageNet's 1,000 names"
        text.append(f"{'unchanged':12}  {share}")
    return text
