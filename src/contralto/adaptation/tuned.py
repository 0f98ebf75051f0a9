"""Towers that change: LoRA, full fine-tuning and prompts, by the recipes of `contralto.train.tuning`.

The folder of the run lies in the cache: a killed run goes on there if the command is repeated, and it is removed at the
end. `full` chooses its mix by folds, so it trains six times; the others choose nothing.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from contralto import cache, metrics
from contralto.adaptation.choose import picture_weights
from contralto.adaptation.fold_plan import FoldPlan
from contralto.adaptation.roles import RolePart
from contralto.data.sample import Sample
from contralto.embeddings import Embeddings
from contralto.encoder import Clip
from contralto.encoder.loading import adapted_clip
from contralto.errors import MissingExtraError
from contralto.evaluation.session import Session
from contralto.train.tuning.settings import Full, Lora, Prompt, Way
from contralto.weights.adaptation import AdaptationBase, AdaptationDescription, AdaptationMethod, in_memory
from contralto.weights.averaging import mean

if TYPE_CHECKING:
    from contralto.train.tuning.examples import Examples
    from contralto.train.tuning.run import Tuned

WORK_FOLDER: Final = "adapt-1"
FOLD_MIXES: Final = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
BY_NAME: Final[Mapping[str, Way]] = MappingProxyType({"lora": Lora(), "full": Full(), "prompt": Prompt()})
"""--method -> how it is trained by default."""


@dataclass(frozen=True, eq=False)
class PartSource:
    """The items of a part as samples for training."""

    part: RolePart
    name: str
    skipped: Mapping[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.part)

    def __getitem__(self, index: int) -> Sample:
        item = self.part.data.items[index]
        picture = item.encoder_input()
        if isinstance(picture, np.ndarray):
            picture = Image.fromarray(picture)
        return Sample(picture, item.captions, item.key, item.label)


def require_training(name: str) -> None:
    """Raises MissingExtraError without the extra `train`. name: what the user asked for."""
    if find_spec("torch") is None:
        raise MissingExtraError(name, "train")


@dataclass(frozen=True, eq=False)
class TunedFit:
    """A change of towers, or the class rows of prompts, as it is stored. mixes: mix -> its figure over the folds, for
    `full`. why: for people.
    """

    method: AdaptationMethod
    tensors: dict[str, NDArray[Any]]
    settings: dict[str, Any]
    why: str
    mixes: Mapping[float, float]


@dataclass(frozen=True, eq=False)
class Tuning:
    """All that the runs of one command share. text (K, d): unit class embeddings, for prompts; None for captions."""

    session: Session
    fit: RolePart
    how: Way
    text: Embeddings | None
    plan: FoldPlan
    steps: int | None
    soup: int
    seed: int

    def run(self) -> TunedFit:
        """The tuning of all pictures to fit; `soup` runs, with a seed each, are averaged."""
        mixes = self._mixes() if isinstance(self.how, Full) else {}
        mix = max(mixes, key=lambda one: mixes[one], default=1.0)
        runs = [self._tuned(self.fit, self.seed + number, f"run {number}") for number in range(self.soup)]
        stored = [self._stored(one) for one in runs]
        tensors = mean(stored)
        settings: dict[str, Any] = dict(runs[0].settings) | ({"soup": self.soup} if self.soup > 1 else {})
        settings |= {"steps": [one.steps for one in runs]} if self.soup > 1 else {}
        if isinstance(self.how, Full):
            tensors = {name: _halved(mix * one.astype(np.float32)) for name, one in tensors.items()}
            settings["mix_chosen"] = mix
        why = (
            f"its mix {mix:g} was chosen by five folds"
            if mixes
            else "nothing was chosen: the settings are the defaults"
        )
        shutil.rmtree(self._work, ignore_errors=True)
        return TunedFit(self.name, tensors, settings, f"{why}; {runs[0].steps:,} steps", mixes)

    @property
    def name(self) -> AdaptationMethod:
        """lora, full or prompt."""
        match self.how:
            case Lora():
                return "lora"
            case Full():
                return "full"
            case Prompt():
                return "prompt"

    @property
    def _work(self) -> Path:
        """The folder of the runs: another model, other pictures, labels, texts or settings have another."""
        stated: list[Any] = [self.session.clip.contract.hash, self.fit.sha256, self.name, dataclasses.asdict(self.how)]
        stated += [self.steps, self.soup, self.seed, self.fit.data.templates]
        stated += [[one.names for one in self.fit.data.classes]]
        stated += [(item.key, item.label, item.captions) for item in self.fit.bare]
        return cache.folder() / WORK_FOLDER / hashlib.sha256(json.dumps(stated).encode()).hexdigest()[:24]

    def _tuned(self, part: RolePart, seed: int, name: str) -> Tuned:
        from contralto.train.tuning.run import tune

        work = self._work / name.replace(" ", "-")
        work.mkdir(parents=True, exist_ok=True)

        def tell(stage: str, done: int, total: int) -> None:
            self.session.progress(f"{name}: {stage}", done, total)

        return tune(
            self.session.clip, self._examples(part), self.how, steps=self.steps, seed=seed, work=work, progress=tell
        )

    def _examples(self, part: RolePart) -> Examples:
        from contralto.train.tuning.examples import Examples

        rows = None
        if self.how.towers == ("text",) if not isinstance(self.how, Full) else False:
            rows = self.session.embed_pictures(part.data, what="pictures to fit").embeddings
        classes = tuple(one.names for one in part.data.classes)
        options: dict[str, Any] = {"templates": part.data.templates} if classes else {}
        return Examples(PartSource(part, part.data.name), classes, rows=rows, **options)

    def _stored(self, tuned: Tuned) -> Any:
        """One run as an adaptation in memory, with the class rows where prompts need them."""
        tensors: dict[str, NDArray[Any]] = dict(tuned.tensors)
        if isinstance(self.how, Prompt) and self.text is not None:
            # Without vectors before the names, the classes keep the base's rows.
            tensors = {"prototypes": self.text} | tensors | {"text": self.text}
        names = tuple(one.names for one in self.fit.data.classes) or None
        templates = self.fit.data.templates or ("{}",)
        described = AdaptationDescription(self.name, AdaptationBase("", "0" * 64), names, templates)
        return in_memory(described, tensors)

    def _mixes(self) -> dict[float, float]:
        """The mean figure of the held-out fifths at each mix; empty if there are too few pictures for folds."""
        if (dealt := self.plan.folds) is None:
            return {}
        figures = dict.fromkeys(FOLD_MIXES, 0.0)
        for fold in np.unique(dealt):
            own = self.fit.select(np.flatnonzero(dealt != fold).tolist())
            held = self.fit.select(np.flatnonzero(dealt == fold).tolist())
            stored = self._stored(self._tuned(own, self.seed, f"fold {fold}"))
            for mix in FOLD_MIXES:
                clip = adapted_clip(self.session.clip, stored, mix) if mix else self.session.clip
                figures[mix] += _figure(clip, held) * len(held) / len(self.fit)
        return figures


def _figure(clip: Clip, part: RolePart) -> float:
    """Zero-shot accuracy, where unequal classes count equally, or for captions the mean of R@1 in both directions."""
    items = part.data.items
    images = clip.encode_image([items[i].encoder_input() for i in range(len(items))])
    if part.data.classes:
        names = {str(i): one.names for i, one in enumerate(part.data.classes)}
        rows = clip.encode_labels(names, part.data.templates)
        right = metrics.ranks(images @ rows.T, part.labels) == 0
        return float(np.sum(picture_weights(part.labels) * right))
    captions = [caption for item in part.bare for caption in item.captions]
    owners = np.repeat(np.arange(len(part)), [len(item.captions) for item in part.bare])
    ranks = metrics.retrieval_ranks(images, clip.encode_text(captions, truncate=True), owners)
    return float(np.mean([(ranks.image_to_text == 0).mean(), (ranks.text_to_image == 0).mean()]))


def _halved(change: NDArray[np.float32]) -> NDArray[Any]:
    """A whole change as it is stored: in float16."""
    return change.astype(np.float16)
