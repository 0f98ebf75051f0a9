"""What the frozen methods are fitted to: embeddings and features of each fitted picture and of its mirror image.

Each view is cached like any other picture, by the sha256 of its bytes and of the change.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from contralto.adaptation.roles import Places, RolePart, Roles, check_fitted
from contralto.embeddings import Embeddings
from contralto.evaluation.session import Session
from contralto.sets.data_set import PictureChange
from contralto.sets.variants.lazy_items import change_picture, map_items

MIRRORED: Final = PictureChange("mirrored", lambda image, key: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT))


@dataclass(frozen=True, eq=False)
class LabelledRows:
    """Rows with labels: V views of N pictures.

    embeddings float32 (V, d), unit vectors. features float32 (V, w): the picture tower's output before its projection.
    labels int64 (V,): indices of K classes. picture int64 (V,): the picture that a row shows, 0..N-1; the first N rows
    are the pictures as they are. folds int64 (N,): the fold of each picture, or None if there are too few. text
    float32 (K, d): the unit embeddings of the classes. scale: the contract's.
    """

    embeddings: Embeddings
    features: Embeddings
    labels: Places
    picture: Places
    folds: Places | None
    text: Embeddings
    scale: float

    @property
    def count(self) -> int:
        """N, the number of pictures."""
        return int(self.picture.max(initial=-1)) + 1

    @property
    def zero_shot(self) -> Embeddings:
        """float32 (K, d): a row's product with it is the zero-shot logit of each class."""
        return np.asarray(self.scale * self.text, np.float32)

    @property
    def true(self) -> Places:
        """int64 (N,): the label of each picture."""
        return self.labels[: self.count]

    def of_pictures(self, chosen: NDArray[np.bool_]) -> LabelledRows:
        """All views of the chosen pictures, a mask (N,). The folds are dropped."""
        kept, renumbered = chosen[self.picture], np.cumsum(chosen) - 1
        columns = {name: getattr(self, name)[kept] for name in ("embeddings", "features", "labels")}
        return replace(self, **columns, picture=renumbered[self.picture[kept]], folds=None)

    def of_places(self, places: NDArray[np.intp]) -> LabelledRows:
        """The pictures at these places as they are, without other views."""
        columns = {name: getattr(self, name)[places] for name in ("embeddings", "features", "labels")}
        return replace(self, **columns, picture=np.arange(len(places)), folds=None)

    def held_out(self) -> Iterator[tuple[LabelledRows, NDArray[np.intp]]]:
        """For each fold: the rows of the other folds, and the places of its pictures."""
        assert self.folds is not None
        for fold in np.unique(self.folds):
            yield self.of_pictures(self.folds != fold), np.flatnonzero(self.folds == fold)


def only_decoded(session: Session, roles: Roles) -> Roles:
    """Without the pictures to fit that cannot be decoded, which a note then counts. The embeddings are cached.

    Raises DataError if too few are left.
    """
    fit = roles.fit
    usable = session.embed_pictures(fit.data, what="pictures to fit").embeddings.any(axis=1)
    if usable.all():
        return roles
    first, count = fit.bare[int(usable.argmin())].key, int(np.sum(~usable))
    note = f"{count:,} pictures of {fit.data.split} cannot be decoded, such as {first}"
    left = fit.select(np.flatnonzero(usable).tolist())
    check_fitted(left)
    return replace(roles, fit=left, notes=(*roles.notes, note))


def labelled_rows(
    session: Session, fit: RolePart, text: Embeddings, folds: Places | None
) -> tuple[LabelledRows, RolePart]:
    """The rows of the fitted part, and the part without the pictures that cannot be decoded."""
    mirrored = map_items(fit.data, lambda item: change_picture(item, MIRRORED))
    kinds: Mapping[Literal["image", "features"], str] = {"image": "pictures to fit", "features": "their features"}
    views = {
        kind: [session.embed_pictures(data, kind=kind, what=what).embeddings for data in (fit.data, mirrored)]
        for kind, what in kinds.items()
    }
    usable = np.logical_and.reduce([one.any(axis=1) for several in views.values() for one in several])
    places = np.flatnonzero(usable)
    embeddings, features = (np.concatenate([one[places] for one in views[kind]]) for kind in kinds)
    labels, picture = np.tile(fit.labels[places], 2), np.tile(np.arange(len(places)), 2)
    kept = None if folds is None else folds[places]
    rows = LabelledRows(embeddings, features, labels, picture, kept, text, session.clip.contract.score.scale)
    return rows, fit if usable.all() else fit.select(places.tolist())
