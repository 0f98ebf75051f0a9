"""Pictures and texts as unit rows: printed, or written to one file: .npz, .csv, .jsonl or .parquet.

Pictures that were embedded before, here or by search, come from the index, so a run that was stopped goes on.
An .npz holds paths, embeddings (a row each, float32), texts, text_embeddings, failed (paths), reasons and contract; the
others hold path, text and embedding of each row.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from contralto.cli import options as shared
from contralto.cli import pictures
from contralto.cli.console import Console, shown
from contralto.cli.outcome import FAILED, Usage, code
from contralto.cli.texts import advised, lengths_told
from contralto.cli.unread import note_unread
from contralto.search.walk import Unusable

if TYPE_CHECKING:
    from contralto.embeddings import Embeddings as Row
    from contralto.encoder import Clip

SHOWN_NUMBERS = 4


def options(parser: argparse.ArgumentParser) -> None:
    """What `contralto embed` takes."""
    parser.add_argument("pictures", nargs="*", metavar="PICTURE", help="a picture, or a folder of them")
    parser.add_argument("--text", nargs="+", default=[], metavar="TEXT", help=f"texts, or {shared.LINES}")
    help = "write all rows to this file, whole or not at all; its suffix tells the format: .npz .csv .jsonl .parquet"
    parser.add_argument("--out", metavar="FILE", help=help)
    parser.add_argument("--strict", action="store_true", help="fail (exit 1, no file) if any input cannot be used")
    shared.truncate(parser)
    pictures.excluding(parser)
    shared.model(parser, decode="scaled")
    shared.common(parser)


def run(args: argparse.Namespace, console: Console) -> int:
    """Prints a line or an object a row, with --out after the file is written."""
    if not args.pictures and not args.text:
        raise Usage("contralto embed", "give a PICTURE, --text, or both")
    from contralto.cli.rows import Embedded, require_writable, write

    out = None if args.out is None else Path(args.out)
    if out is not None:
        require_writable(out)
    texts = shared.lines(args.text)
    files, failures = pictures.named(args.pictures, args.exclude)
    for one in failures:
        console.failed(one.path, one.reason)
    clip = shared.load(args, console)
    paths: list[str] = []
    rows: list[Row] = []
    folders = [path for path in args.pictures if os.path.isdir(path)]
    found = pictures.indexed(clip, files, console, folders=folders, streams=out is None)
    for file, outcome in found if files else ():
        if isinstance(outcome, str):
            failures.append(Unusable(file.path, outcome))
            console.failed(file.path, outcome)
        elif out is None:
            paths.append(file.path)
            _show(console, "path", file.path, outcome)
        else:
            paths.append(file.path)
            rows.append(outcome)
    good, text_rows = _encode_texts(clip, texts, args.truncate, console)
    note_unread(console, clip, good)
    failed, used = len(failures) + len(texts) - len(good), len(paths) + len(good)
    if out is not None and used and not (failed and args.strict):
        images = np.stack(rows) if rows else np.empty((0, clip.contract.embedding), np.float32)
        write(out, Embedded(paths, images, good, text_rows, failures, clip.contract.to_json()))
        console.kept = f"{shown(args.out)} is written"
        for path, row in zip(paths, rows, strict=True) if console.json else ():
            _show(console, "path", path, row)
    if out is None or console.json:
        for text, row in zip(good, text_rows, strict=True):
            _show(console, "text", text, row)
    if out is not None:
        _sum_up(console, args, used, failed)
    return FAILED if failed and args.strict else code(used, failed)


def _encode_texts(clip: Clip, texts: list[str], truncate: bool, console: Console) -> tuple[list[str], Row]:
    """The texts that could be used and their rows; the others, and those that were cut, are told."""
    with lengths_told(console, truncate=truncate):
        rows, failures = clip.encode_text(texts, truncate=truncate, on_error="skip")
    for failure in failures:
        console.failed(failure.item, advised(failure.reason, truncate=truncate))
    bad = {failure.index for failure in failures}
    return [text for i, text in enumerate(texts) if i not in bad], rows


def _show(console: Console, kind: str, name: str, row: Row) -> None:
    if console.json:
        console.record({kind: name, "embedding": row.tolist()})
    else:
        numbers = " ".join(f"{value:7.4f}" for value in row[:SHOWN_NUMBERS].tolist())
        console.line(f"{shown(name)}  {console.dim(f'{len(row)} numbers: {numbers} …')}")


def _sum_up(console: Console, args: argparse.Namespace, used: int, failed: int) -> None:
    if not used or (failed and args.strict):
        console.error(f"contralto: {shown(args.out)} is not written: {failed} inputs could not be used")
    elif console.json:
        console.record({"out": args.out, "rows": used, "failed": failed})
    else:
        console.line(f"{shown(args.out)}: {used} rows of {'all inputs' if not failed else f'{used + failed} inputs'}")
