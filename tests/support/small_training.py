"""A CLIP of a few thousand weights and a recipe that trains it on noise in milliseconds."""

import torch

from contralto.architecture import CausalText, EfficientNet, Stage, ViT
from contralto.contract import Contract, Image, Text, TokenizerSpec, preset
from contralto.loss.infonce import infonce
from contralto.model.clip import create
from contralto.train.recipe import Phase, Recipe, Task

VIT = ViT(width=16, layers=1, heads=2, patch=8, mlp=32, activation="gelu")
NET = EfficientNet(stem=8, stages=(Stage(1, 3, 1, 8, 1),), top=16, activation="relu6")


def contract(tower=VIT) -> Contract:
    half = (0.5, 0.5, 0.5)
    tokenizer = preset("tiny").text.tokenizer
    text = Text(CausalText(64, 16, 1, 2, 32, "gelu"), TokenizerSpec(tokenizer.kind, tokenizer.sha256), context=8)
    return Contract("small", Image(tower, (16, 16), half, half), text, embedding=8)


def batch(step: int):
    """Eight pairs that depend on the step alone."""
    random = torch.Generator().manual_seed(step)
    return torch.randn(8, 3, 16, 16, generator=random), torch.randint(0, 64, (8, 8), generator=random)


def loss(model, pairs):
    """With noise from torch's default generator, which the loop seeds."""
    images = model.encode_image(pairs[0])
    return infonce(images + 0.1 * torch.randn_like(images), model.encode_text(pairs[1]), model.logit_scale)


TASK = Task("pairs", 1.0, batch, loss)


def phase(name="only", **changes) -> Phase:
    return Phase(**{"name": name, "tasks": (TASK,), "steps": 12, "lr": 1e-2, "precision": "fp32"} | changes)


def recipe(*phases: Phase, tower=VIT, **changes) -> Recipe:
    given = {"name": "small", "build": lambda: create(contract(tower), seed=1), "phases": phases or (phase(),)}
    return Recipe(**given | changes)
