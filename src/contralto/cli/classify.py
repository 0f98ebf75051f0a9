"""Finds the labels that fit each picture best. Scores follow the model's own rule: softmax or sigmoid."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from contralto.cli import options as shared
from contralto.cli import picture_inputs
from contralto.cli.console import Console, printable
from contralto.cli.exit_codes import exit_code
from contralto.cli.text_notes import note_unknown_words

if TYPE_CHECKING:
    from contralto.zeroshot.classifier import Prediction

BAR_WIDTH = 20


def options(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of `contralto classify`."""
    parser.add_argument("pictures", nargs="+", metavar="PICTURE", help="picture, or folder of pictures")
    parser.add_argument("--labels", nargs="+", required=True, metavar="LABEL", help=f"labels, or {shared.TEXTS_HELP}")
    help = f"{shared.TEMPLATES_HELP} (default: photo)"
    parser.add_argument("--templates", default="photo", metavar="T", help=help)
    parser.add_argument(
        "--top", type=shared.positive_int, default=5, metavar="N", help="number of labels per picture (default: 5)"
    )
    shared.add_model_options(parser)
    shared.add_output_options(parser)


def run(args: argparse.Namespace, console: Console) -> int:
    """Prints a table or a JSON object for each picture."""
    from contralto.zeroshot import classifier

    labels, templates = shared.read_texts(args.labels), shared.read_templates(args.templates)
    files, unusable = picture_inputs.list_pictures(args.pictures)
    for one in unusable:
        console.failure(one.path, one.reason)
    clip = shared.load_model(args, console)
    classify = classifier.build(clip, labels, templates)
    note_unknown_words(console, clip, labels)
    failed = len(unusable)
    for file, outcome in picture_inputs.stream_embeddings(clip, files, console):
        if isinstance(outcome, str):
            console.failure(file.path, outcome)
            failed += 1
        else:
            _show(console, file.path, classify(outcome[None], args.top)[0])
    return exit_code(len(files) + len(unusable) - failed, failed)


def _show(console: Console, path: str, predictions: list[Prediction]) -> None:
    if console.json:
        best = [{"label": p.label, "score": round(p.score, 6)} for p in predictions]
        console.record({"path": path, "predictions": best})
        return
    console.line(console.bold(printable(path)))
    for p in predictions:
        bar = "█" * round(BAR_WIDTH * p.score)
        console.line(f"  {p.score:6.1%}  {bar:{BAR_WIDTH}}  {printable(p.label)}")
