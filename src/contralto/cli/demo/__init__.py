"""CLIP at work on photographs: a zero-shot table, five searches, and one page for the browser that shows them.

The pictures are those that scikit-image carries, drawings, and any folder given.
"""

from __future__ import annotations

import argparse
import os
import sys
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING

from contralto.cli import options as shared
from contralto.cli.console import Console, shown
from contralto.cli.outcome import code

if TYPE_CHECKING:
    from contralto.cli.demo.ask import Answers
    from contralto.cli.demo.gather import Picture
    from contralto.search.walk import Unusable


def options(parser: argparse.ArgumentParser) -> None:
    """What `contralto demo` takes."""
    parser.add_argument("folder", nargs="?", metavar="FOLDER", help="pictures of yours to be shown as well")
    help = "folder for the page (default: contralto-demo)"
    parser.add_argument("--out", default="contralto-demo", metavar="DIR", help=help)
    parser.add_argument("--no-open", action="store_true", help="do not open the page in a browser")
    shared.model(parser)
    shared.common(parser)


def run(args: argparse.Namespace, console: Console) -> int:
    """Prints the table, the searches and the path of the page."""
    from contralto.cli.demo.ask import ask
    from contralto.cli.demo.page import render
    from contralto.files import require_folder, written_whole

    out = Path(args.out)
    require_folder(out)
    pictures, unusable = _pictures(args, console)
    clip = shared.load(args, console)
    with console.progress("pictures", len(pictures)) as advance:
        answers = ask(clip, pictures, advance)
    out.mkdir(parents=True, exist_ok=True)
    page = out / "index.html"
    with written_whole(page) as file:
        file.write(render(answers, clip).encode())
    if console.json:
        console.record({"page": str(page)})
    else:
        _tell(console, answers)
        console.line(f"\npage: {shown(str(page))}")
    console.flush()
    if not args.no_open and sys.stdout is not None and sys.stdout.isatty():
        webbrowser.open(page.absolute().as_uri())
    return code(len(pictures), len(unusable))


def _pictures(args: argparse.Namespace, console: Console) -> tuple[list[Picture], list[Unusable]]:
    """All pictures of this demo, and the user's that cannot be used, which are told."""
    from contralto.cli.demo import gather
    from contralto.cli.pictures import named

    pictures = gather.photographs()
    if not pictures:
        console.note("scikit-image is not installed, so there are no photographs: pip install 'contralto[demo]'")
    pictures += gather.drawings()
    if args.folder is None:
        return pictures, []
    files, unusable = named([args.folder])
    picked = gather.chosen(files)
    if len(picked) < len(files):
        console.note(f"{len(picked)} of the {len(files)} pictures in {shown(args.folder)} are shown")
    good, bad = gather.yours(picked)
    for one in unusable + bad:
        console.failed(one.path, one.reason)
    return pictures + good, unusable + bad


def _tell(console: Console, answers: Answers) -> None:
    """The table and the searches, for the terminal."""
    right, known = answers.judged
    console.line(console.bold(f"What is it? The best of {answers.labels} labels: {right} of {known} right"))
    for picture, best in zip(answers.pictures, answers.predictions, strict=True):
        mark = " " if picture.shows is None else "✓" if picture.shows == best[0].label else "✗"
        name = shown(os.fspath(picture.name))[:32]
        console.line(f"  {mark} {name:<32}  {best[0].score:5.1%}  {best[0].label}")
    for question, found in answers.searches:
        away = f", not {question.away}" if question.away else ""
        console.line(console.bold(f'\nsearch "{question.text}"{away}'))
        for i, cosine in found[:3]:
            console.line(f"  {cosine:6.3f}  {shown(answers.pictures[i].name)}")
