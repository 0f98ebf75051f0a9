"""Features and texts that the tasks sample: of pictures, of texts by number, and synthetic ones of ImageNet classes."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from contralto.contract import Text
from contralto.model.clip import CLIP
from contralto.text.tokenizer import Tokenizer
from contralto.train.autocast import autocast
from contralto.train.contrastive import shorten
from nano_parts.features import PLAIN_VIEWS, Pictures
from nano_parts.heads import image_head, text_head
from nano_parts.words import Classes


class Texts:
    """Distinct texts by number. `features` (N, 384): of the original text tower, set by the caller."""

    def __init__(self, tokenizer: Tokenizer, texts: Iterable[str]) -> None:
        self.all = sorted(set(texts), key=lambda text: (len(text), text))
        self._number = {text: number for number, text in enumerate(self.all)}
        self.ids = tokenizer.tokenize(self.all, truncate=True)  # sorted by length, so a batch has little padding
        self.features = torch.zeros(0)

    def numbers(self, texts: Iterable[str]) -> Tensor:
        """The numbers of these texts, int64 (N,)."""
        return torch.tensor([self._number[text] for text in texts])

    def tower_features(self, model: CLIP, spec: Text) -> Tensor:
        """Features (N, 384) of all texts by the locked text tower. spec: of the contract that made `ids`."""
        batches = [shorten(batch, spec) for batch in np.split(self.ids, range(512, len(self.ids), 512))]
        with autocast("auto"), torch.no_grad():
            return torch.cat([model.text.features(torch.from_numpy(batch)) for batch in batches]).float()

    def embed(self, model: CLIP, numbers: Tensor) -> Tensor:
        """Embeddings (N, 512) of texts, with dropout while training."""
        features = F.dropout(self.features[numbers], 0.2, model.training)
        return text_head(model)(features)


class Material:
    """Pictures, classes and texts. classifier: ImageNet's weight (1000, 1280) and bias (1000,)."""

    def __init__(
        self,
        captioned: Pictures,
        labelled: list[Pictures],
        emoji: Pictures,
        classes: Classes,
        texts: Texts,
        classifier: tuple[Tensor, Tensor],
    ) -> None:
        self.captioned, self.labelled, self.emoji = captioned, labelled, emoji
        self.classes, self.texts, self.classifier = classes, texts, classifier
        whole, weight = captioned.features[:, 0].float(), classifier[0]
        self.mean = whole.mean(dim=0)
        centred = whole - self.mean
        self.length = centred.norm(dim=1).mean()
        self.directions = F.normalize((weight - weight.mean(dim=0)) @ (centred.T @ centred / len(whole)), dim=1)
        self.class_texts = torch.stack([texts.numbers(wordings) for wordings in classes.texts])  # (1000, 24)

    def photographs(self, count: int, drawn: float, random: Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Features (count, 1280) of random views, features of the same pictures unchanged, and the pictures' numbers.

        drawn: share of views that are small, grey, sketched or cartoons.
        """
        chosen = torch.randint(len(self.captioned), (count,), generator=random)
        plain = torch.randint(PLAIN_VIEWS, (count,), generator=random)
        other = torch.randint(PLAIN_VIEWS, self.captioned.features.shape[1], (count,), generator=random)
        view = torch.where(torch.rand(count, generator=random) < drawn, other, plain)
        features = self.captioned.features
        return features[chosen, view].float(), features[chosen, 0].float(), chosen

    def synthetic(self, classes: Tensor, random: Generator) -> Tensor:
        """Synthetic features (N, 1280) of pictures of these ImageNet classes: a photograph's features, weakened and
        moved along the classifier's weights, weighted by the variation between photographs."""
        features, _, _ = self.photographs(len(classes), 0.4, random)
        keep = 0.3 + 0.6 * torch.rand(len(classes), 1, generator=random)
        move = 0.4 + 0.8 * torch.rand(len(classes), 1, generator=random)
        moved: Tensor = self.mean + keep * (features - self.mean) + move * self.length * self.directions[classes]
        return moved.clamp(0, 6)  # the range of ReLU6

    def embed(self, model: CLIP, features: Tensor) -> Tensor:
        """Embeddings (N, 512) of picture features. In training, dropout replaces some inputs of the linear map by their
        mean. The classifier gets all inputs, so that its classes keep their meaning."""
        head = image_head(model)
        dropped = self.mean + F.dropout(features - self.mean, 0.3, model.training)
        embeddings: Tensor = head.linear(dropped) + head.down(head.activation(head.up(features)))
        return embeddings
