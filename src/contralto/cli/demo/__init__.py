"""Shows CLIP at work on photographs: a zero-shot table, five searches, maps, and one page for the browser.

The pictures are the photographs inside scikit-image, drawings, and the pictures of FOLDER if given.
"""

from __future__ import annotations

import argparse
import os
import sys
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING

from contralto.cli import options as shared
from contralto.cli.console import Console, printable
from contralto.cli.exit_codes import exit_code

if TYPE_CHECKING:
    from contralto.cli.demo.gallery import DemoPicture
    from contralto.cli.demo.results import DemoResults
    from contralto.search.walk import UnusableFile


def options(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of `contralto demo`."""
    parser.add_argument("folder", nargs="?", metavar="FOLDER", help="folder of your own pictures to show as well")
    help = "folder for the page (default: contralto-demo)"
    parser.add_argument("--out", default="contralto-demo", metavar="DIR", help=help)
    parser.add_argument("--no-open", action="store_true", help="do not open the page in a browser")
    shared.add_model_options(parser)
    shared.add_output_options(parser)


def run(args: argparse.Namespace, console: Console) -> int:
    """Prints the table, the searches and the path of the page."""
    from contralto.cli.demo.page import render
    from contralto.cli.demo.results import compute
    from contralto.cli.demo.where import locate
    from contralto.files import require_folder, written_whole

    out = Path(args.out)
    require_folder(out)
    pictures, unusable = _pictures(args, console)
    clip = shared.load_model(args, console)
    with console.progress("pictures", len(pictures)) as advance:
        results = compute(clip, pictures, advance)
    maps = locate(clip, pictures)
    out.mkdir(parents=True, exist_ok=True)
    page = out / "index.html"
    with written_whole(page) as file:
        file.write(render(results, maps, clip).encode())
    if console.json:
        console.record({"page": str(page)})
    else:
        _show(console, results)
        console.line(f"\npage: {printable(str(page))}")
    console.flush()
    if not args.no_open and sys.stdout is not None and sys.stdout.isatty():
        webbrowser.open(page.absolute().as_uri())
    return exit_code(len(pictures), len(unusable))


def _pictures(args: argparse.Namespace, console: Console) -> tuple[list[DemoPicture], list[UnusableFile]]:
    """All pictures of the demo, and the user's files that cannot be used, which are reported."""
    from contralto.cli.demo import gallery
    from contralto.cli.picture_inputs import list_pictures

    pictures = gallery.photographs()
    if not pictures:
        console.note("scikit-image is not installed, so the demo has no photographs: pip install 'contralto[demo]'")
    pictures += gallery.drawings()
    if args.folder is None:
        return pictures, []
    files, unusable = list_pictures([args.folder])
    picked = gallery.sample(files)
    if len(picked) < len(files):
        console.note(f"the page shows {len(picked)} of the {len(files)} pictures in {printable(args.folder)}")
    good, bad = gallery.user_pictures(picked)
    for one in unusable + bad:
        console.failure(one.path, one.reason)
    return pictures + good, unusable + bad


def _show(console: Console, results: DemoResults) -> None:
    """Prints the table and the searches."""
    correct, known = results.correct_count
    console.line(console.bold(f"What is it? Best of {results.labels} labels: {correct} of {known} correct"))
    for picture, best in zip(results.pictures, results.predictions, strict=True):
        mark = " " if picture.shows is None else "✓" if picture.shows == best[0].label else "✗"
        name = printable(os.fspath(picture.name))[:32]
        console.line(f"  {mark} {name:<32}  {best[0].score:5.1%}  {best[0].label}")
    for query, matches in results.searches:
        away = f", not {query.away}" if query.away else ""
        console.line(console.bold(f'\nsearch "{query.text}"{away}'))
        for i, cosine in matches[:3]:
            console.line(f"  {cosine:6.3f}  {printable(results.pictures[i].name)}")
