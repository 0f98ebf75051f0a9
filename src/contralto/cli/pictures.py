"""From what the user names to rows: folders become their pictures, known rows come from the index."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from contralto.cli.console import Console
from contralto.errors import ContraltoError
from contralto.search.walk import File, Unusable, look, walk

if TYPE_CHECKING:
    from contralto.embeddings import Embeddings as Row
    from contralto.encoder import Clip


def excluding(parser: argparse.ArgumentParser) -> None:
    """The option --exclude."""
    help = "pass over what these match in folders: names ('thumbs', '*-small.*'), or paths below the folder ('2019/*')"
    parser.add_argument("--exclude", nargs="+", action="extend", default=[], metavar="PATTERN", help=help)


def named(paths: list[str], exclude: Sequence[str] = ()) -> tuple[list[File], list[Unusable]]:
    """Files as given, and the pictures in folders; the second list is what cannot be looked at.

    exclude: what is passed over in folders, see `walk`.

    Raises ContraltoError if a folder holds no picture at all, and there is nothing else.
    """
    files: list[File] = []
    unusable: list[Unusable] = []
    for path in paths:
        if os.path.isdir(path):
            found, bad = walk(path, exclude)
            files += found
            unusable += bad
        else:
            one = look(path)
            (files if isinstance(one, File) else unusable).append(one)  # type: ignore[arg-type]
    if paths and not files and not unusable:
        raise ContraltoError(f"{', '.join(paths)}: there are no pictures in it")
    return files, unusable


def streamed(clip: Clip, files: list[File], console: Console) -> Iterator[tuple[File, Row | str]]:
    """Every file in order with its unit row, or with the reason why it has none. Nothing is kept."""
    from contralto.encoder import Failure

    results = clip.stream_images([file.path for file in files])
    with console.progress("pictures", len(files), streams=True) as advance:
        for file, (_, result) in zip(files, results, strict=True):
            advance()
            yield file, result.reason if isinstance(result, Failure) else result


def indexed(
    clip: Clip, files: list[File], console: Console, *, folders: list[str], streams: bool = False
) -> Iterator[tuple[File, Row | str]]:
    """As `streamed`, but from the index and into it; what is gone from `folders` is forgotten."""
    from contralto.search.embed_files import embed
    from contralto.search.index import Index

    with Index(clip, warn=console.note) as index:
        known = index.get(files)
        new = len(files) - len(known)
        going_on = "new pictures are in the index, the same command goes on from there"
        console.kept = f"0 of {new} {going_on}" if new else "all pictures are in the index"
        with console.progress("new pictures", new, streams=streams) as advance:
            done = 0
            for i, (file, outcome) in enumerate(embed(clip, files, index, known)):
                if i not in known:
                    advance()
                    done += 1
                    console.kept = f"{done} of {new} {going_on}"
                yield file, outcome
        for folder in folders:
            index.prune(folder, files)
