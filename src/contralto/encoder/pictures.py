"""Pictures of any kind -> pixels -> rows: prepared in threads while the engine works, each failing alone."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Generator, Iterable, Iterator, Sized
from contextlib import closing
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from contralto import contract
from contralto.embeddings import Embeddings
from contralto.encoder.items import picture_name
from contralto.encoder.readable import explained, readable
from contralto.encoder.runner import Runner
from contralto.encoder.stream import ahead, windows
from contralto.errors import ImageError
from contralto.image.decode import NO_MEMORY, Item, decode_unturned
from contralto.image.transform import pixels

MANY = 2**20  # pictures that an iterator may give: nobody knows

Prepared = tuple[int, Any, NDArray[np.float32] | ImageError]
Encoded = tuple[int, Any, Embeddings | ImageError]


def encoded(
    items: Iterable[Any], runner: Runner, scaled_to: int | None, batch_size: int | None
) -> Generator[Encoded, None, None]:
    """(index, item, its row or why there is none) in order; two batches are prepared ahead."""
    size = batch_size or runner.images_at_once
    count, items = _counted(items, 2 * size)
    engine = runner.engine.expect("image", count)
    with closing(prepared(items, runner.contract.image, scaled_to, 2 * size)) as stream:
        for window in windows(stream, size):
            found = iter(
                runner.images([result for _, _, result in window if not isinstance(result, ImageError)], engine)
            )
            for index, item, result in window:
                yield index, item, result if isinstance(result, ImageError) else next(found)


def _counted(items: Iterable[Any], ahead: int) -> tuple[int, Iterable[Any]]:
    """How many they are, and the same items. An iterator is read so far ahead; if it goes on, it counts as many."""
    if isinstance(items, Sized):
        return len(items), items
    source = iter(items)
    first = list(itertools.islice(source, ahead + 1))
    return (len(first), first) if len(first) <= ahead else (MANY, itertools.chain(first, source))


def prepared(
    items: Iterable[Any], spec: contract.Image, scaled_to: int | None, most: int
) -> Generator[Prepared, None, None]:
    """(index, item, its pixels (3, H, W) or why there are none) in order, at most `most` ahead of the caller.

    Open files are read in the caller's thread, in order: two of them may be one, or share a position in an archive.
    """
    in_turn = threading.Lock()  # Pillow loads a file image on first use: one that is listed twice must not race

    def opened() -> Iterator[tuple[int, Any, Item | ImageError]]:
        for index, item in enumerate(items):
            try:
                yield index, item, readable(item, picture_name(index, item))
            except ImageError as error:
                yield index, item, error

    def prepare(numbered: tuple[int, Any, Item | ImageError]) -> Prepared:
        index, item, found = numbered
        if isinstance(found, ImageError):
            return index, item, found
        name = picture_name(index, item)
        try:
            if isinstance(found, Image.Image):
                with in_turn:
                    image, turn = decode_unturned(found, alpha=spec.alpha, scaled_to=scaled_to, name=name)
            else:
                image, turn = decode_unturned(found, alpha=spec.alpha, scaled_to=scaled_to, name=name)
            return index, item, pixels(image, spec, turn=turn)
        except ImageError as error:
            error = error if error.item == name else ImageError(name, error.reason, error.lasting)
            return index, item, explained(found, error)
        except MemoryError:
            return index, item, ImageError(name, NO_MEMORY, lasting=False)

    with closing(ahead(prepare, opened(), most)) as stream:
        yield from stream
