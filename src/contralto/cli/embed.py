"""Turns pictures and texts into embeddings (unit vectors). Prints them, or writes them to one file.

An .npz file holds paths, embeddings (float32, one per picture), texts, text_embeddings, failed (paths), reasons and
contract. A .csv, .jsonl or .parquet file holds path, text and embedding in each row. Embeddings of pictures are cached
in an index that search uses too, so the same command continues an interrupted run.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from contralto.cli import options as shared
from contralto.cli import picture_inputs
from contralto.cli.console import Console, printable
from contralto.cli.exit_codes import FAILED, UsageError, exit_code
from contralto.cli.text_notes import length_notes, note_unknown_words, with_length_hint
from contralto.search.walk import UnusableFile

if TYPE_CHECKING:
    from contralto.embeddings import Embeddings
    from contralto.encoder import Clip

SHOWN_NUMBERS = 4


def options(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of `contralto embed`."""
    parser.add_argument("pictures", nargs="*", metavar="PICTURE", help="picture, or folder of pictures")
    parser.add_argument("--text", nargs="+", default=[], metavar="TEXT", help=f"texts, or {shared.TEXTS_HELP}")
    help = "write all embeddings to this file; the suffix selects the format: .npz .csv .jsonl .parquet"
    parser.add_argument("--out", metavar="FILE", help=help)
    parser.add_argument(
        "--strict", action="store_true", help="if any input cannot be used, fail with exit code 1 and write no file"
    )
    shared.add_overlong_options(parser)
    picture_inputs.add_exclude_option(parser)
    shared.add_model_options(parser, decode="scaled")
    shared.add_output_options(parser)


def run(args: argparse.Namespace, console: Console) -> int:
    """Prints a line or a JSON object per embedding; with --out, after the file is written."""
    if not args.pictures and not args.text:
        raise UsageError("contralto embed", "give a PICTURE, --text, or both")
    from contralto.cli.embedding_files import EmbeddingTable, require_writable, write

    out = None if args.out is None else Path(args.out)
    if out is not None:
        require_writable(out)
    texts = shared.read_texts(args.text)
    files, failures = picture_inputs.list_pictures(args.pictures, args.exclude)
    for failure in failures:
        console.failure(failure.path, failure.reason)
    clip = shared.load_model(args, console)
    paths: list[str] = []
    vectors: list[Embeddings] = []
    folders = [path for path in args.pictures if os.path.isdir(path)]
    outcomes = picture_inputs.indexed_embeddings(clip, files, console, folders=folders, streams=out is None)
    for file, outcome in outcomes if files else ():
        if isinstance(outcome, str):
            failures.append(UnusableFile(file.path, outcome))
            console.failure(file.path, outcome)
        elif out is None:
            paths.append(file.path)
            _show(console, "path", file.path, outcome)
        else:
            paths.append(file.path)
            vectors.append(outcome)
    good, text_embeddings = _encode_texts(clip, texts, args.overlong, console)
    note_unknown_words(console, clip, good)
    failed, used = len(failures) + len(texts) - len(good), len(paths) + len(good)
    if out is not None and used and not (failed and args.strict):
        images = np.stack(vectors) if vectors else np.empty((0, clip.contract.embedding), np.float32)
        write(out, EmbeddingTable(paths, images, good, text_embeddings, failures, clip.contract.to_json()))
        console.saved_work = f"{printable(args.out)} was written"
        for path, vector in zip(paths, vectors, strict=True) if console.json else ():
            _show(console, "path", path, vector)
    if out is None or console.json:
        for text, vector in zip(good, text_embeddings, strict=True):
            _show(console, "text", text, vector)
    if out is not None:
        _sum_up(console, args, used, failed)
    return FAILED if failed and args.strict else exit_code(used, failed)


def _encode_texts(clip: Clip, texts: list[str], overlong: str, console: Console) -> tuple[list[str], Embeddings]:
    """The usable texts and their embeddings. Reports the other texts, and notes those that do not fit."""
    with length_notes(console):
        embeddings, failures = clip.encode_text(texts, overlong=overlong, on_error="skip")
    for failure in failures:
        console.failure(failure.item, with_length_hint(failure.reason))
    bad = {failure.index for failure in failures}
    return [text for i, text in enumerate(texts) if i not in bad], embeddings


def _show(console: Console, kind: str, name: str, vector: Embeddings) -> None:
    if console.json:
        console.record({kind: name, "embedding": vector.tolist()})
    else:
        numbers = " ".join(f"{value:7.4f}" for value in vector[:SHOWN_NUMBERS].tolist())
        console.line(f"{printable(name)}  {console.dim(f'{len(vector)} numbers: {numbers} …')}")


def _sum_up(console: Console, args: argparse.Namespace, used: int, failed: int) -> None:
    if not used or (failed and args.strict):
        console.error(f"contralto: {printable(args.out)} was not written: {failed} inputs could not be used")
    elif console.json:
        console.record({"out": args.out, "rows": used, "failed": failed})
    else:
        console.line(
            f"{printable(args.out)}: {used} embeddings from {'all inputs' if not failed else f'{used + failed} inputs'}"
        )
