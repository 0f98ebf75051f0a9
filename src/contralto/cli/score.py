"""CLIPScore of captions, and RefCLIPScore where there are references (Hessel et al. 2021).

2.5 max(cos, 0) of picture and text; its harmonic mean with the text's best cosine to a reference. The prefix stands
before texts and references alike. Every picture is scored with every text; a file of pairs names its own.
"""

from __future__ import annotations

import argparse
import functools
import itertools
import os
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from contralto.cli import options as shared
from contralto.cli import pictures
from contralto.cli.console import Console, shown
from contralto.cli.outcome import Usage, code
from contralto.cli.texts import advised, lengths_told
from contralto.cli.unread import note_unread
from contralto.evaluation import clipscore
from contralto.evaluation.captioned import CaptionedPicture, read
from contralto.search.walk import File, Unusable, look

if TYPE_CHECKING:
    from contralto.embeddings import Embeddings as Row
    from contralto.encoder import Clip


def options(parser: argparse.ArgumentParser) -> None:
    """What `contralto score` takes."""
    parser.add_argument("pictures", nargs="*", metavar="PICTURE", help="a picture, or a folder of them")
    parser.add_argument("--text", nargs="+", default=[], metavar="TEXT", help=f"captions, or {shared.LINES}")
    help = f"what people said of the pictures, or {shared.LINES}"
    parser.add_argument("--references", nargs="+", default=[], metavar="TEXT", help=help)
    help = "instead: .csv or .jsonl with path, text and, if there are any, references"
    parser.add_argument("--pairs", metavar="FILE", help=help)
    help = f"stands before every text and reference (default: {clipscore.PREFIX!r})"
    parser.add_argument("--prefix", metavar="P", default=clipscore.PREFIX, help=help)
    shared.truncate(parser)
    shared.model(parser)
    shared.common(parser)


def run(args: argparse.Namespace, console: Console) -> int:
    """Prints a line or an object for each pair, and the means of a file of pairs."""
    named = bool(args.pictures or args.text or args.references)
    if named if args.pairs is not None else not (args.pictures and args.text):
        raise Usage("contralto score", "give PICTURE... with --text, or --pairs alone")
    pairs, files, unusable = _asked(args)
    clip = shared.load(args, console)
    if clip.contract.name != clipscore.PUBLISHED_WITH:
        console.note(f"published CLIPScores are those of {clipscore.PUBLISHED_WITH}: {clip.contract.name} has others")
    texts = _encode(clip, pairs, args, console)
    note_unread(console, clip, texts)
    images: dict[str, Row] = {}
    for one in unusable:
        console.failed(one.path, one.reason)
    for file, row in pictures.streamed(clip, files, console):
        if isinstance(row, str):
            console.failed(file.path, row)
        else:
            images[file.path] = row
    good = [pair for pair in pairs if pair.path in images and texts.keys() >= {pair.text, *pair.references}]
    if good:
        scores = _scores(good, images, texts)
        _show(console, good, scores)
        if args.pairs is not None:
            told = "; ".join(_means(good, scores))
            console.note(told) if console.json else console.line(told)
    return code(len(good), len(pairs) - len(good) + len(unusable))


def _asked(args: argparse.Namespace) -> tuple[list[CaptionedPicture], list[File], list[Unusable]]:
    """What is to be scored, the pictures of it, each once, and those that cannot be looked at."""
    if args.pairs is None:
        files, unusable = pictures.named(args.pictures)
        texts, references = shared.lines(args.text), tuple(shared.lines(args.references))
        pairs = [CaptionedPicture(file.path, text, references) for file, text in itertools.product(files, texts)]
        return pairs, list({file.path: file for file in files}.values()), unusable
    pairs = read(args.pairs)
    looked = [look(path) for path in dict.fromkeys(pair.path for pair in pairs)]
    files = [one for one in looked if isinstance(one, File)]
    return pairs, files, [one for one in looked if isinstance(one, Unusable)]


def _encode(clip: Clip, pairs: list[CaptionedPicture], args: argparse.Namespace, console: Console) -> dict[str, Row]:
    """The row of each text that could be used; the others, and those that were cut, are told."""
    texts = list(dict.fromkeys(text for pair in pairs for text in (pair.text, *pair.references)))
    prefixed = [clipscore.prefixed(text, args.prefix) for text in texts]
    with lengths_told(console, truncate=args.truncate):
        rows, failures = clip.encode_text(prefixed, truncate=args.truncate, on_error="skip")
    reasons = {failure.index: advised(failure.reason, truncate=args.truncate) for failure in failures}
    for place, reason in reasons.items():
        console.failed(texts[place], f"{reason} (with the prefix)" if args.prefix else reason)
    return dict(zip((text for place, text in enumerate(texts) if place not in reasons), rows, strict=True))


def _scores(pairs: list[CaptionedPicture], images: dict[str, Row], texts: dict[str, Row]) -> clipscore.CaptionScores:
    width = next(iter(images.values())).shape[0]
    references = [[texts[one] for one in pair.references] for pair in pairs]
    return clipscore.scores_of_embeddings(
        np.stack([images[pair.path] for pair in pairs]),
        np.stack([texts[pair.text] for pair in pairs]),
        [np.stack(some) if some else np.empty((0, width), np.float32) for some in references],
    )


def _show(console: Console, pairs: list[CaptionedPicture], scores: clipscore.CaptionScores) -> None:
    before = None
    for pair, clip_score, referred in zip(pairs, *(column.tolist() for column in scores), strict=True):
        known = referred == referred  # not NaN
        if console.json:
            rounded = {"clipscore": round(clip_score, 6), "refclipscore": round(referred, 6) if known else None}
            console.record({"path": pair.path, "text": pair.text, **rounded})
            continue
        if pair.path != before:
            console.line(console.bold(shown(pair.path)))
            before = pair.path
        console.line(f"  {clip_score:6.3f}  {f'{referred:6.3f}' if known else '':6}  {shown(pair.text)}")


def _means(pairs: list[CaptionedPicture], scores: clipscore.CaptionScores) -> list[str]:
    """Each mean with its 95% interval by bootstrap, in which the captions of a picture are drawn together."""
    from contralto.metrics import bootstrap

    told = []
    for name, column in zip(("CLIPScore", "RefCLIPScore"), scores, strict=True):
        known = np.flatnonzero(~np.isnan(column))
        if len(known):
            values, owners = column[known], [os.path.abspath(pairs[place].path) for place in known]
            low, high = bootstrap(functools.partial(_mean, values), len(known), groups=owners)
            told.append(f"mean {name} {values.mean():.4f} [{low:.4f}, {high:.4f}] of {len(known)}")
    return told


def _mean(values: NDArray[np.float64], places: NDArray[np.int64]) -> float:
    return float(values[places].mean())
