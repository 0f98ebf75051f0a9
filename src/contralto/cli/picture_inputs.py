"""From the paths on the command line to embeddings: lists the pictures in folders, and uses the index as a cache."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from contralto.cli.console import Console
from contralto.errors import ContraltoError
from contralto.search.walk import PictureFile, UnusableFile, file_at, walk

if TYPE_CHECKING:
    from contralto.embeddings import Embeddings
    from contralto.encoder import Clip


def add_exclude_option(parser: argparse.ArgumentParser) -> None:
    """Adds --exclude."""
    help = "skip matching entries of folders: names ('thumbs', '*-small.*') or paths below the folder ('2019/*')"
    parser.add_argument("--exclude", nargs="+", action="extend", default=[], metavar="PATTERN", help=help)


def list_pictures(paths: list[str], exclude: Sequence[str] = ()) -> tuple[list[PictureFile], list[UnusableFile]]:
    """The given files and the pictures in the given folders; then the entries that cannot be used.

    exclude: patterns of entries to skip in folders, see `walk`.

    Raises ContraltoError if the folders hold no picture and nothing else is given.
    """
    files: list[PictureFile] = []
    unusable: list[UnusableFile] = []
    for path in paths:
        if os.path.isdir(path):
            in_folder, bad = walk(path, exclude)
            files += in_folder
            unusable += bad
        else:
            entry = file_at(path)
            (files if isinstance(entry, PictureFile) else unusable).append(entry)  # type: ignore[arg-type]
    if paths and not files and not unusable:
        raise ContraltoError(f"{', '.join(paths)}: no pictures found")
    return files, unusable


def stream_embeddings(
    clip: Clip, files: list[PictureFile], console: Console
) -> Iterator[tuple[PictureFile, Embeddings | str]]:
    """Yields each file, in order, with its embedding (d,) or with the reason why it failed. Nothing is cached."""
    from contralto.encoder import Failure

    results = clip.stream_images([file.path for file in files])
    with console.progress("pictures", len(files), streams=True) as advance:
        for file, (_, result) in zip(files, results, strict=True):
            advance()
            yield file, result.reason if isinstance(result, Failure) else result


def indexed_embeddings(
    clip: Clip, files: list[PictureFile], console: Console, *, folders: list[str], streams: bool = False
) -> Iterator[tuple[PictureFile, Embeddings | str]]:
    """Like `stream_embeddings`, but reads embeddings from the index and stores new ones in it.

    Afterwards the index drops the entries of `folders` whose files no longer exist.
    """
    from contralto.search.embed_files import embed
    from contralto.search.index import Index

    with Index(clip, warn=console.note) as index:
        known = index.get(files)
        new = len(files) - len(known)
        resume = "new pictures are in the index; run the same command to continue"
        console.saved_work = f"0 of {new} {resume}" if new else "all pictures are in the index"
        with console.progress("new pictures", new, streams=streams) as advance:
            done = 0
            for i, (file, outcome) in enumerate(embed(clip, files, index, known)):
                if i not in known:
                    advance()
                    done += 1
                    console.saved_work = f"{done} of {new} {resume}"
                yield file, outcome
        for folder in folders:
            index.prune(folder, files)
