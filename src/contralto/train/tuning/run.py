"""One tuning, from a Clip and examples to the tensors that changed."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from contralto import arguments
from contralto.data.mixture import Mixture
from contralto.embeddings import Embeddings
from contralto.encoder.clip import Clip
from contralto.errors import ContraltoError, DataError
from contralto.model.efficientnet import EfficientNet
from contralto.train import average, loop
from contralto.train.optimiser import rate_of
from contralto.train.recipe import Phase, Recipe
from contralto.train.tuning import full, lora, plan, prompt
from contralto.train.tuning.examples import Examples
from contralto.train.tuning.objective import TuningObjective
from contralto.train.tuning.pictures import (
    FittedPictures,
    KnownEmbeddings,
    LockedStart,
    PictureForm,
    Pixels,
    cropped,
    mirrored,
)
from contralto.train.tuning.settings import Full, Lora, Prompt, Way, haste
from contralto.train.tuning.texts import LockedTexts, TextForm, TokenIds

if TYPE_CHECKING:
    from contralto.model.clip import CLIP

TuningProgress: TypeAlias = Callable[[str, int, int], object] | None
"""Called with the stage, the units done and their total."""

CROP_AREA = (0.5, 1.0)
FULL_BATCH = 256  # for which `Full.lr` is stated
BETAS = (0.9, 0.999)
CHECKPOINT_STEPS = 50
ENCODED_AT_ONCE = 64


@dataclass(frozen=True)
class Tuned:
    """What a tuning changed. tensors: by the rules of `lora.changes`, `full.changes` or `prompt.changes`.

    settings: those of the way, with steps, seed and the highest rate, as JSON values. seconds: of this call, not of
    earlier parts.
    """

    tensors: dict[str, NDArray[np.float32]]
    settings: dict[str, object]
    steps: int
    seconds: float


def tune(
    clip: Clip,
    examples: Examples,
    how: Way,
    *,
    steps: int | None = None,
    seed: int = 0,
    work: Path,
    seconds: float = 90.0,
    progress: TuningProgress = None,
) -> Tuned:
    """Tunes a copy of the clip's model on the examples; the clip itself stays as it is.

    steps: None measures a step and plans as many as fit in `seconds`, but at least 10, and for `Full` at most those of
        its epochs.
    work: a folder for the plan and the checkpoint. A call that was killed goes on there if it is repeated, with the
        same number of threads to the same bits; another tuning in the same folder is a ContractError.
    progress: called with (stage, done, total).
    seed: the draws depend on it alone.

    Raises ContraltoError for unusable arguments, ImageError and TextError for an example that cannot be used, Diverged
    where the loss is not finite, MissingExtraError without torch.
    """
    start = time.monotonic()
    arguments.whole(seed, "seed", 0)
    arguments.number(seconds, "seconds", 0, edges=False)
    arguments.function(progress, "progress", "stage, done, total")
    if steps is not None:
        arguments.whole(steps, "steps")
    if not isinstance(how, Lora | Full | Prompt):
        raise ContraltoError(f"how must be a Lora, Full or Prompt, got {arguments.shown(how)}")
    setup = Setup(clip, examples, how, seed, progress)
    if steps is None:
        steps = setup.planned(work, start + seconds)
    state = loop.train(setup.recipe(steps), work, progress=lambda done, last: setup.tell("tuning", done, last))
    settings = dataclasses.asdict(how) | {"steps": steps, "seed": seed, "peak_lr": setup.peak_rate(steps)}
    return Tuned(setup.changes(state.model.eval()), settings, steps, time.monotonic() - start)


class Setup:
    """A model prepared for a way of tuning, and the recipe of its run."""

    def __init__(self, clip: Clip, examples: Examples, how: Way, seed: int, progress: TuningProgress) -> None:
        self.clip, self.examples, self.how, self.seed, self._progress = clip, examples, how, seed, progress
        self.batch = min(how.batch, len(examples.source))
        self.model = clip.torch()
        self.model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # convolutions: a third of the time
        self.base = average.start(self.model) if isinstance(how, Full) else {}
        match how:
            case Lora():
                names = lora.insert(self.model, how, torch.Generator().manual_seed(seed))
                self.rates = lora.rates(self.model, names)
            case Full():
                self.rates = full.rates(self.model, how)
            case Prompt():
                if "text" in how.towers:
                    self.examples = dataclasses.replace(examples, templates=(prompt.TEMPLATE,))
                prompt.insert(self.model, how, self.examples, self._ids, clip.contract, seed)
                self.rates = prompt.rates(self.model, how)
        self.trained = frozenset(name for name, rate in rate_of(self.model, self.rates).items() if rate)
        mixture = Mixture([(examples.source, 1.0)], self.batch, seed)
        pictures = self._pictures(mixture)
        self.views = pictures.views
        objective = TuningObjective(self.examples, mixture, pictures, self._texts())
        self.task = objective.task(f"{type(how).__name__.lower()} {self.key[:16]}")

    @cached_property
    def key(self) -> str:
        """sha256 (hex) of what decides the weights, but for the number of steps."""
        stated = [type(self.how).__name__, dataclasses.asdict(self.how), self.seed, self.clip.contract.hash]
        return hashlib.sha256(json.dumps([*stated, self.examples.digest]).encode()).hexdigest()

    def tell(self, stage: str, done: int, total: int) -> None:
        """Calls the user's function, if any."""
        if self._progress is not None:
            self._progress(stage, done, total)

    def planned(self, work: Path, end: float) -> int:
        """The steps that the plan in `work` states, else those that fit until `end`, which become the plan."""
        steps = plan.stated_steps(work, self.key)
        if steps is None:
            self.tell("measuring a step", 0, 1)
            pictures, left = len(self.examples.source), end - time.monotonic()
            steps = plan.steps_within(left, self.model, self.recipe, pictures * self.views, self.batch)
            if isinstance(self.how, Full):
                steps = min(steps, math.ceil(self.how.epochs * pictures / self.batch))
            plan.write(work, self.key, steps)
            self.tell("measuring a step", 1, 1)
        return steps

    def peak_rate(self, steps: int) -> float:
        """The highest learning rate of a run of so many steps."""
        match self.how:
            case Lora():
                return self.how.lr * haste(steps)
            case Full():
                return self.how.lr * haste(steps) * math.sqrt(self.batch / FULL_BATCH)
            case Prompt():
                return self.how.lr

    def recipe(self, steps: int) -> Recipe:
        """The run of so many steps. The rate ends at 0, where CLIP-LoRA's ends at 1e-6."""
        how = self.how
        phase = Phase(
            type(how).__name__.lower(),
            (self.task,),
            steps,
            self.peak_rate(steps),
            max(1, steps // 10) if isinstance(how, Full) else 0,
            how.weight_decay,
            BETAS,
            eps=1e-8,
            rates=self.rates,
            ema=full.ema(how, steps) if isinstance(how, Full) else None,
        )
        return Recipe(
            "tuning",
            lambda: (self.model, self.clip.contract),
            (phase,),
            checkpoint_every=max(1, min(steps // 4, CHECKPOINT_STEPS)),
            seed=self.seed,
            saves_locked=False,
        )

    def changes(self, model: CLIP) -> dict[str, NDArray[np.float32]]:
        """The tensors of the trained model that changed; of prompts, see `prompt.changes`."""
        match self.how:
            case Lora():
                return lora.changes(model)
            case Full():
                return full.changes(model, self.base)
            case Prompt():
                return prompt.changes(model, self.how, self.examples, self._ids)

    def _pictures(self, mixture: Mixture) -> PictureForm:
        spec, mirror = self.clip.contract.image, 0.5 if self.examples.classes else 0.0  # captions tell left from right
        if not any(name.startswith("image.") for name in self.trained):
            return KnownEmbeddings(self._rows())
        fitted = FittedPictures(self.examples.source, spec)
        if isinstance(self.how, Full):
            return Pixels(fitted, spec, cropped(spec, CROP_AREA, mirror), mixture.random)
        tower = self.model.image
        if isinstance(tower, EfficientNet) and (blocks := lora.locked_blocks(tower, self.trained)):
            return LockedStart(tower, blocks, fitted, spec, mirror, mixture.random)
        return Pixels(fitted, spec, mirrored(mirror), mixture.random)

    @property
    def _ids(self) -> TokenIds:
        cuts = not self.examples.classes  # captions; a class name that is too long is an error
        return TokenIds(lambda texts: self.clip.tokenize(texts, truncate=cuts), self.clip.contract.text)

    def _texts(self) -> TextForm:
        if any(name.startswith("text.") for name in self.trained):
            return self._ids
        return LockedTexts(self.model, self._ids)

    def _rows(self) -> Embeddings:
        """The embeddings of the source's pictures, encoded now if the examples have none."""
        rows, width = self.examples.rows, self.clip.contract.embedding
        if rows is not None:
            if rows.shape[1] != width:
                raise DataError(f"rows must have {width} columns, got {rows.shape[1]}")
            return rows
        source, parts = self.examples.source, []
        for start in range(0, len(source), ENCODED_AT_ONCE):
            self.tell("encoding pictures", start, len(source))
            part = range(start, min(start + ENCODED_AT_ONCE, len(source)))
            parts.append(self.clip.encode_image([source[index].picture for index in part]))
        return np.concatenate(parts)
