"""The adaptation of a loaded model: how it moves embeddings, its classifier, and its base."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from contralto import inputs
from contralto.embeddings import Embeddings
from contralto.encoder.base_of import OnBase
from contralto.encoder.pooler import LearnedPooler
from contralto.engine import Engine
from contralto.engine.base import TOWER_NAMES, TowerName
from contralto.errors import ContraltoError, WeightsError, one_line
from contralto.probe.adapter import apply_adapter
from contralto.weights.adaptation import CLASS_METHODS, WEIGHT_METHODS, AdaptationDescription
from contralto.weights.adaptation_tensors import LOW_RANK
from contralto.zeroshot import classifier
from contralto.zeroshot.adapted import AdaptedClassifier
from contralto.zeroshot.classifier import Prediction, TextEncoder

Change = Callable[[Embeddings], Embeddings]


class AdaptedModel(TextEncoder, Protocol):
    """The methods of a model that `classify` needs; `contralto.encoder.Clip`, which imports this module, has them."""

    @property
    def adaptation(self) -> LoadedAdaptation | None: ...

    def encode_image(self, items: Any, /) -> Embeddings: ...


class LoadedAdaptation:
    """The adaptation of a loaded model: what it is, how much of it is mixed in (0 to 1), and its classifier.

    stored: its tensors. base_source, base_contract: the name or path of its base, and the base's contract.
    """

    def __init__(self, on_base: OnBase, mix: float, make_base: Callable[[Engine], Any]) -> None:
        """make_base: the engine of the adapted Clip -> the Clip of the base (whose module imports this one); it is
        called once, on first use."""
        self.stored, self.mix, self._make_base = on_base.stored, mix, make_base
        self.base_source, self.base_contract = on_base.source, on_base.checkpoint.contract
        self._base: Any = None
        self._scorer: AdaptedClassifier | None = None

    @property
    def description(self) -> AdaptationDescription:
        """The content of `adaptation.json`."""
        return self.stored.description

    @functools.cached_property
    def embedding_changes(self) -> dict[TowerName, Change]:
        """What an adapter does to the unit embeddings of each tower; empty for other methods, and for a mix of 0."""
        ratio = self.mix * self.description.settings.get("ratio", 0.0)
        changes: dict[TowerName, Change] = {}
        for tower in TOWER_NAMES:
            if self.description.method == "adapter" and ratio and f"{tower}.adapter.A" in self.stored.tensors:
                a, b = (self.stored.array(f"{tower}.adapter{half}") for half in LOW_RANK)
                changes[tower] = functools.partial(apply_adapter, A=a, B=b, ratio=ratio)
        return changes

    @functools.cached_property
    def pooler(self) -> LearnedPooler | None:
        """What pools the parts of a long text; None for other methods, and for a mix of 0."""
        if self.description.method != "long" or not self.mix:
            return None
        return LearnedPooler({name: self.stored.array(name) for name in self.stored.tensors})

    def base(self, engine: Engine) -> Any:
        """The Clip of the base, which shares the tensors that are not changed. engine: of the adapted Clip."""
        if self._base is None:
            self._base = self._make_base(engine)
        return self._base

    def classifier(self, clip: TextEncoder) -> AdaptedClassifier:
        """The classifier of the adaptation's classes; `clip`: the model that has the adaptation.

        For changed towers it is the zero-shot classifier of the classes and their templates. Raises ContraltoError for
        an adaptation without classes.
        """
        if self._scorer is None:
            self._scorer = self._classifier(clip)
        return self._scorer

    def _classifier(self, clip: TextEncoder) -> AdaptedClassifier:
        described, scale = self.description, clip.contract.score.scale
        if described.labels is None or described.classes is None:
            where = one_line(str(self.stored.folder), 200)
            raise ContraltoError(f"labels are needed: {where} ({described.method}) was not made for fixed classes")
        if described.method in CLASS_METHODS:
            return AdaptedClassifier.of(self.stored, scale, self.mix)
        names = {str(number): several for number, several in enumerate(described.classes)}  # labels may be equal
        rows = classifier.build(clip, names, described.templates).embeddings
        temperature = described.settings.get("temperature", 1.0)
        return AdaptedClassifier(described.labels, rows, scale, mix=self.mix, temperature=temperature)

    def require_weights(self, layout: str) -> None:
        """Raises WeightsError unless the layout can hold the whole change.

        All hold changes of weights. The native layout also holds prompts of pictures, if the class rows are the base's.
        """
        method = self.description.method
        if method in WEIGHT_METHODS:
            return
        in_the_tower = layout == "native" and self.stored.prompts_pictures
        if in_the_tower and np.array_equal(self.stored.array("prototypes"), self.stored.array("text")):
            return
        where = one_line(str(self.stored.folder), 200)
        how = "is a classifier" if method in CLASS_METHODS else "comes after the towers"
        what = f"{where} ({method}) {how}, which no layout of a model has"
        if self.stored.prompts_pictures and layout != "native":
            what = f"{where} ({method}) adds vectors to the picture tower, which the layout {layout} cannot hold"
        raise WeightsError(f"{what}: load or copy {where} itself, or convert its base {self.description.base.name!r}")


def classify(
    clip: AdaptedModel, items: Any, top: int, with_features: Callable[[Any], tuple[bool, Embeddings, Embeddings]]
) -> list[Prediction] | list[list[Prediction]]:
    """The answers of the model's adaptation, as `Clip.classify` gives them.

    with_features: items -> (whether it is one, embeddings (N, d), features (N, w)). Raises ContraltoError for a model
    without classes of its own, and for embeddings where the classifier needs features.
    """
    if clip.adaptation is None:
        raise ContraltoError(f"labels are needed: {clip.contract.name} has no adaptation with classes of its own")
    scorer = clip.adaptation.classifier(clip)
    if not scorer.needs_features:
        images = clip.encode_image(items)
        return scorer(images, top) if images.ndim == 2 else scorer(images[None], top)[0]
    if inputs.encoded_already(items, clip.contract.embedding) is not None:
        raise ContraltoError("this probe reads features, which embeddings do not hold: give the pictures themselves")
    single, images, features = with_features(items)
    answers = scorer(images, top, features)
    return answers[0] if single else answers
