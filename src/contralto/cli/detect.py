"""Finds where in each picture things are: boxes with a label and a score, best first.

OWL-ViT and OWLv2 detect by their own heads. Any other model compares regions of the picture with the labels: that finds
large, separate things, and is far less exact. Boxes are x0, y0, x1, y1 in pixels of the upright picture.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence, Set
from pathlib import Path
from typing import TYPE_CHECKING

from contralto.cli import options as shared
from contralto.cli import picture_inputs
from contralto.cli.console import Console, printable
from contralto.cli.exit_codes import UsageError, exit_code
from contralto.cli.text_notes import note_unknown_words

if TYPE_CHECKING:
    from PIL import Image

    from contralto.apply.detect.box import Box
    from contralto.apply.detect.run import Detector
    from contralto.encoder import Clip

NOTHING = "nothing stands out"
QUALITY = 92  # of the JPEG files
LONGEST_STEM = 60  # characters, at most 4 bytes each: file systems allow 255 bytes


def options(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of `contralto detect`."""
    parser.add_argument("pictures", nargs="+", metavar="PICTURE", help="picture, or folder of pictures")
    query = parser.add_mutually_exclusive_group(required=True)
    query.add_argument("--labels", nargs="+", metavar="L", help=f"what to look for, or {shared.TEXTS_HELP}")
    query.add_argument("--like", metavar="PICTURE", help="look for things like the one in this picture")
    help = f"{shared.TEMPLATES_HELP} (default: photo; OWL-ViT and OWLv2: none)"
    parser.add_argument("--templates", metavar="T", help=help)
    help = "show boxes with a score above this, 0 to 1 (default: 0.5; OWL-ViT and OWLv2: 0.1)"
    parser.add_argument("--threshold", type=shared.share, metavar="T", help=help)
    help = "of two boxes of a label with an IoU above this, show the better one"
    help += " (default: 0.5; OWL-ViT and OWLv2: 1, which shows all, and 0.3 with --like)"
    parser.add_argument("--nms", type=shared.share, metavar="X", help=help)
    parser.add_argument("--out", metavar="DIR", help="folder for the pictures with their boxes drawn, as JPEG")
    shared.add_model_options(parser)
    shared.add_output_options(parser)


def run(args: argparse.Namespace, console: Console) -> int:
    """Prints a table or a JSON object for each picture."""
    from contralto.apply.detect import run as detection
    from contralto.files import require_folder

    if args.labels is None and args.templates is not None:
        raise UsageError("contralto detect", "--templates belongs to --labels")
    labels = None if args.labels is None else shared.read_texts(args.labels)
    templates = shared.read_templates(args.templates or "photo")
    out = None if args.out is None else Path(args.out)
    if out is not None:
        require_folder(out)
    files, unusable = picture_inputs.list_pictures(args.pictures)
    clip = shared.load_model(args, console)
    limits = {"threshold": args.threshold, "nms": args.nms}
    find = detection.detector(clip, labels, like=args.like, templates=templates, **limits)
    if labels is not None:
        note_unknown_words(console, clip, labels)
    for one in unusable:
        console.failure(one.path, one.reason)
    drawings = None if out is None else Drawings(out, [file.path for file in files], labels or [])
    failed = _detect(clip, find, [file.path for file in files], drawings, console)
    return exit_code(len(files) - failed, failed + len(unusable))


def _detect(clip: Clip, find: Detector, paths: list[str], drawings: Drawings | None, console: Console) -> int:
    """Shows the boxes of each picture; the number of pictures that could not be read."""
    from contralto.apply.detect.run import kind
    from contralto.apply.picture import upright
    from contralto.errors import ImageError

    failed = 0
    with console.progress("pictures", len(paths), streams=True) as advance:
        for index, path in enumerate(paths):
            try:
                picture = upright(path, clip.contract.image.alpha)
                boxes = find(picture)
            except ImageError as error:
                console.failure(path, error.reason)
                failed += 1
            else:
                drawn = None if drawings is None else drawings.write(index, picture, boxes)
                _show(console, path, picture.size, kind(clip), boxes, drawn)
            advance()
    return failed


def _show(
    console: Console, path: str, size: tuple[int, int], kind: str, boxes: Sequence[Box], drawn: Path | None
) -> None:
    if console.json:
        each = [
            {
                "label": b.label,
                "score": round(b.score, 6),
                "box": [round(x, 2) for x in b.box],
                "objectness": b.objectness,
            }
            for b in boxes
        ]
        console.record({"path": path, "size": [*size], "detector": kind, "boxes": each})
        return
    console.line(console.bold(printable(path)) + (f"  -> {printable(str(drawn))}" if drawn else ""))
    if not boxes:
        console.line(console.dim(f"  {NOTHING}"))
    width = max((len(printable(b.label or "")) for b in boxes), default=0)
    for b in boxes:
        x0, y0, x1, y1 = (round(x) for x in b.box)
        label = f"{printable(b.label):{width}}  " if b.label is not None else ""
        console.line(f"  {b.score:6.1%}  {label}{console.dim(f'{x0},{y0} to {x1},{y1}')}")


class Drawings:
    """Writes pictures with their boxes to a folder, each under a name of its own; never over a picture that is read."""

    def __init__(self, folder: Path, paths: Sequence[str], labels: Sequence[str]) -> None:
        """paths: of all pictures. labels: their order chooses the colours."""
        self._folder, self._labels = folder, labels
        inside = [path for path in map(Path, paths) if path.absolute().parent == folder.absolute()]
        self._names = file_names(paths, {path.name for path in inside})

    def write(self, index: int, picture: Image.Image, boxes: Sequence[Box]) -> Path:
        """Writes one picture; returns the path. Raises OSError."""
        from contralto.apply.detect.draw import draw
        from contralto.files import written_whole

        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / self._names[index]
        with written_whole(path) as file:
            draw(picture, boxes, self._labels).save(file, "JPEG", quality=QUALITY)
        return path


def file_names(paths: Sequence[str], reserved: Set[str] = frozenset()) -> list[str]:
    """A name NAME-boxes.jpg for each picture: all different, and none reserved, also where capitals do not count."""
    names: list[str] = []
    taken = {name.casefold() for name in reserved}
    for path in paths:
        stem = Path(path).stem[:LONGEST_STEM]
        name, number = f"{stem}-boxes.jpg", 1
        while name.casefold() in taken:
            number += 1
            name = f"{stem}-boxes-{number}.jpg"
        taken.add(name.casefold())
        names.append(name)
    return names
