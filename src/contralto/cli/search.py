"""The pictures of a folder and below it that fit best what is asked for, by their cosine.

What was embedded is kept in an index in the cache folder, so the next question is answered at once. A line is drawn
where the pictures that fit end, by what unrelated questions and the other pictures get; below it come the nearest.
"""

from __future__ import annotations

import argparse
import os
import shlex

import numpy as np

from contralto.cli import options as shared
from contralto.cli import pictures
from contralto.cli.console import Console, shown
from contralto.cli.outcome import FAILED, OK, Usage
from contralto.cli.texts import lengths_told
from contralto.cli.unread import note_unread
from contralto.errors import ContraltoError
from contralto.files import why_no_file
from contralto.search.walk import Unusable, walk

LINE = "---- below: the nearest of the rest"
SPECIAL = frozenset('"$`\\!')  # what a shell reads within double quotes
NAMED = 3  # unreadable files that a note names; JSON names all


def options(parser: argparse.ArgumentParser) -> None:
    """What `contralto search` takes."""
    parser.add_argument("folder", metavar="FOLDER", help="where to look, folders below included")
    parser.add_argument("query", nargs="*", metavar="QUERY", help="what to look for: words, in quotes")
    parser.add_argument("--image", metavar="P", help="look for pictures like this one (with QUERY: like both)")
    help = "and not this, in quotes; may be given several times"
    parser.add_argument("--not", action="append", default=[], dest="away", metavar="TEXT", help=help)
    parser.add_argument("--top", type=shared.positive, default=10, metavar="N", help="how many (default: 10)")
    shared.truncate(parser)
    pictures.excluding(parser)
    shared.model(parser, decode="scaled")
    shared.common(parser)


def run(args: argparse.Namespace, console: Console) -> int:
    """Prints the best pictures, best first."""
    from contralto.search import query, relevance

    words = _query(args)
    if words is None and args.image is None:
        raise Usage("contralto search", "give a QUERY, --image, or both")
    if not os.path.isdir(args.folder):
        raise ContraltoError(f"{shown(args.folder)}: {_why_no_folder(args.folder)}")
    files, unusable = walk(args.folder, args.exclude)
    if not files and not unusable:
        raise ContraltoError(f"{shown(args.folder)}: there are no pictures in it")
    clip = shared.load(args, console)
    with lengths_told(console, truncate=args.truncate):
        asked = query.encode_query(clip, words, args.image, args.away, truncate=args.truncate)
    note_unread(console, clip, [*([] if words is None else [words]), *args.away])
    wanted = asked.embedding()
    paths: list[str] = []
    rows = np.empty((len(files), clip.contract.embedding), np.float32)
    for file, outcome in pictures.indexed(clip, files, console, folders=[args.folder]):
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


def _query(args: argparse.Namespace) -> str | None:
    """The one text that is looked for. Raises Usage for several, with the command that may have been meant."""
    if len(args.query) > 1:
        if any(os.path.exists(word) for word in args.query):
            raise Usage("contralto search", f"takes one FOLDER and one QUERY, got {1 + len(args.query)} words")
        text = " ".join(args.query)
        quoted = shlex.quote(text) if SPECIAL.intersection(text) else f'"{text}"'
        also = " (and what follows --not)" if args.away else ""
        meant = f"contralto search {shlex.quote(args.folder)} {quoted}"
        raise Usage("contralto search", f"put the query in quotes{also}: {meant}")
    return args.query[0] if args.query else None


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
    return "is not a folder" if os.path.lexists(path) else why_no_file(path) or "there is no such folder"
