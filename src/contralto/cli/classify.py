"""Finds the labels that fit each picture best. Scores follow the model's own rule: softmax or sigmoid.

Without --labels, an adapted model answers with the classes that it was adapted to.
With --views, each answer is that of twelve views of the picture, and it is marked where they disagree.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING

from contralto.cli import options as shared
from contralto.cli import picture_inputs
from contralto.cli.console import Console, printable
from contralto.cli.exit_codes import UsageError, exit_code
from contralto.cli.text_notes import note_unknown_words

if TYPE_CHECKING:
    from contralto.apply.views import ViewedAnswer
    from contralto.encoder import Clip
    from contralto.search.walk import PictureFile
    from contralto.zeroshot.adapted import AdaptedClassifier
    from contralto.zeroshot.classifier import Classifier, Prediction

BAR_WIDTH = 20
NOT_SURE = "  (not sure: its views disagree)"


def options(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of `contralto classify`."""
    parser.add_argument("pictures", nargs="+", metavar="PICTURE", help="picture, or folder of pictures")
    help = f"labels, or {shared.TEXTS_HELP} (default: the classes that the model was adapted to)"
    parser.add_argument("--labels", nargs="+", metavar="LABEL", help=help)
    help = f"{shared.TEMPLATES_HELP} (default: photo)"
    parser.add_argument("--templates", metavar="T", help=help)
    parser.add_argument(
        "--top", type=shared.positive_int, default=5, metavar="N", help="number of labels per picture (default: 5)"
    )
    help = "answer by twelve views of each picture (crops and mirror images), and say where they disagree; 12 x slower"
    parser.add_argument("--views", action="store_true", help=help)
    shared.add_model_options(parser)
    shared.add_output_options(parser)


def run(args: argparse.Namespace, console: Console) -> int:
    """Prints a table or a JSON object for each picture."""
    if args.labels is None and args.templates is not None:
        raise UsageError("contralto classify", "--templates belongs to --labels: an adaptation has its own templates")
    labels = None if args.labels is None else shared.read_texts(args.labels)
    templates = shared.read_templates(args.templates or "photo")
    files, unusable = picture_inputs.list_pictures(args.pictures)
    clip = shared.load_model(args, console)
    if labels is None and (clip.adaptation is None or clip.labels is None):
        raise UsageError("contralto classify", f"give --labels: {printable(args.model)} was not adapted to classes")
    for one in unusable:
        console.failure(one.path, one.reason)
    classify = _classifier(clip, labels, templates)
    if labels is not None:
        note_unknown_words(console, clip, labels)
    failed = len(unusable)
    answer_all = _viewed if args.views else _answers
    for file, answer in answer_all(clip, classify, files, args.top, console):
        if isinstance(answer, str):
            console.failure(file.path, answer)
            failed += 1
        else:
            _show(console, file.path, answer)
    return exit_code(len(files) + len(unusable) - failed, failed)


def _classifier(
    clip: Clip, labels: list[str] | None, templates: str | tuple[str, ...] | None
) -> Classifier | AdaptedClassifier:
    from contralto.zeroshot import classifier

    if labels is not None:
        return classifier.build(clip, labels, templates)
    assert clip.adaptation is not None
    return clip.adaptation.classifier(clip)


def _answers(
    clip: Clip, classify: Classifier | AdaptedClassifier, files: list[PictureFile], top: int, console: Console
) -> Iterator[tuple[PictureFile, list[Prediction] | str]]:
    """Each file with its best labels, or with the reason why it failed."""
    from contralto.encoder import Failure
    from contralto.zeroshot.adapted import AdaptedClassifier

    embeddings = picture_inputs.stream_embeddings(clip, files, console)
    if not isinstance(classify, AdaptedClassifier) or not classify.needs_features:
        for file, outcome in embeddings:
            yield file, outcome if isinstance(outcome, str) else classify(outcome[None], top)[0]
        return
    features = clip.stream_features([file.path for file in files])
    for (file, outcome), (_, read) in zip(embeddings, features, strict=True):
        if isinstance(outcome, str):
            yield file, outcome
        else:
            yield file, read.reason if isinstance(read, Failure) else classify(outcome[None], top, read[None])[0]


def _viewed(
    clip: Clip, classify: Classifier | AdaptedClassifier, files: list[PictureFile], top: int, console: Console
) -> Iterator[tuple[PictureFile, ViewedAnswer | str]]:
    """As `_answers`, from twelve views of each picture. Raises UsageError for an adaptation that reads features."""
    from contralto.apply import views
    from contralto.encoder import Failure
    from contralto.zeroshot.adapted import AdaptedClassifier

    if isinstance(classify, AdaptedClassifier) and classify.needs_features:
        raise UsageError("contralto classify", "--views needs embeddings: this adaptation reads features")
    results = views.stream_views(clip, [file.path for file in files])
    with console.progress("pictures", len(files), streams=True) as advance:
        for file, (_, result) in zip(files, results, strict=True):
            advance()
            yield file, result.reason if isinstance(result, Failure) else views.classify_views(classify, result, top)


def _show(console: Console, path: str, answer: list[Prediction] | ViewedAnswer) -> None:
    viewed = None if isinstance(answer, list) else answer
    predictions = answer if isinstance(answer, list) else answer.predictions
    if console.json:
        best = [{"label": p.label, "score": round(p.score, 6)} for p in predictions]
        doubt = {} if viewed is None else {"spread": round(viewed.spread, 6), "sure": viewed.sure}
        console.record({"path": path, "predictions": best, **doubt})
        return
    console.line(console.bold(printable(path)) + ("" if viewed is None or viewed.sure else NOT_SURE))
    for p in predictions:
        bar = "█" * round(BAR_WIDTH * p.score)
        console.line(f"  {p.score:6.1%}  {bar:{BAR_WIDTH}}  {printable(p.label)}")
