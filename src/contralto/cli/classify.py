"""The labels that fit each picture best, with their scores by the model's own rule."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from contralto.cli import options as shared
from contralto.cli import pictures
from contralto.cli.console import Console, shown
from contralto.cli.outcome import code
from contralto.cli.unread import note_unread

if TYPE_CHECKING:
    from contralto.zeroshot.classifier import Prediction

BAR = 20


def options(parser: argparse.ArgumentParser) -> None:
    """What `contralto classify` takes."""
    parser.add_argument("pictures", nargs="+", metavar="PICTURE", help="a picture, or a folder of them")
    parser.add_argument("--labels", nargs="+", required=True, metavar="LABEL", help=f"labels, or {shared.LINES}")
    help = f"{shared.TEMPLATES} (default: photo)"
    parser.add_argument("--templates", default="photo", metavar="T", help=help)
    parser.add_argument("--top", type=shared.positive, default=5, metavar="N", help="labels a picture (default: 5)")
    shared.model(parser)
    shared.common(parser)


def run(args: argparse.Namespace, console: Console) -> int:
    """Prints a table or an object for each picture."""
    from contralto.zeroshot import classifier

    labels, templates = shared.lines(args.labels), shared.templates(args.templates)
    files, unusable = pictures.named(args.pictures)
    for one in unusable:
        console.failed(one.path, one.reason)
    clip = shared.load(args, console)
    classify = classifier.build(clip, labels, templates)
    note_unread(console, clip, labels)
    failed = len(unusable)
    for file, row in pictures.streamed(clip, files, console):
        if isinstance(row, str):
            console.failed(file.path, row)
            failed += 1
        else:
            _show(console, file.path, classify(row[None], args.top)[0])
    return code(len(files) + len(unusable) - failed, failed)


def _show(console: Console, path: str, predictions: list[Prediction]) -> None:
    if console.json:
        best = [{"label": p.label, "score": round(p.score, 6)} for p in predictions]
        console.record({"path": path, "predictions": best})
        return
    console.line(console.bold(shown(path)))
    for p in predictions:
        bar = "█" * round(BAR * p.score)
        console.line(f"  {p.score:6.1%}  {bar:{BAR}}  {shown(p.label)}")
