"""Frozen towers whose embeddings move: `projection` and `adapter`, for classes and for captions, without torch.

They train on cached features and embeddings. For captions, `auto` chooses between them and the base by folds.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from contralto import metrics
from contralto.adaptation.choose import accuracy_of, picture_weights
from contralto.adaptation.fold_plan import FoldPlan
from contralto.adaptation.head import LastLayer, last_layer
from contralto.adaptation.roles import Places
from contralto.adaptation.rows import LabelledRows
from contralto.embeddings import Embeddings, unit
from contralto.encoder.featurizer import text_features
from contralto.engine.base import TOWER_NAMES, TowerName
from contralto.evaluation.cached_embeddings import Progress
from contralto.evaluation.session import Session
from contralto.probe.adapter import apply_adapter, fit_adapter, fit_adapter_pairs
from contralto.probe.projection import TowerRows, fit_projection, fit_projection_pairs
from contralto.weights.adaptation import AdaptationMethod

RATIO: Final = 0.2
PENALTIES: Final = (10.0, 1.0, 0.1)
"""Of a projection's change, the strongest first; for classes also ProLIP's, one over the pictures a class."""
ADAPTER_EPOCHS: Final = 100
CAPTION_EPOCHS: Final = 20

AS_PUBLISHED: Final = "nothing was chosen: CLIP-Adapter as published"

Tensors = dict[str, NDArray[Any]]


@dataclass(frozen=True, eq=False)
class Moved:
    """A change of the embeddings, as it is stored; candidates: name -> its figure over the folds; why: for people."""

    method: AdaptationMethod
    tensors: Tensors
    settings: dict[str, Any]
    why: str
    candidates: Mapping[str, float]


@dataclass(frozen=True, eq=False)
class CaptionRows:
    """Pictures and their captions. images (N, d) and texts (M, d): unit embeddings. owners (M,): each text's picture.
    layers: what the last layer of each tower reads. folds (N,): None if there are too few pictures.
    """

    images: Embeddings
    texts: Embeddings
    owners: Places
    layers: Mapping[TowerName, LastLayer]
    folds: Places | None
    scale: float

    def of_pictures(self, chosen: NDArray[np.bool_]) -> CaptionRows:
        """The chosen pictures, a mask (N,), with their captions."""
        own, renumbered = chosen[self.owners], np.cumsum(chosen) - 1
        layers = {tower: _selected(one, chosen if tower == "image" else own) for tower, one in self.layers.items()}
        owners = renumbered[self.owners[own]]
        return CaptionRows(self.images[chosen], self.texts[own], owners, layers, None, self.scale)

    def recall(self) -> float:
        """The mean of R@1 in both directions."""
        ranks = metrics.retrieval_ranks(self.images, self.texts, self.owners)
        return float(np.mean([(ranks.image_to_text == 0).mean(), (ranks.text_to_image == 0).mean()]))


Change = Callable[[CaptionRows], Tensors]


def move_for_classes(session: Session, rows: LabelledRows, method: str, plan: FoldPlan, seed: int) -> Moved:
    """`projection` or `adapter`, fitted to labelled rows."""
    if method == "adapter":
        fitted = fit_adapter(
            rows.embeddings, rows.labels, rows.zero_shot, ratio=RATIO, epochs=ADAPTER_EPOCHS, seed=seed
        )
        tensors = {"image.adapter.A": fitted.A, "image.adapter.B": fitted.B}
        return Moved("adapter", tensors, {"ratio": RATIO, "epochs": ADAPTER_EPOCHS}, AS_PUBLISHED, {})
    layer = last_layer(session.clip.checkpoint, "image", rows.features)
    own = len(rows.text) / rows.count
    penalties = [*PENALTIES, own] if own < PENALTIES[-1] else [*PENALTIES]
    accuracies = {}
    for done, penalty in enumerate(penalties):
        accuracies[penalty] = _fold_accuracy(rows, layer, penalty) if rows.folds is not None else float(penalty == 1.0)
        session.progress("choosing by folds", done + 1, len(penalties))
    penalty = max(accuracies, key=lambda one: accuracies[one])
    change = fit_projection(layer.read, layer.rest, layer.matrix, rows.labels, rows.zero_shot, penalty)
    why = (
        _by_folds("its penalty was chosen", rows.count)
        if rows.folds is not None
        else f"nothing was chosen, as {plan.reason}"
    )
    return Moved("projection", {f"{layer.name}.weight": _half(change)}, {"penalty": penalty}, why, {})


def caption_rows(
    session: Session,
    images: Embeddings,
    features: Embeddings,
    captions: Sequence[str],
    owners: Places,
    folds: Places | None,
) -> CaptionRows:
    """The rows of captioned pictures. Captions beyond the context are cut."""
    clip = session.clip
    texts = session.embed_texts(captions).embeddings
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # the outcome counts the captions that were cut
        ids = clip.tokenize(list(captions), truncate=True)
    read: dict[TowerName, Embeddings] = {
        "image": features,
        "text": text_features(clip.checkpoint, ids, clip.engine, clip.device),
    }
    layers = {tower: last_layer(clip.checkpoint, tower, read[tower]) for tower in TOWER_NAMES}
    return CaptionRows(images, texts, owners, layers, folds, clip.contract.score.scale)


def move_for_captions(rows: CaptionRows, method: str, plan: FoldPlan, seed: int, progress: Progress) -> Moved:
    """`projection`, `adapter`, or the best of both and of the base by folds ("auto")."""
    ways: dict[str, Change] = {}
    if method in ("auto", "projection"):
        ways |= {f"projection {penalty:g}": _projection(penalty, seed) for penalty in PENALTIES}
    if method in ("auto", "adapter"):
        ways["adapter"] = lambda some: _adapter(some, seed)
    figures = _fold_recalls(rows, {"zero-shot": lambda some: {}} | ways if method == "auto" else ways, progress)
    chosen = max(figures, key=lambda name: figures[name], default=next(iter(ways)))
    why = (
        _by_folds(f"chosen among {len(figures)} ways", len(rows.images))
        if figures
        else f"nothing was chosen, as {plan.reason}"
    )
    if chosen == "zero-shot":
        return Moved("zero-shot", {}, {}, why, figures)
    if chosen == "adapter":
        settings: dict[str, Any] = {"ratio": RATIO, "epochs": CAPTION_EPOCHS}
        return Moved("adapter", ways[chosen](rows), settings, why, figures)
    return Moved("projection", ways[chosen](rows), {"penalty": float(chosen.split()[1])}, why, figures)


def _fold_recalls(rows: CaptionRows, ways: Mapping[str, Change], progress: Progress) -> dict[str, float]:
    """Each way's mean recall over the folds; empty if there is nothing to choose, or no fold."""
    if rows.folds is None or len(ways) < 2:
        return {}
    figures = {}
    for done, (name, change) in enumerate(ways.items()):
        held = []
        for fold in np.unique(rows.folds):
            tensors = change(rows.of_pictures(rows.folds != fold))
            held.append(_changed(rows.of_pictures(rows.folds == fold), tensors).recall())
        figures[name] = float(np.mean(held))
        progress("choosing by folds", done + 1, len(ways))
    return figures


def _projection(penalty: float, seed: int) -> Change:
    def change(rows: CaptionRows) -> Tensors:
        given = [TowerRows(one.read, one.rest, one.matrix) for one in (rows.layers["image"], rows.layers["text"])]
        changes = fit_projection_pairs(given[0], given[1], rows.owners, rows.scale, penalty, seed=seed)
        names = [f"{rows.layers[tower].name}.weight" for tower in TOWER_NAMES]
        return {name: _half(one) for name, one in zip(names, changes, strict=True)}

    return change


def _adapter(rows: CaptionRows, seed: int) -> Tensors:
    options: dict[str, Any] = {"ratio": RATIO, "epochs": CAPTION_EPOCHS, "seed": seed}
    both = fit_adapter_pairs(rows.images, rows.texts, rows.owners, rows.scale, **options)
    halves = (
        (f"{tower}.adapter.{half}", getattr(one, half))
        for tower, one in zip(TOWER_NAMES, both, strict=True)
        for half in "AB"
    )
    return dict(halves)


def _changed(rows: CaptionRows, tensors: Tensors) -> CaptionRows:
    """The rows with the change of `projection` or `adapter`; without tensors as they are."""
    if "image.adapter.A" in tensors:
        moved = [
            apply_adapter(one, tensors[f"{tower}.adapter.A"], tensors[f"{tower}.adapter.B"], RATIO)
            for tower, one in (("image", rows.images), ("text", rows.texts))
        ]
    elif tensors:
        moved = [_projected(one, tensors[f"{one.name}.weight"]) for one in (rows.layers["image"], rows.layers["text"])]
    else:
        return rows
    return replace(rows, images=moved[0], texts=moved[1])


def _fold_accuracy(rows: LabelledRows, layer: LastLayer, penalty: float) -> float:
    """The accuracy on the held-out pictures of all folds; unequal classes count equally, as in `choose.py`."""
    right = np.zeros(rows.count)
    for others, places in rows.held_out():
        own = np.flatnonzero(~np.isin(rows.picture, places))
        change = fit_projection(layer.read[own], layer.rest[own], layer.matrix, others.labels, rows.zero_shot, penalty)
        moved = _projected(_selected(layer, places), change)
        right[places] = metrics.ranks(moved @ rows.zero_shot.T, rows.labels[places]) == 0
    return accuracy_of(picture_weights(rows.true) * right)


def _projected(layer: LastLayer, change: NDArray[Any]) -> Embeddings:
    return unit(layer.read @ (layer.matrix + change.astype(np.float64)).T + layer.rest)


def _selected(layer: LastLayer, chosen: NDArray[Any]) -> LastLayer:
    return replace(layer, read=layer.read[chosen], rest=layer.rest[chosen])


def _half(change: NDArray[np.float32]) -> NDArray[Any]:
    """A whole change as it is stored: in float16."""
    return change.astype(np.float16)


def _by_folds(what: str, pictures: int) -> str:
    return f"{what} by five folds of the {pictures:,} pictures to fit"
