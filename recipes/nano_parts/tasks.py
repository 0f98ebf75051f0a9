"""The objectives of nano: captions, ImageNet's classes, WordNet's hypernyms, emoji, labels and MiniLM's similarities.

All use cached features of the two locked towers and the model's only scale. A batch is a function of the step alone.
"""

from __future__ import annotations

import random as python_random
import zlib
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from contralto.loss.infonce import infonce, pairs_with_shared_id
from contralto.model.clip import CLIP
from contralto.train.recipe import Task
from nano_parts.material import Material
from nano_parts.words import emoji_texts

Batch = dict[str, Tensor]
LABEL_TEXTS = ("{}", "a photo of a {}.", "a photo of {}.")
TEACHER_TEMPERATURE = 0.07


def captions(material: Material, size: int) -> Task:
    """Photographs against their captions."""
    numbers = torch.stack([material.texts.numbers(one["captions"]) for one in material.captioned.about])  # (N, 5)

    def batch(random: Generator) -> Batch:
        features, _, chosen = material.photographs(size, 0.1, random)
        features = features * (1 + 0.3 * torch.randn(features.shape, generator=random))
        caption = numbers[chosen, torch.randint(numbers.shape[1], (size,), generator=random)]
        return {"features": features, "texts": caption, "also_true": pairs_with_shared_id(chosen, caption)}

    return _contrastive("captions", 1.5, material, batch, size)


def classes(material: Material, size: int) -> Task:
    """Distils the original classifier: class names must get its probabilities, for all pictures in any view (with the
    probabilities of the plain view) and for synthetic features."""
    pools = [material.emoji.features, torch.cat([one.features for one in material.labelled])]
    weight, bias = material.classifier

    def batch(random: Generator) -> Batch:
        views, plain, _ = material.photographs(size // 4, 0.5, random)
        parts, clean = [views], [plain]
        for pool in pools:
            chosen = torch.randint(len(pool), (size // 8,), generator=random)
            view = torch.randint(pool.shape[1], (size // 8,), generator=random)
            parts.append(pool[chosen, view].float())
            clean.append(pool[chosen, 0].float())
        made = material.synthetic(torch.randint(len(weight), (size // 2,), generator=random), random)
        noise = 1 + 0.1 * torch.randn(made.shape, generator=random)
        targets = (torch.cat([*clean, made]) @ weight.T + bias).softmax(dim=1)  # (size, 1000)
        wording = torch.randint(material.class_texts.shape[1], (len(weight),), generator=random)
        texts = material.class_texts[torch.arange(len(weight)), wording]
        return {"features": torch.cat([*parts, made * noise]), "texts": texts, "targets": targets}

    def loss(model: CLIP, batch: Batch) -> Tensor:
        images, texts = material.embed(model, batch["features"]), material.texts.embed(model, batch["texts"])
        return _divergence(batch["targets"], _logits(model, images, texts))

    return Task("classes", 3.0, _batches("classes", batch), loss, batch_size=size)


def kinds(material: Material, size: int) -> Task:
    """Synthetic features of classes against a name, a definition, or the name of a hypernym of the class."""
    nodes = [material.texts.numbers(wordings).tolist() for wordings in material.classes.nodes]
    glosses = [material.texts.numbers(wordings).tolist() for wordings in material.classes.glosses]
    names, above = material.class_texts.tolist(), material.classes.above
    nodes_above = [row.nonzero()[:, 0].tolist() for row in above]

    def batch(random: Generator) -> Batch:
        chosen = torch.randint(len(names), (size,), generator=random)
        draw = python_random.Random(int(torch.randint(2**31, (), generator=random)))
        texts, node = [], []
        for one in chosen.tolist():
            kind = draw.random() if nodes_above[one] else 0.0
            node.append(draw.choice(nodes_above[one]) if kind >= 0.5 else -1)
            texts.append(draw.choice(names[one] if kind < 0.35 else glosses[one] if kind < 0.5 else nodes[node[-1]]))
        hypernym = torch.tensor(node)
        of_class = chosen[:, None] == chosen[None, :]
        true = torch.where(hypernym >= 0, above[chosen][:, hypernym.clamp(min=0)], of_class)
        return {"features": material.synthetic(chosen, random), "texts": torch.tensor(texts), "also_true": true}

    return _contrastive("kinds", 1.0, material, batch, size)


def emoji(material: Material, size: int) -> Task:
    """Emoji against their names and keywords."""
    pool, about = material.emoji.features, material.emoji.about
    numbers = [material.texts.numbers(emoji_texts(one["name"], one["keywords"])).tolist() for one in about]
    places = {name: place for place, name in enumerate(sorted({one["id"] for one in about}))}
    owner = torch.tensor([places[one["id"]] for one in about])  # both styles of an emoji are one

    def batch(random: Generator) -> Batch:
        chosen = torch.randint(len(pool), (size,), generator=random)
        features = pool[chosen, torch.randint(pool.shape[1], (size,), generator=random)].float()
        features = features * (1 + 0.1 * torch.randn(features.shape, generator=random))
        draw = python_random.Random(int(torch.randint(2**31, (), generator=random)))
        texts = torch.tensor([draw.choice(numbers[one]) for one in chosen.tolist()])
        return {"features": features, "texts": texts, "also_true": pairs_with_shared_id(owner[chosen], texts)}

    return _contrastive("emoji", 1.0, material, batch, size)


def labels(material: Material, size: int) -> Task:
    """Pictures of the labelled sets against the class names of the same set."""
    names = [sorted({one["class"] for one in pictures.about}) for pictures in material.labelled]
    texts = torch.stack([material.texts.numbers(t.format(n) for t in LABEL_TEXTS) for part in names for n in part])
    home = torch.tensor([place for place, part in enumerate(names) for _ in part])  # the set of each class
    starts = [sum(map(len, names[:place])) for place in range(len(names))]
    label = torch.tensor(
        [
            start + part.index(one["class"])
            for start, part, pictures in zip(starts, names, material.labelled, strict=True)
            for one in pictures.about
        ]
    )
    pool = torch.cat([pictures.features for pictures in material.labelled])

    def batch(random: Generator) -> Batch:
        chosen = torch.randint(len(pool), (size,), generator=random)
        features = pool[chosen, torch.randint(pool.shape[1], (size,), generator=random)].float()
        wording = torch.randint(len(LABEL_TEXTS), (len(texts),), generator=random)
        target = label[chosen]
        elsewhere = home[None, :] != home[target][:, None]
        numbers = texts[torch.arange(len(texts)), wording]
        return {"features": features, "texts": numbers, "target": target, "elsewhere": elsewhere}

    def loss(model: CLIP, batch: Batch) -> Tensor:
        images, names = material.embed(model, batch["features"]), material.texts.embed(model, batch["texts"])
        logits = _logits(model, images, names).masked_fill(batch["elsewhere"], -torch.inf)
        return F.cross_entropy(logits, batch["target"])

    return Task("labels", 0.3, _batches("labels", batch), loss, batch_size=size)


def likenesses(material: Material, nouns: Sequence[str], size: int) -> Task:
    """Nouns and captions keep MiniLM's similarity to class names, so that words without pictures keep their meaning."""
    pool = material.texts.numbers(nouns)
    spoken = material.texts.numbers(text for one in material.captioned.about for text in one["captions"])
    original = F.normalize(material.texts.features, dim=1)

    def batch(random: Generator) -> Batch:
        half = size // 2
        chosen = pool[torch.randint(len(pool), (size - half,), generator=random)]
        texts = torch.cat([chosen, spoken[torch.randint(len(spoken), (half,), generator=random)]])
        names = material.class_texts[:, 0]
        targets = (original[texts] @ original[names].T / TEACHER_TEMPERATURE).softmax(dim=1)
        return {"texts": texts, "names": names, "targets": targets}

    def loss(model: CLIP, batch: Batch) -> Tensor:
        texts, names = (material.texts.embed(model, batch[key]) for key in ("texts", "names"))
        return _divergence(batch["targets"], _logits(model, texts, names))

    return Task("likenesses", 0.5, _batches("likenesses", batch), loss, batch_size=size)


def _contrastive(name: str, weight: float, material: Material, batch: Callable[[Generator], Batch], size: int) -> Task:
    def loss(model: CLIP, batch: Batch) -> Tensor:
        images, texts = material.embed(model, batch["features"]), material.texts.embed(model, batch["texts"])
        return infonce(images, texts, model.logit_scale, batch["also_true"])

    return Task(name, weight, _batches(name, batch), loss, batch_size=size)


def _batches(name: str, batch: Callable[[Generator], Batch]) -> Callable[[int], Batch]:
    """step -> batch, each from a new generator."""
    seed = zlib.crc32(name.encode())
    return lambda step: batch(Generator().manual_seed(seed * 1_000_003 + step))


def _logits(model: CLIP, left: Tensor, right: Tensor) -> Tensor:
    """Scaled cosines."""
    return model.logit_scale.exp() * F.normalize(left, dim=1) @ F.normalize(right, dim=1).T


def _divergence(targets: Tensor, logits: Tensor) -> Tensor:
    """KL divergence of softmax(logits) from the target probabilities, averaged over the batch."""
    return F.kl_div(logits.log_softmax(dim=1), targets, reduction="batchmean")
