"""Pictures to pixels to embeddings: threads prepare them while the engine works.

A picture that fails does not affect the others. Read `encode` (a list, all at once), `stream` (any number in bounded
memory) and `preprocess` (pixels only); all three iterate over `_prepare`. The plain twin is `one_by_one` in
tests/encoder/test_pictures.py.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Generator, Iterable, Iterator, Sized
from contextlib import closing
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from contralto import contract, inputs
from contralto.embeddings import Embeddings
from contralto.encoder.grids import Grids
from contralto.encoder.options import Encoded, OnError, Progress
from contralto.encoder.readable import decoder_input, explain
from contralto.encoder.runner import Runner
from contralto.encoder.stream import prepare_ahead, windows
from contralto.engine.base import require_embeddings
from contralto.errors import ImageError
from contralto.image.decode import NO_MEMORY, Item, decode_unturned
from contralto.image.transform import pixels
from contralto.inputs import Failure, picture_name

MANY_PICTURES = 2**20  # the count for an iterator whose length is unknown

EmbeddingStream = Generator[tuple[int, Embeddings | Failure], None, None]
"""Yields (index, embedding (d,) or Failure)."""

Prepared = tuple[int, Any, NDArray[np.float32] | ImageError]
"""(index, item, its pixels (3, H, W) or why there are none)."""


def encode(
    items: Any, runner: Runner, scaled_to: int | None, on_error: OnError, batch_size: int | None, progress: Progress
) -> Encoded:
    """(embeddings (d,) of one picture or (N, d) of a list, the failures). Raises ImageError with on_error="raise"."""
    single, given = inputs.pictures(items)
    several = given if isinstance(given, list | tuple | np.ndarray) else list(given)
    parts: list[Embeddings] = [np.empty((0, runner.contract.embedding), np.float32)]
    failures: list[Failure] = []
    with closing(stream(several, runner, scaled_to, batch_size, on_error)) as results:
        for index, result in results:
            if isinstance(result, Failure):
                failures.append(result)
            else:
                parts.append(result[None])
            if progress is not None:
                progress(index + 1, len(several))
    embeddings = np.concatenate(parts)
    return embeddings[0] if single and len(embeddings) else embeddings, failures


def stream(
    items: Any, runner: Runner, scaled_to: int | None, batch_size: int | None, on_error: OnError = "skip"
) -> EmbeddingStream:
    """(index, embedding (d,) or Failure) in order; two batches are prepared ahead."""
    require_embeddings(runner.contract)
    size = batch_size or runner.images_at_once
    count, items = _count(inputs.pictures(items)[1], 2 * size)
    engine = runner.engine.engine_for("image", count)
    with closing(_prepare(items, runner.contract.image, scaled_to, 2 * size)) as prepared:
        for window in windows(prepared, size):
            batch = [result for _, _, result in window if not isinstance(result, ImageError)]
            embeddings = iter(runner.images(batch, engine))
            for index, item, result in window:
                if not isinstance(result, ImageError):
                    yield index, next(embeddings)
                elif on_error == "raise":
                    raise result
                else:
                    yield index, Failure.of(index, item, result)


def encode_with_features(
    items: Any, runner: Runner, featurizer: Runner, scaled_to: int | None
) -> tuple[bool, Embeddings, Embeddings]:
    """(whether one picture was given, embeddings (N, d), features (N, w)): each is prepared once, for both runners.

    Raises ImageError.
    """
    require_embeddings(runner.contract)
    single, given = inputs.pictures(items)
    size = runner.images_at_once
    count, several = _count(given, 2 * size)
    engines = [(one, one.engine.engine_for("image", count)) for one in (runner, featurizer)]
    parts = [[np.empty((0, one.contract.embedding), np.float32)] for one, _ in engines]
    with closing(_prepare(several, runner.contract.image, scaled_to, 2 * size)) as prepared:
        for window in windows(prepared, size):
            batch = [_usable(result) for _, _, result in window]
            for (one, engine), rows in zip(engines, parts, strict=True):
                rows.append(one.images(batch, engine))
    return single, np.concatenate(parts[0]), np.concatenate(parts[1])


def preprocess(items: Any, spec: contract.Image, scaled_to: int | None, max_ahead: int) -> NDArray[np.float32]:
    """Pixels float32 (N, 3, H, W); N is 1 for one picture. Raises ImageError."""
    parts = [np.empty((0, 3, *spec.size), np.float32)]
    with closing(_prepare(inputs.pictures(items)[1], spec, scaled_to, max_ahead)) as prepared:
        parts += [_usable(result)[None] for _, _, result in prepared]
    return np.concatenate(parts)


def cells(
    items: Any, grids: Grids, how: str, runner: Runner, scaled_to: int | None, on_error: OnError
) -> tuple[NDArray[np.float32], list[Failure]]:
    """(unit rows (h, w, d) of one picture or (N, h, w, d) of a list, the failures). Raises ImageError as `encode`."""
    single, several = inputs.pictures(items)
    how = grids.way(how)
    parts = [np.empty((0, *grids.places, runner.contract.embedding), np.float32)]
    failures: list[Failure] = []
    size = runner.images_at_once
    with closing(_prepare(several, runner.contract.image, scaled_to, 2 * size)) as prepared:
        for window in windows(prepared, size):
            for index, item, result in window:
                if isinstance(result, ImageError):
                    if on_error == "raise":
                        raise result
                    failures.append(Failure.of(index, item, result))
            batch = [result for _, _, result in window if not isinstance(result, ImageError)]
            step = 1 if runner.reproducible else size
            parts += [grids.cells(grids.of(np.stack(batch[i : i + step])), how) for i in range(0, len(batch), step)]
    rows = np.concatenate(parts)
    return rows[0] if single and len(rows) else rows, failures


def _usable(result: NDArray[np.float32] | ImageError) -> NDArray[np.float32]:
    if isinstance(result, ImageError):
        raise result
    return result


def _count(items: Iterable[Any], ahead: int) -> tuple[int, Iterable[Any]]:
    """(the count, the same items). An iterator that gives more than `ahead` items counts as MANY_PICTURES."""
    if isinstance(items, Sized):
        return len(items), items
    source = iter(items)
    first = list(itertools.islice(source, ahead + 1))
    return (len(first), first) if len(first) <= ahead else (MANY_PICTURES, itertools.chain(first, source))


def _prepare(
    items: Iterable[Any], spec: contract.Image, scaled_to: int | None, max_ahead: int
) -> Generator[Prepared, None, None]:
    """Each picture prepared, in order, at most `max_ahead` ahead of the caller.

    Open files are read in the caller's thread, in order: two items may be one file, or share a position in an archive.
    """
    in_turn = threading.Lock()  # Pillow loads an image on first use: an image that is listed twice must not race

    def opened() -> Iterator[tuple[int, Any, Item | ImageError]]:
        for index, item in enumerate(items):
            try:
                yield index, item, decoder_input(item, picture_name(index, item))
            except ImageError as error:
                yield index, item, error

    def prepare(numbered: tuple[int, Any, Item | ImageError]) -> Prepared:
        index, item, source = numbered
        if isinstance(source, ImageError):
            return index, item, source
        name = picture_name(index, item)
        try:
            if isinstance(source, Image.Image):
                with in_turn:
                    image, turn = decode_unturned(source, alpha=spec.alpha, scaled_to=scaled_to, name=name)
            else:
                image, turn = decode_unturned(source, alpha=spec.alpha, scaled_to=scaled_to, name=name)
            return index, item, pixels(image, spec, turn=turn)
        except ImageError as error:
            error = error if error.item == name else ImageError(name, error.reason, error.lasting)
            return index, item, explain(source, error)
        except MemoryError:
            return index, item, ImageError(name, NO_MEMORY, lasting=False)

    with closing(prepare_ahead(prepare, opened(), max_ahead)) as results:
        yield from results
