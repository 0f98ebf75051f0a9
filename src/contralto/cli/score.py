"""Scores how well captions describe pictures: CLIPScore, and RefCLIPScore if references are given (Hessel et al. 2021).

CLIPScore is 2.5 max(cos, 0) of picture and text. RefCLIPScore is its harmonic mean with the text's best cosine to a
reference. The prefix is put before texts and references. Every picture is scored with every text; --pairs lists pairs
instead.
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
from contralto.cli import picture_inputs
from contralto.cli.console import Console, printable
from contralto.cli.exit_codes import UsageError, exit_code
from contralto.cli.text_notes import length_notes, note_unknown_words, with_length_hint
from contralto.evaluation import clipscore
from contralto.evaluation.captioned import CaptionedPicture, read
from contralto.search.walk import PictureFile, UnusableFile, file_at

if TYPE_CHECKING:
    from contralto.embeddings import Embeddings
    from contralto.encoder import Clip


def options(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of `contralto score`."""
    parser.add_argument("pictures", nargs="*", metavar="PICTURE", help="picture, or folder of pictures")
    parser.add_argument("--text", nargs="+", default=[], metavar="TEXT", help=f"captions, or {shared.TEXTS_HELP}")
    help = f"reference captions by people, or {shared.TEXTS_HELP}"
    parser.add_argument("--references", nargs="+", default=[], metavar="TEXT", help=help)
    help = "score the pairs in this .csv or .jsonl file: path, text and optional references"
    parser.add_argument("--pairs", metavar="FILE", help=help)
    help = f"prefix of every text and reference (default: {clipscore.PREFIX!r})"
    parser.add_argument("--prefix", metavar="P", default=clipscore.PREFIX, help=help)
    shared.add_overlong_options(parser)
    shared.add_model_options(parser)
    shared.add_output_options(parser)


def run(args: argparse.Namespace, console: Console) -> int:
    """Prints a line or a JSON object for each pair; with --pairs, also the means."""
    inputs = bool(args.pictures or args.text or args.references)
    if inputs if args.pairs is not None else not (args.pictures and args.text):
        raise UsageError("contralto score", "give PICTURE... and --text, or --pairs alone")
    pairs, files, unusable = _inputs(args)
    clip = shared.load_model(args, console)
    if clip.contract.name != clipscore.PUBLISHED_WITH:
        console.note(
            f"published CLIPScores use {clipscore.PUBLISHED_WITH}; scores of {clip.contract.name} are not comparable"
        )
    texts = _encode(clip, pairs, args, console)
    note_unknown_words(console, clip, texts)
    images: dict[str, Embeddings] = {}
    for one in unusable:
        console.failure(one.path, one.reason)
    for file, outcome in picture_inputs.stream_embeddings(clip, files, console):
        if isinstance(outcome, str):
            console.failure(file.path, outcome)
        else:
            images[file.path] = outcome
    good = [pair for pair in pairs if pair.path in images and texts.keys() >= {pair.text, *pair.references}]
    if good:
        scores = _scores(good, images, texts)
        _show(console, good, scores)
        if args.pairs is not None:
            means = "; ".join(_means(good, scores))
            console.note(means) if console.json else console.line(means)
    return exit_code(len(good), len(pairs) - len(good) + len(unusable))


def _inputs(args: argparse.Namespace) -> tuple[list[CaptionedPicture], list[PictureFile], list[UnusableFile]]:
    """The pairs to score, their pictures (each once), and the pictures that cannot be used."""
    if args.pairs is None:
        files, unusable = picture_inputs.list_pictures(args.pictures)
        texts, references = shared.read_texts(args.text), tuple(shared.read_texts(args.references))
        pairs = [CaptionedPicture(file.path, text, references) for file, text in itertools.product(files, texts)]
        return pairs, list({file.path: file for file in files}.values()), unusable
    pairs = read(args.pairs)
    entries = [file_at(path) for path in dict.fromkeys(pair.path for pair in pairs)]
    files = [one for one in entries if isinstance(one, PictureFile)]
    return pairs, files, [one for one in entries if isinstance(one, UnusableFile)]


def _encode(
    clip: Clip, pairs: list[CaptionedPicture], args: argparse.Namespace, console: Console
) -> dict[str, Embeddings]:
    """The embedding of each usable text. Reports the other texts, and notes those that do not fit."""
    texts = list(dict.fromkeys(text for pair in pairs for text in (pair.text, *pair.references)))
    prefixed = [clipscore.prefixed(text, args.prefix) for text in texts]
    with length_notes(console):
        embeddings, failures = clip.encode_text(prefixed, overlong=args.overlong, on_error="skip")
    reasons = {failure.index: with_length_hint(failure.reason) for failure in failures}
    for index, reason in reasons.items():
        console.failure(texts[index], f"{reason} (with the prefix)" if args.prefix else reason)
    return dict(zip((text for index, text in enumerate(texts) if index not in reasons), embeddings, strict=True))


def _scores(
    pairs: list[CaptionedPicture], images: dict[str, Embeddings], texts: dict[str, Embeddings]
) -> clipscore.CaptionScores:
    width = next(iter(images.values())).shape[0]
    references = [[texts[one] for one in pair.references] for pair in pairs]
    return clipscore.scores_of_embeddings(
        np.stack([images[pair.path] for pair in pairs]),
        np.stack([texts[pair.text] for pair in pairs]),
        [np.stack(some) if some else np.empty((0, width), np.float32) for some in references],
    )


def _show(console: Console, pairs: list[CaptionedPicture], scores: clipscore.CaptionScores) -> None:
    before = None
    for pair, clip_score, ref_score in zip(pairs, *(column.tolist() for column in scores), strict=True):
        known = ref_score == ref_score  # not NaN
        if console.json:
            rounded = {"clipscore": round(clip_score, 6), "refclipscore": round(ref_score, 6) if known else None}
            console.record({"path": pair.path, "text": pair.text, **rounded})
            continue
        if pair.path != before:
            console.line(console.bold(printable(pair.path)))
            before = pair.path
        console.line(f"  {clip_score:6.3f}  {f'{ref_score:6.3f}' if known else '':6}  {printable(pair.text)}")


def _means(pairs: list[CaptionedPicture], scores: clipscore.CaptionScores) -> list[str]:
    """Each mean with its 95% bootstrap interval. The bootstrap draws all captions of a picture together."""
    from contralto.metrics import bootstrap

    means = []
    for name, column in zip(("CLIPScore", "RefCLIPScore"), scores, strict=True):
        known = np.flatnonzero(~np.isnan(column))
        if len(known):
            values, owners = column[known], [os.path.abspath(pairs[index].path) for index in known]
            low, high = bootstrap(functools.partial(_mean, values), len(known), groups=owners)
            means.append(f"mean {name} {values.mean():.4f} [{low:.4f}, {high:.4f}] of {len(known)}")
    return means


def _mean(values: NDArray[np.float64], indices: NDArray[np.int64]) -> float:
    return float(values[indices].mean())
