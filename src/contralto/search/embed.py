"""A row for every file: from the index where the file is unchanged, else from the encoder and then into the index."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from contralto.encoder import Failure
from contralto.search.files import File
from contralto.search.index import Index, Row


class Encoder(Protocol):
    """The one thing that embedding needs of `contralto.encoder.Clip`."""

    def stream_images(self, items: Sequence[str]) -> Iterator[tuple[int, Row | Failure]]: ...


def embed(
    encoder: Encoder, files: Sequence[File], index: Index, known: dict[int, Row | str]
) -> Iterator[tuple[File, Row | str]]:
    """Yields every file in order with its unit row (d,), or with the reason why it has none.

    `known` is what `index.get(files)` returned. A failure that the file's bytes decide is remembered until the file
    changes; any other is tried again the next time. Whatever ends the iteration, finished rows are kept.
    """
    fresh = encoder.stream_images([file.path for i, file in enumerate(files) if i not in known])
    try:
        for i, file in enumerate(files):
            if i in known:
                yield file, known[i]
                continue
            _, result = next(fresh)
            outcome = result.reason if isinstance(result, Failure) else result
            if not isinstance(result, Failure) or result.lasting:
                index.put(file, outcome)
            yield file, outcome
    finally:
        index.flush()
        if (close := getattr(fresh, "close", None)) is not None:
            close()
