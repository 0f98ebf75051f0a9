"""Finds the pictures in a folder, and in folders below it, that match a query best by cosine similarity.

Embeddings are cached in an index in the cache folder, so the next query is fast. A line separates the matching pictures
from the nearest of the rest. Its place depends on the cosines of unrelated queries and of the other pictures.
With --axis, pictures are ordered between two texts instead, and both ends of the order are shown.
"""

from __future__ import annotations

import argparse
import functools
import os
import shlex
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from contralto.cli import options as shared
from contralto.cli import picture_inputs
from contralto.cli.console import Console, printable
from contralto.cli.exit_codes import FAILED, OK, UsageError
from contralto.cli.text_notes import length_notes, note_unknown_words
from contralto.errors import ContraltoError
from contralto.filenames import explain_missing
from contralto.search.walk import PictureFile, UnusableFile, walk

if TYPE_CHECKING:
    from contralto.embeddings import Embeddings
    from contralto.encoder import Clip
    from contralto.search.axis import Axis
    from contralto.search.query import Query

Show: TypeAlias = "Callable[[list[str], Embeddings], None]"
"""Shows the answer from the paths of at least one picture and their embeddings (N, d)."""

SEPARATOR = "---- below: the nearest of the rest"
OTHER_END = "---- the other end of the axis"
SHELL_CHARACTERS = frozenset('"$`\\!')  # a shell expands these within double quotes
MAX_NAMED_FILES = 3  # unusable files that a note names; JSON names all


def options(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of `contralto search`."""
    parser.add_argument("folder", metavar="FOLDER", help="folder to search, with the folders below it")
    parser.add_argument("query", nargs="*", metavar="QUERY", help="words to search for, in quotes")
    parser.add_argument("--image", metavar="P", help="find pictures like this one (with QUERY: like both)")
    help = "words for what to avoid, in quotes; can be repeated"
    parser.add_argument("--not", action="append", default=[], dest="away", metavar="TEXT", help=help)
    help = "order the pictures from the text FROM to the text TO: the cosine with TO less that with FROM"
    parser.add_argument("--axis", nargs=2, metavar=("FROM", "TO"), help=help)
    parser.add_argument(
        "--top", type=shared.positive_int, default=10, metavar="N", help="number of results (default: 10)"
    )
    shared.add_overlong_options(parser)
    picture_inputs.add_exclude_option(parser)
    shared.add_model_options(parser, decode="scaled")
    shared.add_output_options(parser)


def run(args: argparse.Namespace, console: Console) -> int:
    """Prints the best pictures, best first, or the pictures at the ends of the axis."""
    words = _query(args)
    if args.axis is None and words is None and args.image is None:
        raise UsageError("contralto search", "give a QUERY, --image, or both, or --axis alone")
    if args.axis is not None and (words is not None or args.image is not None or args.away):
        raise UsageError("contralto search", "--axis stands alone: give it without QUERY, --image and --not")
    if not os.path.isdir(args.folder):
        raise ContraltoError(f"{printable(args.folder)}: {_why_no_folder(args.folder)}")
    files, unusable = walk(args.folder, args.exclude)
    if not files and not unusable:
        raise ContraltoError(f"{printable(args.folder)}: no pictures found")
    clip = shared.load_model(args, console)
    show = _by_query(clip, words, args, console) if args.axis is None else _by_axis(clip, args, console)
    paths, embeddings = _embeddings(clip, files, unusable, args.folder, console)
    _show_unusable(console, unusable)
    if not paths:
        return FAILED
    show(paths, embeddings)
    return OK


def _query(args: argparse.Namespace) -> str | None:
    """The text of the query. Raises UsageError for several words, with the probably intended command."""
    if len(args.query) > 1:
        if any(os.path.exists(word) for word in args.query):
            raise UsageError("contralto search", f"takes one FOLDER and one QUERY, got {1 + len(args.query)} words")
        text = " ".join(args.query)
        quoted = shlex.quote(text) if SHELL_CHARACTERS.intersection(text) else f'"{text}"'
        also = " (and the text after --not)" if args.away else ""
        command = f"contralto search {shlex.quote(args.folder)} {quoted}"
        raise UsageError("contralto search", f"put the query in quotes{also}: {command}")
    return args.query[0] if args.query else None


def _by_query(clip: Clip, words: str | None, args: argparse.Namespace, console: Console) -> Show:
    """Encodes the query by text, picture or both. Raises ContraltoError, also if it has no direction."""
    from contralto.search.query import encode_query

    with length_notes(console):
        question = encode_query(clip, words, args.image, args.away, overlong=args.overlong)
    note_unknown_words(console, clip, [*([] if words is None else [words]), *args.away])
    question.embedding()
    return functools.partial(_show_matches, console, clip, question, args.top)


def _by_axis(clip: Clip, args: argparse.Namespace, console: Console) -> Show:
    """Encodes the two texts of the axis. Raises ContraltoError."""
    from contralto.search.axis import encode_axis

    with length_notes(console):
        axis = encode_axis(clip, *args.axis, overlong=args.overlong)
    note_unknown_words(console, clip, args.axis)
    return functools.partial(_show_order, console, clip, axis, args.top)


def _embeddings(
    clip: Clip, files: list[PictureFile], unusable: list[UnusableFile], folder: str, console: Console
) -> tuple[list[str], Embeddings]:
    """The paths of the N usable pictures and their embeddings (N, d). Adds the other files to `unusable`."""
    paths: list[str] = []
    embeddings = np.empty((len(files), clip.contract.embedding), np.float32)
    for file, outcome in picture_inputs.indexed_embeddings(clip, files, console, folders=[folder]):
        if isinstance(outcome, str):
            unusable.append(UnusableFile(file.path, outcome))
        else:
            embeddings[len(paths)] = outcome
            paths.append(file.path)
    return paths, embeddings[: len(paths)]


def _show_matches(
    console: Console, clip: Clip, question: Query, top: int, paths: list[str], embeddings: Embeddings
) -> None:
    """Shows path and cosine of each match, best first, with a line after the relevant ones."""
    from contralto.search import query, relevance

    cosines = query.cosines(embeddings, question.embedding())
    threshold = relevance.threshold(clip, question, embeddings, cosines)
    matches = [(paths[i], cosine, cosine > threshold) for i, cosine in query.best_matches(cosines, top)]
    if not matches[0][2] and not console.json:
        console.note("no picture seems to match; the nearest are:")
    above_line = False
    for rank, (path, cosine, relevant) in enumerate(matches, 1):
        if console.json:
            console.record({"rank": rank, "path": path, "score": round(cosine, 6), "relevant": relevant})
            continue
        if above_line and not relevant:
            console.line(console.dim(SEPARATOR))
        above_line = relevant
        _show_row(console, rank, cosine, path)


def _show_order(console: Console, clip: Clip, axis: Axis, top: int, paths: list[str], embeddings: Embeddings) -> None:
    """Shows the `top` pictures at the end of the axis; in the table also those at its start, and the spread."""
    from contralto.search.axis import relative_spread
    from contralto.search.query import best_matches

    scores = axis.scores(embeddings)
    order = best_matches(scores, len(paths))
    spread = relative_spread(clip, axis, embeddings)
    if spread is not None and spread <= 1:
        console.note(
            "the model hardly sees this axis in these pictures: they spread no wider than along an arbitrary one"
        )
    for rank, (i, score) in enumerate(order, 1):
        if console.json:
            if rank <= top:
                console.record({"rank": rank, "path": paths[i], "score": round(score, 6)})
            continue
        if rank == max(top, len(order) - top) + 1:
            console.line(console.dim(OTHER_END))
        if rank <= top or rank > len(order) - top:
            _show_row(console, rank, score, paths[i])
    if not console.json:
        relative = "" if spread is None else f"; spread {spread:.2f} of that between unrelated nouns"
        line = f"scores {scores.min():.3f} to {scores.max():.3f}, median {np.median(scores):.3f}{relative}"
        console.line(console.dim(line))


def _show_row(console: Console, rank: int, score: float, path: str) -> None:
    console.line(f"{rank:4}  {console.dim(f'{score:6.3f}')}  {printable(path)}")


def _show_unusable(console: Console, unusable: list[UnusableFile]) -> None:
    """Writes one note on all unusable files, or with --json an object for each."""
    if console.json:
        for one in unusable:
            console.failure(one.path, one.reason)
    elif unusable:
        some = "; ".join(f"{printable(one.path)} ({one.reason})" for one in unusable[:MAX_NAMED_FILES])
        more = f"; and {len(unusable) - MAX_NAMED_FILES} more" if len(unusable) > MAX_NAMED_FILES else ""
        console.note(f"{len(unusable)} could not be used: {some}{more}")


def _why_no_folder(path: str) -> str:
    return "is not a folder" if os.path.lexists(path) else explain_missing(path) or "there is no such folder"
