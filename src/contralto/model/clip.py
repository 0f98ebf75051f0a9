"""CLIP: a picture tower and a text tower whose embeddings are compared by cosine."""

from __future__ import annotations

import math
from typing import Any, assert_never

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from contralto import architecture
from contralto.contract import Contract, Text
from contralto.contract import preset as read_preset
from contralto.model.convnext import ConvNeXt
from contralto.model.detector import DetectingViT
from contralto.model.efficientnet import EfficientNet
from contralto.model.eva import Eva
from contralto.model.fastvit import FastViT
from contralto.model.resnet import ResNet
from contralto.model.text import Bert, CausalText
from contralto.model.vit import ViT

SOFTMAX_SCALE = 1 / 0.07  # Radford et al. 2021, section 2.5
SIGMOID_SCALE, SIGMOID_BIAS = 10.0, -10.0  # Zhai et al. 2023, section 3.2


class CLIP(nn.Module):
    """The two towers of a contract and the learned logarithm of the scale; for the sigmoid rule, also a bias.

    The state dict has the names of `model.safetensors`. Weights have no meaning until `initialise` or a checkpoint sets
    them. If a checkpoint follows, build on the meta device (`with torch.device("meta")`).
    """

    def __init__(self, contract: Contract) -> None:
        super().__init__()
        self.image = _image_tower(contract)
        self.text = _text_tower(contract.text, contract.embedding)
        self.logit_scale = nn.Parameter(torch.zeros(()))
        self.logit_bias = nn.Parameter(torch.zeros(())) if contract.score.rule == "sigmoid" else None

    def encode_image(self, pixels: Tensor) -> Tensor:
        """pixels (N, 3, height, width), normalised as the contract states -> (N, E), not yet of unit length."""
        x: Tensor = self.image(pixels)
        return x

    def encode_text(self, ids: Tensor) -> Tensor:
        """ids (N, L) of integers, L as `Text.trims` allows -> (N, E), not yet of unit length."""
        x: Tensor = self.text(ids)
        return x

    def forward(self, pixels: Tensor, ids: Tensor) -> Tensor:
        """Logits (N, M) of N pictures against M texts: scale * cosine (+ bias)."""
        images = F.normalize(self.encode_image(pixels), dim=-1)  # (N, E)
        texts = F.normalize(self.encode_text(ids), dim=-1)  # (M, E)
        logits = self.logit_scale.exp() * images @ texts.T  # (N, M)
        return logits if self.logit_bias is None else logits + self.logit_bias

    @torch.no_grad()
    def initialise(self, generator: Generator) -> None:
        """Sets every parameter and buffer in place. All draws come from `generator`, a CPU generator."""
        self.image.initialise(generator)
        self.text.initialise(generator)
        self.logit_scale.fill_(math.log(SOFTMAX_SCALE if self.logit_bias is None else SIGMOID_SCALE))
        if self.logit_bias is not None:
            self.logit_bias.fill_(SIGMOID_BIAS)


class UpToGrid(nn.Module):
    """A picture tower up to its grid: what its pool or last block reads."""

    def __init__(self, tower: Any) -> None:
        super().__init__()
        self.tower = tower

    def forward(self, pixels: Tensor) -> Tensor:
        """pixels (N, 3, h, w) -> tokens (N, L, W) or a map (N, C, h', w')."""
        x: Tensor = self.tower.grid(pixels)
        return x


def create(preset: str | Contract, *, seed: int = 0) -> tuple[CLIP, Contract]:
    """A model with random weights on the CPU, in eval mode, and its contract (unchanged: no weights, its own scale).

    preset: name of a preset, or a contract. Each tower is initialised as its paper states. The same seed gives the same
    float32 weights; PyTorch's global random state is neither read nor changed. Raises ContractError for an unknown
    preset.
    """
    contract = read_preset(preset) if isinstance(preset, str) else preset
    with torch.device("meta"):  # no memory, and no draws from the global generator
        clip = CLIP(contract)
    clip.to_empty(device="cpu")
    clip.initialise(torch.Generator().manual_seed(seed))
    return clip.eval(), contract


def _image_tower(contract: Contract) -> ViT | ResNet | EfficientNet | FastViT | Eva | ConvNeXt:
    image, embedding = contract.image, contract.embedding
    match image.tower:
        case architecture.ViT() if contract.detector is not None:
            return DetectingViT(image.tower, image.size, embedding, contract.detector)
        case architecture.ViT():
            return ViT(image.tower, image.size, embedding)
        case architecture.ResNet():
            return ResNet(image.tower, image.size, embedding)
        case architecture.EfficientNet():
            return EfficientNet(image.tower, embedding)
        case architecture.Eva():
            return Eva(image.tower, image.size, embedding)
        case architecture.ConvNeXt():
            return ConvNeXt(image.tower, embedding)
        case architecture.FastViT():
            return FastViT(image.tower, embedding)
        case _:
            assert_never(image.tower)


def _text_tower(text: Text, embedding: int) -> CausalText | Bert:
    match text.tower:
        case architecture.CausalText():
            return CausalText(text.tower, text.context, text.pool, embedding)
        case architecture.Bert():
            return Bert(text.tower, text.context, text.pad, text.pool, embedding)
        case _:
            assert_never(text.tower)
