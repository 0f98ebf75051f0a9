"""The cosine of each picture with each text."""

from __future__ import annotations

import argparse

from contralto.cli import options as shared
from contralto.cli import pictures
from contralto.cli.console import Console, shown
from contralto.cli.outcome import code
from contralto.cli.texts import lengths_told
from contralto.cli.unread import note_unread


def options(parser: argparse.ArgumentParser) -> None:
    """What `contralto similarity` takes."""
    parser.add_argument("pictures", nargs="+", metavar="PICTURE", help="a picture, or a folder of them")
    parser.add_argument("--text", nargs="+", required=True, metavar="TEXT", help=f"texts, or {shared.LINES}")
    shared.truncate(parser)
    shared.model(parser)
    shared.common(parser)


def run(args: argparse.Namespace, console: Console) -> int:
    """Prints a line or an object for each pair, the texts in the order given."""
    texts = shared.lines(args.text)
    files, unusable = pictures.named(args.pictures)
    for one in unusable:
        console.failed(one.path, one.reason)
    clip = shared.load(args, console)
    with lengths_told(console, truncate=args.truncate):
        columns = clip.encode_text(texts, truncate=args.truncate)
    note_unread(console, clip, texts)
    failed = len(unusable)
    for file, row in pictures.streamed(clip, files, console):
        if isinstance(row, str):
            console.failed(file.path, row)
            failed += 1
            continue
        if not console.json:
            console.line(console.bold(shown(file.path)))
        for text, cosine in zip(texts, clip.similarity(row, columns)[0].tolist(), strict=True):
            if console.json:
                console.record({"path": file.path, "text": text, "cosine": round(cosine, 6)})
            else:
                console.line(f"  {cosine:6.3f}  {shown(text)}")
    return code(len(files) + len(unusable) - failed, failed)
