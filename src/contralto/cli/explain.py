"""Shows which places of a picture and which words of a text speak for their cosine.

Methods: auto (relevance for a tower with a class token, else cells), relevance, gradcam, cells, occlusion, rise.
"""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from contralto.cli import options as shared
from contralto.cli import picture_inputs
from contralto.cli.console import Console, printable
from contralto.cli.exit_codes import exit_code
from contralto.cli.explained_picture import FULL_BAR, ExplainedPicture, unseen, verdict, where
from contralto.cli.text_notes import note_unknown_words

if TYPE_CHECKING:
    from contralto.apply.explain import Explanation, WordEffect
    from contralto.encoder import Clip

METHOD_NAMES = ("auto", "relevance", "gradcam", "cells", "occlusion", "rise")
BAR_WIDTH = 16
NAME_LIMIT = 40  # characters of a text in the name of a file


def options(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of `contralto explain`."""
    parser.add_argument("pictures", nargs="+", metavar="PICTURE", help="picture, or folder of pictures")
    parser.add_argument("--text", nargs="+", required=True, metavar="TEXT", help=f"texts, or {shared.TEXTS_HELP}")
    help = "another text: show what speaks for TEXT rather than for it"
    parser.add_argument("--against", metavar="TEXT", help=help)
    help = f"{', '.join(METHOD_NAMES)} (default: auto)"
    parser.add_argument("--method", choices=METHOD_NAMES, default="auto", metavar="M", help=help)
    help = "compare each map with that of random weights, which should be another"
    parser.add_argument("--check", action="store_true", help=help)
    parser.add_argument("--out", metavar="DIR", help="folder for the maps as PNG, and a page that shows them")
    shared.add_model_options(parser)
    shared.add_output_options(parser)


def run(args: argparse.Namespace, console: Console) -> int:
    """Prints a block or a JSON object for each picture and text; writes the maps and their page."""
    from contralto.files import require_folder

    texts = shared.read_texts(args.text)
    files, unusable = picture_inputs.list_pictures(args.pictures)
    if args.out is not None:
        require_folder(Path(args.out))
    for one in unusable:
        console.failure(one.path, one.reason)
    clip = shared.load_model(args, console)
    note_unknown_words(console, clip, texts if args.against is None else [*texts, args.against])
    if args.out is not None:
        Path(args.out).mkdir(parents=True, exist_ok=True)
    cards: list[str] = []
    done = 0
    for picture in _explained(clip, [file.path for file in files], texts, args, console):
        done += 1
        for text, explanation, file in zip(picture.texts, picture.explanations, picture.maps, strict=True):
            if console.json:
                console.record(_record(picture.path, text, explanation, file))
            else:
                _show(console, picture.path, text, explanation, first=text is picture.texts[0])
        if args.out is not None:
            from contralto.cli.explain_page import card

            cards.append(card(picture, clip.contract.image.alpha))
    if args.out is not None and cards:
        _write_page(Path(args.out), cards, clip, args, console)
    return exit_code(done, len(files) + len(unusable) - done)


def _explained(
    clip: Clip, paths: list[str], texts: list[str], args: argparse.Namespace, console: Console
) -> Iterator[ExplainedPicture]:
    """Each picture that can be used; the others are reported."""
    from contralto.apply.explain import explain_texts
    from contralto.errors import ImageError

    with console.progress("pictures", len(paths), streams=True) as advance:
        for number, path in enumerate(paths, 1):
            try:
                several = explain_texts(clip, path, texts, method=args.method, against=args.against, check=args.check)
                maps = _draw(clip, path, texts, several, Path(args.out), number) if args.out is not None else []
            except ImageError as error:
                console.failure(path, error.reason)
                continue
            finally:
                advance()
            yield ExplainedPicture(path, texts, several, [*maps] or [None] * len(texts))


def _draw(
    clip: Clip, path: str, texts: list[str], explanations: list[Explanation], out: Path, number: int
) -> list[Path]:
    """Writes a PNG for each text, all on one scale."""
    from contralto.apply.map_pictures import drawn, full_strength
    from contralto.apply.picture import upright
    from contralto.files import written_whole

    image, full = upright(path, clip.contract.image.alpha), full_strength(explanations)
    files = []
    for place, (text, explanation) in enumerate(zip(texts, explanations, strict=True), 1):
        stem = os.path.splitext(os.path.basename(path))[0]
        file = out / f"{number}-{_plain(stem)}-{place}-{_plain(text)}.png"
        with written_whole(file) as stream:
            drawn(image, explanation, full).save(stream, "PNG")
        files.append(file)
    return files


def _plain(text: str) -> str:
    """A text as a part of a file name: ASCII letters and digits, joined by hyphens."""
    return re.sub(r"[^A-Za-z0-9]+", "-", text)[:NAME_LIMIT].strip("-") or "x"


def _write_page(out: Path, cards: list[str], clip: Clip, args: argparse.Namespace, console: Console) -> None:
    from contralto.cli.explain_page import page
    from contralto.files import written_whole

    with written_whole(out / "index.html") as file:
        file.write(page(cards, clip.contract.name, args.against).encode())
    if not console.json:
        console.line(f"page: {printable(str(out / 'index.html'))}")


def _record(path: str, text: str, explanation: Explanation, file: Path | None) -> dict[str, Any]:
    peak, sanity = explanation.peak, explanation.sanity
    return {
        "path": path,
        "text": text,
        "cosine": round(explanation.cosine, 6),
        "method": explanation.method,
        "seen": [round(edge, 2) for edge in explanation.seen],
        "peak": None if peak is None else list(peak),
        "words": [{"word": word, "effect": _rounded(effect)} for word, effect in explanation.words],
        "sanity": _rounded(sanity),
        "map": None if file is None else str(file),
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)


def _show(console: Console, path: str, text: str, explanation: Explanation, *, first: bool) -> None:
    if first:
        console.line(console.bold(printable(path)))
        if sentence := unseen(explanation):
            console.line(console.dim(f"  {sentence}"))
    peak = explanation.peak
    place = "nothing speaks for it" if peak is None else f"peak {where(peak, explanation.size)}, {peak[0]} {peak[1]}"
    console.line(f"  {explanation.cosine:6.3f}  {printable(text)}  {console.dim(f'{explanation.method}, {place}')}")
    width = max((len(printable(one.word)) for one in explanation.words), default=0)
    for one in explanation.words:
        console.line(f"          {_word(one, width)}".rstrip())
    if explanation.sanity is not None:
        console.line(f"          check {explanation.sanity:.2f}: {verdict(explanation.sanity)}")


def _word(one: WordEffect, width: int) -> str:
    """A word, its effect, and a bar: full for what speaks for the picture, light for what speaks against it."""
    word = f"{printable(one.word):{width}}"
    if one.effect is None:
        return f"{word}  the only word"
    bar = ("█" if one.effect > 0 else "░") * min(BAR_WIDTH, round(BAR_WIDTH * abs(one.effect) / FULL_BAR))
    return f"{word}  {one.effect:+.3f}  {bar}"
