"""An embedding for every item and every text: from the store if it is known, else from the model and into the store."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import numpy as np

from contralto.embeddings import Embeddings
from contralto.encoder import Clip, Failure
from contralto.encoder.stream import prepare_ahead, windows
from contralto.errors import ContraltoError, ImageError, ItemError
from contralto.evaluation.store import Embedding, Store
from contralto.image.decode import NO_MEMORY
from contralto.sets.data_set import DataSet, Item

Progress = Callable[[str, int, int], object]
"""Called with (name of the stage, done, total)."""

TEXT_WINDOW: Final = 1024  # texts that are encoded, then stored
READ_AHEAD: Final = 64  # pictures that are read and altered while the model works


@dataclass(frozen=True, eq=False)
class PictureEmbeddings:
    """Embeddings of the pictures of N items, with facts about each picture.

    embeddings: float32 (N, d), unit vectors, or features before the projection if these were requested; zeros where a
    picture failed. digests: sha256 of each picture's content, None if it could not be computed. failures: key ->
    reason. items: the items without their pictures, which may be drawn or decompressed at each access to an item.
    """

    embeddings: Embeddings
    digests: tuple[bytes | None, ...]
    failures: dict[str, str]
    items: tuple[Item, ...] = ()

    def without_pictures(self, data: DataSet) -> DataSet:
        """The same data set with items that carry labels and captions but no pictures, so access to them is cheap."""
        return replace(data, items=self.items)


@dataclass(frozen=True, eq=False)
class TextEmbeddings:
    """Unit vectors float32 (M, d) of texts. too_long: how many were longer than the context; overlong: how these were
    encoded, as in `Clip.encode_text`.
    """

    embeddings: Embeddings
    too_long: int
    overlong: str

    @property
    def protocol(self) -> dict[str, Any]:
        """The protocol's entry on texts that are longer than the context."""
        return overlong_protocol(self.overlong, self.too_long, len(self.embeddings))


def overlong_protocol(how: str, count: int, of: int) -> dict[str, Any]:
    """The protocol's entry: `count` of so many texts were longer than the context, and were encoded like this."""
    return {"overlong": {"how": how, "count": count, "of": of}}


def embed_pictures(
    clip: Clip,
    items: Sequence[Item],
    store: Store,
    *,
    kind: Literal["image", "features"] = "image",
    what: str = "",
    progress: Progress,
) -> PictureEmbeddings:
    """Embeddings of the items' pictures, or their features before the projection.

    A failed picture does not affect the others.

    Finished embeddings are stored even if the work is interrupted. Failures that the bytes of the picture determine are
    stored too.
    """
    bare, digests, failures = digest_pictures(items, store, progress)
    known = store.embeddings(kind, [digest for digest in digests if digest is not None])
    missing = {digest: i for i, digest in enumerate(digests) if digest is not None and digest not in known}
    try:
        for done, (digest, result) in enumerate(_encode(clip, items, missing, kind), 1):
            known[digest] = result.reason if isinstance(result, Failure) else result
            if not isinstance(result, Failure) or result.lasting:
                store.put(kind, digest, known[digest])
            progress(what or ("pictures" if kind == "image" else "features"), done, len(missing))
    finally:
        store.flush()
    embeddings = np.zeros((len(bare), clip.contract.embedding if kind == "image" else clip.feature_width), np.float32)
    for i, place in enumerate(digests):
        outcome = known[place] if place is not None else failures[bare[i].key]
        if isinstance(outcome, str):
            failures[bare[i].key] = outcome
        else:
            embeddings[i] = outcome
    return PictureEmbeddings(embeddings, tuple(digests), failures, tuple(bare))


def embed_texts(
    clip: Clip, texts: Sequence[str], store: Store, *, overlong: str = "truncate", progress: Progress
) -> TextEmbeddings:
    """Embeddings (M, d) of texts. overlong: as in `Clip.encode_text`. Raises TextError, ContraltoError.

    Texts that fit, and cut ones, are stored by their content; other over-long texts by their content and `overlong`.
    """
    too_long = set(clip.too_long(texts))
    marks = [b"" if overlong == "truncate" or i not in too_long else _mark(overlong) for i in range(len(texts))]
    digests = [
        hashlib.sha256(mark + text.encode("utf-8", "surrogatepass")).digest()
        for mark, text in zip(marks, texts, strict=True)
    ]
    known = store.embeddings("text", digests)
    missing = {d: text for d, text in zip(digests, texts, strict=True) if d not in known}
    try:
        for done, window in enumerate(windows(missing.items(), TEXT_WINDOW)):
            encoded = _encode_texts(clip, [text for _, text in window], overlong)
            for (digest, _), embedding in zip(window, encoded, strict=True):
                store.put("text", digest, embedding)
                known[digest] = embedding
            progress("texts", done * TEXT_WINDOW + len(window), len(missing))
    finally:
        store.flush()
    embeddings = np.zeros((len(texts), clip.contract.embedding), np.float32)
    for i, digest in enumerate(digests):
        embeddings[i] = known[digest]
    return TextEmbeddings(embeddings, len(too_long), overlong)


def digest_pictures(
    items: Sequence[Item], store: Store, progress: Progress
) -> tuple[list[Item], list[bytes | None], dict[str, str]]:
    """The items without their pictures, the digest of each picture, and key -> reason for those that cannot be read.

    The store knows the digests of files that have not changed, so these are not read.
    """
    bare: list[Item] = []
    failures: dict[str, str] = {}
    stamps: list[str | None] = []
    for i in range(len(items)):
        item = items[i]
        bare.append(replace(item, picture=b"", change=None))
        try:
            stamps.append(item.stamp())
        except ItemError as error:
            stamps.append(None)
            failures[item.key] = error.reason
    known = store.digests([stamp for stamp in stamps if stamp is not None])
    digests: list[bytes | None] = [known.get(stamp) if stamp is not None else None for stamp in stamps]
    unread = [i for i, item in enumerate(bare) if digests[i] is None and item.key not in failures]

    def digest(place: int) -> bytes | str:
        try:
            return items[place].digest()
        except ItemError as error:
            return error.reason
        except MemoryError:
            return NO_MEMORY

    with closing(prepare_ahead(digest, unread, READ_AHEAD)) as stream:
        for done, (place, outcome) in enumerate(zip(unread, stream, strict=True), 1):
            if isinstance(outcome, str):
                failures[bare[place].key] = outcome
            else:
                digests[place] = outcome
            progress("reading", done, len(unread))
    store.put_digests({stamp: d for i in unread if (stamp := stamps[i]) is not None and (d := digests[i]) is not None})
    return bare, digests, failures


def _encode(
    clip: Clip, items: Sequence[Item], missing: dict[bytes, int], kind: str
) -> Iterator[tuple[bytes, Embedding | Failure]]:
    """(digest, embedding or failure) of each, in the order of their arrival. missing: digest -> index in items."""
    order: list[bytes] = []
    failed: list[tuple[bytes, Failure]] = []

    def read_entry(entry: tuple[bytes, int]) -> tuple[bytes, Any]:
        digest, place = entry
        try:
            return digest, items[place].encoder_input()
        except ContraltoError as error:  # of the picture, or of its file, which was readable when it was digested
            lasting = isinstance(error, ImageError) and error.lasting
            return digest, Failure(place, None, getattr(error, "reason", str(error)), lasting)
        except MemoryError:
            return digest, Failure(place, None, NO_MEMORY, lasting=False)

    def usable() -> Iterator[Any]:
        with closing(prepare_ahead(read_entry, missing.items(), READ_AHEAD)) as stream:
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


def _mark(overlong: str) -> bytes:
    """What stands before an over-long text in its digest; no text in UTF-8 begins with this byte."""
    return b"\xff" + overlong.encode() + b"\0"


def _encode_texts(clip: Clip, texts: list[str], overlong: str) -> Embeddings:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # `TextEmbeddings.protocol` counts the texts that do not fit
        return clip.encode_text(texts, overlong=overlong)
