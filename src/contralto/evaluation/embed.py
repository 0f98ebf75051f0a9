"""A row for every item and every text: from the store where they are known, else from the model and into the store."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from contralto.encoder import Clip, Failure
from contralto.encoder.rows import Rows
from contralto.encoder.stream import ahead
from contralto.errors import ContraltoError, ItemError
from contralto.evaluation.store import Row, Store
from contralto.sets.items import Item

Progress = Callable[[str, int, int], object]
"""Called with (what is done, done, total)."""

TEXTS_AT_ONCE = 1024
AHEAD = 64  # pictures that are read and changed while the model works


@dataclass(frozen=True, eq=False)
class Pictures:
    """rows float32 (N, d), zeros where a picture failed; digests: what the N pictures are, by content (None where even
    that failed); failures: key -> reason."""

    rows: Rows
    digests: tuple[bytes | None, ...]
    failures: dict[str, str]


@dataclass(frozen=True, eq=False)
class Texts:
    """Unit rows float32 (M, d) of texts, and how many of them were longer than the context and were cut to it."""

    rows: Rows
    cut: int


def pictures(
    clip: Clip,
    items: Sequence[Item],
    store: Store,
    *,
    kind: Literal["image", "features"] = "image",
    what: str = "",
    progress: Progress,
) -> Pictures:
    """Unit rows of the items' pictures, or their features before the projection. A picture that fails costs its row.

    What is finished is kept, whatever ends the work.
    """
    several = [items[i] for i in range(len(items))]
    digests, failures = _digests(several, store, progress)
    found = store.rows(kind, [digest for digest in digests if digest is not None])
    missing = {digest: item for item, digest in zip(several, digests, strict=True) if digest and digest not in found}
    try:
        for done, (digest, outcome) in enumerate(_encoded(clip, missing, kind), 1):
            store.put(kind, digest, outcome)
            found[digest] = outcome
            progress(what or ("pictures" if kind == "image" else "features"), done, len(missing))
    finally:
        store.flush()
    rows = np.zeros((len(several), clip.contract.embedding if kind == "image" else clip.feature_width), np.float32)
    for i, place in enumerate(digests):
        outcome = found[place] if place is not None else failures[several[i].key]
        if isinstance(outcome, str):
            failures[several[i].key] = outcome
        else:
            rows[i] = outcome
    return Pictures(rows, tuple(digests), failures)


def texts(clip: Clip, several: Sequence[str], store: Store, *, progress: Progress) -> Texts:
    """Unit rows (M, d). A text that is longer than the context is cut to it and counted. Raises TextError."""
    digests = [hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest() for text in several]
    found = store.rows("text", digests)
    missing = {d: text for d, text in zip(digests, several, strict=True) if d not in found}
    try:
        for start in range(0, len(missing), TEXTS_AT_ONCE):
            some = dict(list(missing.items())[start : start + TEXTS_AT_ONCE])
            for digest, row in zip(some, _cut_to_context(clip, list(some.values())), strict=True):
                store.put("text", digest, row)
                found[digest] = row
            progress("texts", start + len(some), len(missing))
    finally:
        store.flush()
    rows = np.zeros((len(several), clip.contract.embedding), np.float32)
    for i, digest in enumerate(digests):
        rows[i] = found[digest]
    return Texts(rows, len(clip.too_long(several)))


def _digests(items: list[Item], store: Store, progress: Progress) -> tuple[list[bytes | None], dict[str, str]]:
    """What each picture is, by content; of a file that did not change it is remembered. Reasons for what can't be read,
    by key."""
    failures: dict[str, str] = {}
    stamps: list[str | None] = []
    for item in items:
        try:
            stamps.append(item.stamp())
        except ItemError as error:
            stamps.append(None)
            failures[item.key] = error.reason
    known = store.seen([stamp for stamp in stamps if stamp is not None])
    found: list[bytes | None] = [known.get(stamp) if stamp is not None else None for stamp in stamps]
    unread = [i for i, item in enumerate(items) if found[i] is None and item.key not in failures]

    def digest(place: int) -> bytes | str:
        try:
            return items[place].digest()
        except ItemError as error:
            return error.reason

    with closing(ahead(digest, unread, AHEAD)) as stream:
        for done, (place, outcome) in enumerate(zip(unread, stream, strict=True), 1):
            if isinstance(outcome, str):
                failures[items[place].key] = outcome
            else:
                found[place] = outcome
            progress("reading", done, len(unread))
    store.saw({stamp: d for i in unread if (stamp := stamps[i]) is not None and (d := found[i]) is not None})
    return found, failures


def _encoded(clip: Clip, missing: dict[bytes, Item], kind: str) -> Iterator[tuple[bytes, Row | str]]:
    """(digest, row or reason) of each, in order of their arrival."""
    order: list[bytes] = []
    failed: list[tuple[bytes, str]] = []

    def realise(one: tuple[bytes, Item]) -> tuple[bytes, Any]:
        try:
            return one[0], one[1].realise()
        except ContraltoError as error:
            return one[0], error

    def usable() -> Iterator[Any]:
        with closing(ahead(realise, missing.items(), AHEAD)) as stream:
            for digest, picture in stream:
                if isinstance(picture, ContraltoError):
                    failed.append((digest, getattr(picture, "reason", str(picture))))
                else:
                    order.append(digest)
                    yield picture

    stream = clip.stream_images(usable()) if kind == "image" else clip.stream_features(usable())
    with closing(stream):
        for index, outcome in stream:
            yield order[index], outcome.reason if isinstance(outcome, Failure) else outcome
    yield from failed


def _cut_to_context(clip: Clip, several: list[str]) -> Rows:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # `Texts.cut` says so
        return clip.encode_text(several, truncate=True)
