"""A row for every item and every text: from the store where they are known, else from the model and into the store."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from contralto.embeddings import Embeddings
from contralto.encoder import Clip, Failure
from contralto.encoder.stream import ahead, windows
from contralto.errors import ContraltoError, ImageError, ItemError
from contralto.evaluation.store import Row, Store
from contralto.image.decode import NO_MEMORY
from contralto.sets.data_set import DataSet, Item

Progress = Callable[[str, int, int], object]
"""Called with (what is done, done, total)."""

TEXTS_AT_ONCE = 1024
AHEAD = 64  # pictures that are read and changed while the model works


@dataclass(frozen=True, eq=False)
class PictureEmbeddings:
    """rows float32 (N, d), zeros where a picture failed; digests: what the N pictures are, by content (None where even
    that failed); failures: key -> reason; said: the items without their pictures, which may be drawn or decompressed
    whenever an item is asked for."""

    rows: Embeddings
    digests: tuple[bytes | None, ...]
    failures: dict[str, str]
    said: tuple[Item, ...] = ()

    def described(self, data: DataSet) -> DataSet:
        """The set that these pictures are of, with what is said about them alone."""
        return replace(data, items=self.said)


@dataclass(frozen=True, eq=False)
class TextEmbeddings:
    """Unit rows float32 (M, d) of texts, and how many of them were longer than the context and were cut to it."""

    rows: Embeddings
    cut: int


def pictures(
    clip: Clip,
    items: Sequence[Item],
    store: Store,
    *,
    kind: Literal["image", "features"] = "image",
    what: str = "",
    progress: Progress,
) -> PictureEmbeddings:
    """Unit rows of the items' pictures, or their features before the projection. A picture that fails costs its row.

    What is finished is kept, whatever ends the work; of failures those that the picture's bytes decide.
    """
    said, digests, failures = _read(items, store, progress)
    found = store.rows(kind, [digest for digest in digests if digest is not None])
    missing = {digest: i for i, digest in enumerate(digests) if digest is not None and digest not in found}
    try:
        for done, (digest, result) in enumerate(_encoded(clip, items, missing, kind), 1):
            found[digest] = result.reason if isinstance(result, Failure) else result
            if not isinstance(result, Failure) or result.lasting:
                store.put(kind, digest, found[digest])
            progress(what or ("pictures" if kind == "image" else "features"), done, len(missing))
    finally:
        store.flush()
    rows = np.zeros((len(said), clip.contract.embedding if kind == "image" else clip.feature_width), np.float32)
    for i, place in enumerate(digests):
        outcome = found[place] if place is not None else failures[said[i].key]
        if isinstance(outcome, str):
            failures[said[i].key] = outcome
        else:
            rows[i] = outcome
    return PictureEmbeddings(rows, tuple(digests), failures, tuple(said))


def texts(clip: Clip, several: Sequence[str], store: Store, *, progress: Progress) -> TextEmbeddings:
    """Unit rows (M, d). A text that is longer than the context is cut to it and counted. Raises TextError."""
    digests = [hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest() for text in several]
    found = store.rows("text", digests)
    missing = {d: text for d, text in zip(digests, several, strict=True) if d not in found}
    try:
        for done, some in enumerate(windows(missing.items(), TEXTS_AT_ONCE)):
            for (digest, _), row in zip(some, _cut_to_context(clip, [text for _, text in some]), strict=True):
                store.put("text", digest, row)
                found[digest] = row
            progress("texts", done * TEXTS_AT_ONCE + len(some), len(missing))
    finally:
        store.flush()
    rows = np.zeros((len(several), clip.contract.embedding), np.float32)
    for i, digest in enumerate(digests):
        rows[i] = found[digest]
    return TextEmbeddings(rows, len(clip.too_long(several)))


def _read(
    items: Sequence[Item], store: Store, progress: Progress
) -> tuple[list[Item], list[bytes | None], dict[str, str]]:
    """What is said about each picture, and what it is, by content; of a file that did not change that is remembered.
    Reasons for what can't be read, by key."""
    said: list[Item] = []
    failures: dict[str, str] = {}
    stamps: list[str | None] = []
    for i in range(len(items)):
        item = items[i]
        said.append(replace(item, picture=b"", change=None))
        try:
            stamps.append(item.stamp())
        except ItemError as error:
            stamps.append(None)
            failures[item.key] = error.reason
    known = store.seen([stamp for stamp in stamps if stamp is not None])
    found: list[bytes | None] = [known.get(stamp) if stamp is not None else None for stamp in stamps]
    unread = [i for i, item in enumerate(said) if found[i] is None and item.key not in failures]

    def digest(place: int) -> bytes | str:
        try:
            return items[place].digest()
        except ItemError as error:
            return error.reason
        except MemoryError:
            return NO_MEMORY

    with closing(ahead(digest, unread, AHEAD)) as stream:
        for done, (place, outcome) in enumerate(zip(unread, stream, strict=True), 1):
            if isinstance(outcome, str):
                failures[said[place].key] = outcome
            else:
                found[place] = outcome
            progress("reading", done, len(unread))
    store.saw({stamp: d for i in unread if (stamp := stamps[i]) is not None and (d := found[i]) is not None})
    return said, found, failures


def _encoded(
    clip: Clip, items: Sequence[Item], missing: dict[bytes, int], kind: str
) -> Iterator[tuple[bytes, Row | Failure]]:
    """(digest, row or why there is none) of each, in order of their arrival. missing: digest -> place among items."""
    order: list[bytes] = []
    failed: list[tuple[bytes, Failure]] = []

    def realise(one: tuple[bytes, int]) -> tuple[bytes, Any]:
        digest, place = one
        try:
            return digest, items[place].encoder_input()
        except ContraltoError as error:  # of the picture; or of its file, which could be read when the digest was made
            lasting = isinstance(error, ImageError) and error.lasting
            return digest, Failure(place, None, getattr(error, "reason", str(error)), lasting)
        except MemoryError:
            return digest, Failure(place, None, NO_MEMORY, lasting=False)

    def usable() -> Iterator[Any]:
        with closing(ahead(realise, missing.items(), AHEAD)) as stream:
            for digest, picture in stream:
                if isinstance(picture, Failure):
                    failed.append((digest, picture))
                else:
                    order.append(digest)
                    yield picture

    stream = clip.stream_images(usable()) if kind == "image" else clip.stream_features(usable())
    with closing(stream):
        for index, outcome in stream:
            yield order[index], outcome
    yield from failed


def _cut_to_context(clip: Clip, several: list[str]) -> Embeddings:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # `TextEmbeddings.cut` says so
        return clip.encode_text(several, truncate=True)
