"""Prints the cosine similarity of each picture and each text."""

from __future__ import annotations

import argparse

from contralto.cli import options as shared
from contralto.cli import picture_inputs
from contralto.cli.console import Console, printable
from contralto.cli.exit_codes import exit_code
from contralto.cli.text_notes import length_notes, note_unknown_words


def options(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of `contralto similarity`."""
    parser.add_argument("pictures", nargs="+", metavar="PICTURE", help="picture, or folder of pictures")
    parser.add_argument("--text", nargs="+", required=True, metavar="TEXT", help=f"texts, or {shared.TEXTS_HELP}")
    shared.add_overlong_options(parser)
    shared.add_model_options(parser)
    shared.add_output_options(parser)


def run(args: argparse.Namespace, console: Console) -> int:
    """Prints a line or a JSON object for each pair; texts keep the given order."""
    texts = shared.read_texts(args.text)
    files, unusable = picture_inputs.list_pictures(args.pictures)
    for one in unusable:
        console.failure(one.path, one.reason)
    clip = shared.load_model(args, console)
    with length_notes(console):
        text_embeddings = clip.encode_text(texts, overlong=args.overlong)
    note_unknown_words(console, clip, texts)
    failed = len(unusable)
    for file, outcome in picture_inputs.stream_embeddings(clip, files, console):
        if isinstance(outcome, str):
            console.failure(file.path, outcome)
            failed += 1
            continue
        if not console.json:
            console.line(console.bold(printable(file.path)))
        for text, cosine in zip(texts, clip.similarity(outcome, text_embeddings)[0].tolist(), strict=True):
            if console.json:
                console.record({"path": file.path, "text": text, "cosine": round(cosine, 6)})
            else:
                console.line(f"  {cosine:6.3f}  {printable(text)}")
    return exit_code(len(files) + len(unusable) - failed, failed)
