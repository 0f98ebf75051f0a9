"""The pictures of a folder and below it that fit best what is asked for, by their cosine.

What was embedded is kept in an index in the cache folder, so the next question is answered at once. A line is drawn
where the pictures that fit end, by what unrelated questions and the other pictures get; below it come the nearest.
"""

from __future__ import annotations

import argparse
import os

import numpy as np

from contralto.cli import options as shared
from contralto.cli import pictures
from contralto.cli.console import Console, shown
from contralto.cli.outcome import FAILED, OK, Usage
from contralto.cli.unread import note_unread
from contralto.errors import ContraltoError
from contralto.search.files import Unusable, walk

LINE = "---- below: the nearest of the rest"
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
    from contralto.search import query, relevance

    if args.query is None and args.image is None:
        raise Usage("contralto search", "give a QUERY, --image, or both")
    if not os.path.isdir(args.folder):
        raise ContraltoError(f"{shown(args.folder)}: {_why_no_folder(args.folder)}")
    files, unusable = walk(args.folder)
    if not files and not unusable:
        raise ContraltoError(f"{shown(args.folder)}: there are no pictures in it")
    clip = shared.load(args, console)
    asked = query.question(clip, args.query, args.image, args.away)
    note_unread(console, clip, [*([] if args.query is None else [args.query]), *args.away])
    wanted = asked.row()
    paths: list[str] = []
    rows = np.empty((len(files), clip.contract.embedding), np.float32)
    for file, outcome in pictures.indexed(clip, files, console, decode=args.decode, folders=[args.folder]):
        if isinstance(outcome, str):
            unusable.append(Unusable(file.path, outcome))
        else:
            rows[len(paths)] = outcome
            paths.append(file.path)
    _tell_unusable(console, unusable)
    rows = rows[: len(paths)]
    cosines = query.cosines(rows, wanted)
    least = relevance.threshold(clip, asked, rows, cosines)
    _show(console, [(paths[i], cosine, cosine > least) for i, cosine in query.best(cosines, args.top)])
    return OK if paths else FAILED


def _show(console: Console, found: list[tuple[str, float, bool]]) -> None:
    """Path, cosine and whether it is relevant, best first."""
    if found and not found[0][2] and not console.json:
        console.note("nothing in here seems to fit; the nearest are:")
    before = False
    for place, (path, cosine, relevant) in enumerate(found, 1):
        if console.json:
            console.record({"rank": place, "path": path, "score": round(cosine, 6), "relevant": relevant})
            continue
        if before and not relevant:
            console.line(console.dim(LINE))
        before = relevant
        console.line(f"{place:4}  {console.dim(f'{cosine:6.3f}')}  {shown(path)}")


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
