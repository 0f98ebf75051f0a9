"""A CLIP of a small tower each way, loaded as a user would, and drawn pictures of eight colours to tune it on."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
from support.small_models import random_arrays

import contralto
from contralto.architecture import Bert, CausalText, EfficientNet, ImageTower, Stage, TextTower, ViT
from contralto.contract import Contract, Image, Score, Text, TokenizerSpec, preset
from contralto.data.sample import Sample
from contralto.data.scenes import SCENE_COLOURS, Scenes
from contralto.encoder import Clip
from contralto.train.tuning.examples import Examples
from contralto.weights import native

COLOURS = tuple((name,) for name in SCENE_COLOURS)
VIT = ViT(width=16, layers=2, heads=2, patch=8, mlp=32, activation="gelu")
NET = EfficientNet(stem=8, stages=(Stage(1, 3, 1, 8, 1), Stage(2, 3, 2, 12, 2)), top=16, activation="relu6")
CAUSAL = CausalText(49408, 16, 2, 2, 32, "gelu")
UNMASKED = dataclasses.replace(CAUSAL, mask="none")
BERT = Bert(49408, 16, 2, 2, 32)


def contract(image: ImageTower = VIT, text: TextTower = CAUSAL, pool: str = "eot", context: int = 16) -> Contract:
    half, stated = (0.5, 0.5, 0.5), preset("tiny").text.tokenizer
    tokenizer = TokenizerSpec(stated.kind, stated.sha256)
    prepared = Text(text, tokenizer, context=context, pool=pool)  # type: ignore[arg-type]
    return Contract("small", Image(image, (32, 32), half, half), prepared, 8, Score(scale=10.0))


def small_clip(folder: Path, stated: Contract) -> Clip:
    """The model of the contract with random weights, from a folder."""
    arrays = random_arrays(stated, seed=3)
    arrays["logit_scale"] = np.array(np.log(stated.score.scale), np.float32)
    native.write(folder, stated, arrays)
    return contralto.load(folder, engine="eager", precision="fp32")


class ColouredScenes:
    """Single drawn shapes, labelled by their colour. A `Source`."""

    def __init__(self, count: int, seed: int = 0) -> None:
        self.name, self.skipped = "colours", dict[str, int]()
        self._scenes = Scenes(count, seed, kinds=("alone",))

    def __len__(self) -> int:
        return len(self._scenes)

    def __getitem__(self, index: int) -> Sample:
        sample = self._scenes[index]
        assert sample.label is not None
        return dataclasses.replace(sample, label=sample.label // 8)


def colours(count: int = 24) -> Examples:
    return Examples(ColouredScenes(count), COLOURS, ("something {}", "a {} shape"))
