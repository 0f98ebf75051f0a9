"""Who is fitted and who is measured: roles by the content of the pictures, fixed before any picture is encoded.

The split `train` is fitted; `test`, else `val`, is measured. Without a second split a fifth of each class is measured,
chosen by sha256. Pictures of equal bytes never lie on both sides, and they share a fold.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from contralto.data.splits import find_split
from contralto.errors import DataError
from contralto.evaluation.cached_embeddings import digest_pictures
from contralto.evaluation.notes import note_left_out
from contralto.evaluation.session import Session
from contralto.sets.data_set import DataSet, Item
from contralto.sets.variants.lazy_items import LazyItems

FOLDS: Final = 5
MEASURED_PART: Final = 5  # without a second split, one picture of five is measured
FOLDED_PICTURES: Final = 3  # with fewer of any class, folds say nothing
NEEDED_SPLITS: Final = "it needs a split train and a split test or val"

Places = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class RolePart:
    """The items of one role. data: with their pictures. digests: sha256 of each picture; None if it is unreadable."""

    data: DataSet
    digests: tuple[bytes | None, ...]
    bare: tuple[Item, ...]

    def __len__(self) -> int:
        return len(self.digests)

    @property
    def labels(self) -> Places:
        """int64 (N,): the class of each item; zeros if the items have captions."""
        return np.array([item.label or 0 for item in self.bare], np.int64)

    @property
    def sha256(self) -> str:
        """A hash of the pictures alone, in any order. Labels are no part of it."""
        return hashlib.sha256(b"".join(sorted(digest or b"" for digest in self.digests))).hexdigest()

    def select(self, places: Sequence[int]) -> RolePart:
        """The items at these places."""
        items = self.data.items
        chosen = LazyItems(len(places), lambda index: items[places[index]])
        digests = tuple(self.digests[place] for place in places)
        return RolePart(replace(self.data, items=chosen), digests, tuple(self.bare[place] for place in places))


@dataclass(frozen=True, eq=False)
class Roles:
    """fit: what the adaptation is fitted to and chosen on. measure: what it is measured on, once. notes: for people."""

    fit: RolePart
    measure: RolePart
    notes: tuple[str, ...] = ()


def assign_roles(session: Session, data: DataSet, *, shots: int | None = None, seed: int = 0) -> Roles:
    """The roles of a data set's pictures. No picture is encoded.

    data: the split to measure, or the only split. shots: fit only this many pictures of each class, drawn by `seed`;
    fewer are a subset of more. Raises DataError if nothing is left to fit or to measure.
    """
    train = find_split("train", data.splits)
    if train is None or train == data.split:
        fit, measure = _split_by_content(_part(session, data))
    else:
        measure = _part(session, data)
        fit = _part(session, data.other(train))
        if fit.data.classes != measure.data.classes:
            raise DataError(f"{data.name}: the splits {train} and {data.split} have different classes")
    fit, notes = _usable(fit, measure)
    if shots is not None:
        fit = fit.select(_drawn(fit, shots, seed))
    if not len(measure):
        raise DataError(f"{data.name} has no picture to measure: {NEEDED_SPLITS}")
    check_fitted(fit)
    return Roles(fit, measure, notes)


def folds(labels: Places, digests: Sequence[bytes | None]) -> Places | None:
    """The fold 0..4 of each picture (N,): each class is dealt out in the order of sha256, so no seed is needed.

    None if any class has fewer than three different pictures: then nothing can be chosen by folds.
    """
    dealt: dict[bytes, int] = {}
    for label in np.unique(labels):
        own = sorted({digests[place] or b"" for place in np.flatnonzero(labels == label).tolist()})
        if len(own) < FOLDED_PICTURES:
            return None
        for turn, digest in enumerate(own):
            dealt.setdefault(digest, (turn + int(label)) % FOLDS)
    return np.array([dealt[digest or b""] for digest in digests], np.int64)


def turns(labels: Places, digests: Sequence[bytes | None], seed: int) -> Places:
    """For each picture (N,) its turn within its class, from 0, in an order that `seed` and its content decide."""
    order = [hashlib.sha256(seed.to_bytes(8, "big") + (digest or b"")).digest() for digest in digests]
    drawn = np.empty(len(labels), np.int64)
    for label in np.unique(labels):
        own = sorted(np.flatnonzero(labels == label).tolist(), key=lambda place: order[place])
        drawn[own] = np.arange(len(own))
    return drawn


def _part(session: Session, data: DataSet) -> RolePart:
    note_left_out(data, failed=True)
    bare, digests, _ = digest_pictures(data.items, session.store, session.progress)
    return RolePart(data, tuple(digests), tuple(bare))


def _split_by_content(part: RolePart) -> tuple[RolePart, RolePart]:
    """(fit, measure): of each class the fifth whose sha256 comes first is measured, at least one picture."""
    labels, measured = part.labels, set[bytes]()
    for label in np.unique(labels):
        own = sorted({digest for place in np.flatnonzero(labels == label).tolist() if (digest := part.digests[place])})
        if len(own) > 1:
            measured.update(own[: max(1, len(own) // MEASURED_PART)])
    is_measured = [digest in measured for digest in part.digests]
    fit, measure = (
        part.select([place for place, one in enumerate(is_measured) if one is side]) for side in (False, True)
    )
    name = part.data.split
    return (
        replace(fit, data=replace(fit.data, split=f"four fifths of {name}")),
        replace(measure, data=replace(measure.data, split=f"a fifth of {name}")),
    )


def _usable(fit: RolePart, measure: RolePart) -> tuple[RolePart, tuple[str, ...]]:
    """The fitted part without unreadable pictures and without pictures that are measured too."""
    measured = {digest for digest in measure.digests if digest is not None}
    unreadable = [place for place, digest in enumerate(fit.digests) if digest is None]
    shared = [place for place, digest in enumerate(fit.digests) if digest in measured]
    notes = []
    if unreadable:
        notes.append(f"{len(unreadable)} pictures of {fit.data.split} cannot be read, such as {_key(fit, unreadable)}")
    if shared:
        notes.append(f"{len(shared)} pictures lie in both splits and are only measured, such as {_key(fit, shared)}")
    dropped = {*unreadable, *shared}
    return fit.select([place for place in range(len(fit)) if place not in dropped]), tuple(notes)


def _key(part: RolePart, places: Sequence[int]) -> str:
    return part.bare[places[0]].key


def _drawn(fit: RolePart, shots: int, seed: int) -> list[int]:
    drawn: list[int] = np.flatnonzero(turns(fit.labels, fit.digests, seed) < shots).tolist()
    return drawn


def check_fitted(fit: RolePart) -> None:
    """Raises DataError if the part has no picture, or pictures of one class alone."""
    if not len(fit):
        raise DataError(f"{fit.data.name} has no picture to fit: {NEEDED_SPLITS}")
    if fit.data.task == "classes" and len(np.unique(fit.labels)) < 2:
        raise DataError(f"{fit.data.name}: all pictures to fit are of one class; adapting needs two")
