"""An embedding for every file: from the index if the file is unchanged, else from the encoder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from contralto.embedding_cache import Outcome
from contralto.inputs import Failure
from contralto.search.encoder import Encoder
from contralto.search.index import Index
from contralto.search.walk import PictureFile


def embed(
    encoder: Encoder, files: Sequence[PictureFile], index: Index, known: dict[int, Outcome]
) -> Iterator[tuple[PictureFile, Outcome]]:
    """Yields every file in order with its embedding (d,), or with the reason why it has none.

    known: the result of `index.get(files)`. A failure is cached if the file's bytes decide it; any other is tried again
    the next time. Finished embeddings stay in the index, however the iteration ends.
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
