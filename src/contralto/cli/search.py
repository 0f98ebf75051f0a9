"""The pictures of a folder and below it that fit best what is asked for, by their cosine.

What was embedded is kept in an index in the cache folder, so the next question is answered at once.
"""

from __future__ import annotations

import argparse
import os

import numpy as np

from contralto.cli import options as shared
from contralto.cli import pictures
from contralto.cli.console import Console, shown
from contralto.cli.outcome import FAILED, OK, Usage
from contralto.errors import ContraltoError
from contralto.search.files import Unusable, walk

NAMED = 3  # unreadable files that a note names; JSON names all


def options(parser: argparse.ArgumentParser) -> None:
    """What `contralto search` takes."""
    parser.add_argument("folder", metavar="FOLDER", help="where to look, folders below included")
    parser.add_argument("query", nargs="?", metavar="QUERY", help="what to look for, in words")
    parser.add_argument("--image", metavar="P", help="look for pictures like this one (with QUERY: like both)")
    help = "and not this; may be given several times"
    parser.add_argument("--not", action="append", default=[], dest="away", metavar="TEXT", help=help)
    parser.add_argument("--top", type=shared.positive, default=10, metavar="N", help="how many (default: 10)")
    shared.model(parser, decode="scaled")
    shared.common(parser)


def run(args: argparse.Namespace, console: Console) -> int:
    """Prints the best pictures, best first."""
    from contralto.search.query import query, rank

    if args.query is None and args.image is None:
        raise Usage("contralto search", "give a QUERY, --image, or both")
    if not os.path.isdir(args.folder):
        raise ContraltoError(f"{shown(args.folder)}: {_why_no_folder(args.folder)}")
    files, unusable = walk(args.folder)
    if not files and not unusable:
        raise ContraltoError(f"{shown(args.folder)}: there are no pictures in it")
    clip = shared.load(args, console)
    wanted = query(clip, args.query, args.image, args.away)
    paths: list[str] = []
    rows = np.empty((len(files), clip.contract.embedding), np.float32)
    for file, outcome in pictures.indexed(clip, files, console, decode=args.decode, folders=[args.folder]):
        if isinstance(outcome, str):
            unusable.append(Unusable(file.path, outcome))
        else:
            rows[len(paths)] = outcome
            paths.append(file.path)
    _tell_unusable(console, unusable)
    for place, (i, cosine) in enumerate(rank(rows[: len(paths)], wanted, args.top), 1):
        if console.json:
            console.record({"rank": place, "path": paths[i], "score": round(cosine, 6)})
        else:
            console.line(f"{place:4}  {console.dim(f'{cosine:6.3f}')}  {shown(paths[i])}")
    return OK if paths else FAILED


def _tell_unusable(console: Console, unusable: list[Unusable]) -> None:
    """One note; as JSON, an object for each."""
    if console.json:
        for one in unusable:
            console.failed(one.path, one.reason)
    elif unusable:
        some = "; ".join(f"{shown(one.path)} ({one.reason})" for one in unusable[:NAMED])
        more = f"; and {len(unusable) - NAMED} more" if len(unusable) > NAMED else ""
        console.note(f"{len(unusable)} could not be used: {some}{more}")


def _why_no_folder(path: str) -> str:
    return "is not a folder" if os.path.lexists(path) else "there is no such folder"
