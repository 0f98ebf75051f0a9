"""Finds the pictures in a folder, and in folders below it, that match a query best by cosine similarity.

Embeddings are cached in an index in the cache folder, so the next query is fast. A line separates the matching pictures
from the nearest of the rest. Its place depends on the cosines of unrelated queries and of the other pictures.
"""

from __future__ import annotations

import argparse
import os
import shlex

import numpy as np

from contralto.cli import options as shared
from contralto.cli import picture_inputs
from contralto.cli.console import Console, printable
from contralto.cli.exit_codes import FAILED, OK, UsageError
from contralto.cli.text_notes import length_notes, note_unknown_words
from contralto.errors import ContraltoError
from contralto.filenames import explain_missing
from contralto.search.walk import UnusableFile, walk

SEPARATOR = "---- below: the nearest of the rest"
SHELL_CHARACTERS = frozenset('"$`\\!')  # a shell expands these within double quotes
MAX_NAMED_FILES = 3  # unusable files that a note names; JSON names all


def options(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of `contralto search`."""
    parser.add_argument("folder", metavar="FOLDER", help="folder to search, with the folders below it")
    parser.add_argument("query", nargs="*", metavar="QUERY", help="words to search for, in quotes")
    parser.add_argument("--image", metavar="P", help="find pictures like this one (with QUERY: like both)")
    help = "words for what to avoid, in quotes; can be repeated"
    parser.add_argument("--not", action="append", default=[], dest="away", metavar="TEXT", help=help)
    parser.add_argument(
        "--top", type=shared.positive_int, default=10, metavar="N", help="number of results (default: 10)"
    )
    shared.add_overlong_options(parser)
    picture_inputs.add_exclude_option(parser)
    shared.add_model_options(parser, decode="scaled")
    shared.add_output_options(parser)


def run(args: argparse.Namespace, console: Console) -> int:
    """Prints the best pictures, best first."""
    from contralto.search import query, relevance

    words = _query(args)
    if words is None and args.image is None:
        raise UsageError("contralto search", "give a QUERY, --image, or both")
    if not os.path.isdir(args.folder):
        raise ContraltoError(f"{printable(args.folder)}: {_why_no_folder(args.folder)}")
    files, unusable = walk(args.folder, args.exclude)
    if not files and not unusable:
        raise ContraltoError(f"{printable(args.folder)}: no pictures found")
    clip = shared.load_model(args, console)
    with length_notes(console):
        question = query.encode_query(clip, words, args.image, args.away, overlong=args.overlong)
    note_unknown_words(console, clip, [*([] if words is None else [words]), *args.away])
    query_embedding = question.embedding()
    paths: list[str] = []
    embeddings = np.empty((len(files), clip.contract.embedding), np.float32)
    for file, outcome in picture_inputs.indexed_embeddings(clip, files, console, folders=[args.folder]):
        if isinstance(outcome, str):
            unusable.append(UnusableFile(file.path, outcome))
        else:
            embeddings[len(paths)] = outcome
            paths.append(file.path)
    _show_unusable(console, unusable)
    embeddings = embeddings[: len(paths)]
    cosines = query.cosines(embeddings, query_embedding)
    threshold = relevance.threshold(clip, question, embeddings, cosines)
    _show(console, [(paths[i], cosine, cosine > threshold) for i, cosine in query.best_matches(cosines, args.top)])
    return OK if paths else FAILED


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


def _show(console: Console, matches: list[tuple[str, float, bool]]) -> None:
    """Shows path and cosine of each match, best first, with a line after the relevant ones."""
    if matches and not matches[0][2] and not console.json:
        console.note("no picture seems to match; the nearest are:")
    above_line = False
    for rank, (path, cosine, relevant) in enumerate(matches, 1):
        if console.json:
            console.record({"rank": rank, "path": path, "score": round(cosine, 6), "relevant": relevant})
            continue
        if above_line and not relevant:
            console.line(console.dim(SEPARATOR))
        above_line = relevant
        console.line(f"{rank:4}  {console.dim(f'{cosine:6.3f}')}  {printable(path)}")


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
