"""The task of a tuning: the batch of a step, and its loss. Both are functions of (seed, step).

With classes, the loss is the cross-entropy over the prompts of all classes, at most `MOST_CLASSES` of them: the text
tower runs once a step, over one text a class, with one template and one name that the step draws. With more classes,
and with captions, it is the contrastive loss within the batch (Goyal et al. 2023, FLYP; Radford et al. 2021). Classes
stay words, so that other words can be asked afterwards. The scale is the model's, locked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor

from contralto.data.mixture import Mixture
from contralto.loss.classes import class_cross_entropy
from contralto.loss.infonce import infonce, pairs_with_shared_id
from contralto.train.recipe import Task
from contralto.train.tuning.examples import Examples
from contralto.train.tuning.pictures import PictureForm
from contralto.train.tuning.texts import TextForm

if TYPE_CHECKING:
    from contralto.model.clip import CLIP

MOST_CLASSES = 512
STEP_STREAM = 2  # the mixture's own streams are 0 and 1


class TuningBatch(NamedTuple):
    """Inputs of both towers; labels int64 (N,), or also_true bool (N, N) where the texts are those of the pictures."""

    pictures: Tensor
    texts: Tensor
    labels: Tensor | None
    also_true: Tensor | None


class TuningObjective:
    """Batches and loss of the examples. mixture: of the examples' source alone."""

    def __init__(self, examples: Examples, mixture: Mixture, pictures: PictureForm, texts: TextForm) -> None:
        self._examples, self._mixture, self._pictures, self._texts = examples, mixture, pictures, texts

    def task(self, name: str) -> Task:
        """The task for a phase of the loop."""
        return Task(name, 1.0, self.batch, self.loss, batch_size=self._mixture.batch_size)

    def batch(self, step: int) -> TuningBatch:
        """The batch of `step`. Raises ImageError, TextError."""
        uses, examples = self._mixture.batch(step), self._examples
        pictures = self._pictures.inputs(uses)
        items = [use.item for use in uses]
        if not examples.classes:
            captions = [examples.caption(use.item, self._mixture.random(use).spawn(1)[0]) for use in uses]
            numbers = {caption: number for number, caption in enumerate(dict.fromkeys(captions))}
            same = pairs_with_shared_id(torch.tensor(items), torch.tensor([numbers[text] for text in captions]))
            return TuningBatch(pictures, self._texts.inputs(captions), None, same)
        labels = torch.from_numpy(examples.labels[items])
        random = np.random.default_rng(np.random.SeedSequence(self._mixture.seed, spawn_key=(STEP_STREAM, step)))
        template = examples.template(random)
        if len(examples.classes) <= MOST_CLASSES:
            texts = [examples.prompt(label, random, template) for label in range(len(examples.classes))]
            return TuningBatch(pictures, self._texts.inputs(texts), labels, None)
        texts = [examples.prompt(label, random, template) for label in labels.tolist()]
        return TuningBatch(pictures, self._texts.inputs(texts), None, pairs_with_shared_id(labels))

    def loss(self, model: CLIP, batch: TuningBatch) -> Tensor:
        """The loss of a batch, a scalar."""
        images = self._pictures.embeddings(model, batch.pictures)
        texts = self._texts.embeddings(model, batch.texts)
        if batch.labels is not None:
            return class_cross_entropy(images, texts, batch.labels, model.logit_scale)
        return infonce(images, texts, model.logit_scale, batch.also_true)
