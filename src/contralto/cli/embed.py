"""Pictures and texts as unit rows: printed, or written to one .npz file.

Pictures that were embedded before, here or by search, come from the index, so a run that was stopped goes on.
FILE.npz holds: paths, embeddings (a row each, float32), texts, text_embeddings, failed (paths), reasons, contract.
"""

from __future__ import annotations

import argparse
import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from contralto.cli import options as shared
from contralto.cli import pictures
from contralto.cli.console import Console, shown
from contralto.cli.outcome import FAILED, Usage, code
from contralto.cli.unread import note_unread
from contralto.errors import ContraltoError
from contralto.files import written_whole
from contralto.search.files import Unusable

if TYPE_CHECKING:
    from contralto.encoder import Clip
    from contralto.search.index import Row

SHOWN_NUMBERS = 4


def options(parser: argparse.ArgumentParser) -> None:
    """What `contralto embed` takes."""
    parser.add_argument("pictures", nargs="*", metavar="PICTURE", help="a picture, or a folder of them")
    parser.add_argument("--text", nargs="+", default=[], metavar="T", help="texts, or @FILE: one a line")
    parser.add_argument("--out", metavar="FILE.npz", help="write all rows to this file, whole or not at all")
    parser.add_argument("--strict", action="store_true", help="fail (exit 1, no file) if any input cannot be used")
    parser.add_argument("--truncate", action="store_true", help="cut texts that are too long, and name them")
    shared.model(parser, decode="scaled")
    shared.common(parser)


def run(args: argparse.Namespace, console: Console) -> int:
    """Prints a line or an object a row, with --out after the file is written."""
    if not args.pictures and not args.text:
        raise Usage("contralto embed", "give a PICTURE, --text, or both")
    out = None if args.out is None else _writable(args.out)
    texts = shared.lines(args.text)
    files, failures = pictures.named(args.pictures)
    for one in failures:
        console.failed(one.path, one.reason)
    clip = shared.load(args, console)
    paths: list[str] = []
    rows: list[Row] = []
    folders = [path for path in args.pictures if os.path.isdir(path)]
    found = pictures.indexed(clip, files, console, decode=args.decode, folders=folders, streams=out is None)
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
        _write(out, clip, (paths, rows), (good, text_rows), failures)
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
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        rows, failures = clip.encode_text(texts, truncate=truncate, on_error="skip")
    for warning in caught:
        console.note(str(warning.message))
    for failure in failures:
        console.failed(failure.item, failure.reason)
    bad = {failure.index for failure in failures}
    return [text for i, text in enumerate(texts) if i not in bad], rows


def _show(console: Console, kind: str, name: str, row: Row) -> None:
    if console.json:
        console.record({kind: name, "embedding": row.tolist()})
    else:
        numbers = " ".join(f"{value:7.4f}" for value in row[:SHOWN_NUMBERS].tolist())
        console.line(f"{shown(name)}  {console.dim(f'{len(row)} numbers: {numbers} …')}")


def _writable(out: str) -> Path:
    """Refuses what cannot become a file before the work is done."""
    path = Path(out)
    if path.is_dir():
        raise ContraltoError(f"{shown(out)}: is a folder; --out names a file")
    if not path.parent.is_dir():
        raise ContraltoError(f"{shown(out)}: there is no folder {shown(str(path.parent))}")
    return path


def _write(
    out: Path, clip: Clip, images: tuple[list[str], list[Row]], texts: tuple[list[str], Row], failures: list[Unusable]
) -> None:
    width = clip.contract.embedding
    arrays = {
        "paths": np.array(images[0], dtype=np.str_),
        "embeddings": np.stack(images[1]) if images[1] else np.empty((0, width), np.float32),
        "texts": np.array(texts[0], dtype=np.str_),
        "text_embeddings": texts[1],
        "failed": np.array([one.path for one in failures], dtype=np.str_),
        "reasons": np.array([one.reason for one in failures], dtype=np.str_),
        "contract": np.array(clip.contract.to_json()),
    }
    try:
        with written_whole(out) as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]
    except OSError as error:
        raise ContraltoError(f"{shown(str(out))}: {(error.strerror or str(error)).lower()}") from error


def _sum_up(console: Console, args: argparse.Namespace, used: int, failed: int) -> None:
    if not used or (failed and args.strict):
        console.error(f"contralto: {shown(args.out)} is not written: {failed} inputs could not be used")
    elif console.json:
        console.record({"out": args.out, "rows": used, "failed": failed})
    else:
        console.line(f"{shown(args.out)}: {used} rows of {'all inputs' if not failed else f'{used + failed} inputs'}")
