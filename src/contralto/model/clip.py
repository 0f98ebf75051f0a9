"""CLIP: a picture tower and a text tower whose embeddings are compared by cosine."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from contralto import architecture
from contralto.contract import Contract, Image, Text
from contralto.contract import preset as read_preset
from contralto.model.convnext import ConvNeXt
from contralto.model.efficientnet import EfficientNet
from contralto.model.eva import Eva
from contralto.model.fastvit import FastViT
from contralto.model.initialise import initialise
from contralto.model.resnet import ResNet
from contralto.model.text import Bert, CausalText
from contralto.model.vit import ViT


class CLIP(nn.Module):
    """The two towers of a contract and the learned logarithm of the scale; for the sigmoid rule, a bias as well.

    The state dict's names are those of `model.safetensors`. Weights are not meaningful before `create` or a checkpoint
    has set them; build on the meta device (`with torch.device("meta")`) where a checkpoint follows.
    """

    def __init__(self, contract: Contract) -> None:
        super().__init__()
        self.image = _image_tower(contract.image, contract.embedding)
        self.text = _text_tower(contract.text, contract.embedding)
        self.logit_scale = nn.Parameter(torch.zeros(()))
        self.logit_bias = nn.Parameter(torch.zeros(())) if contract.score.rule == "sigmoid" else None

    def encode_image(self, pixels: Tensor) -> Tensor:
        """pixels (N, 3, height, width), normalised as the contract says -> embeddings (N, E), not of unit length."""
        x: Tensor = self.image(pixels)
        return x

    def encode_text(self, ids: Tensor) -> Tensor:
        """ids (N, L) of integers, L as `Text.trims` allows -> embeddings (N, E), not of unit length."""
        x: Tensor = self.text(ids)
        return x

    def forward(self, pixels: Tensor, ids: Tensor) -> Tensor:
        """Logits (N, M) of N pictures against M texts: scale * cosine (+ bias)."""
        images = F.normalize(self.encode_image(pixels), dim=-1)  # (N, E)
        texts = F.normalize(self.encode_text(ids), dim=-1)  # (M, E)
        logits = self.logit_scale.exp() * images @ texts.T  # (N, M)
        return logits if self.logit_bias is None else logits + self.logit_bias


def create(preset: str | Contract, *, seed: int = 0) -> tuple[CLIP, Contract]:
    """A model with random weights, on the CPU, in eval mode, and its contract (as given: no weights, its own scale).

    preset: the name of one, or a contract. The initialisation is the paper's (see `initialise.py`). The same seed
    gives the same float32 weights; PyTorch's global random state is neither read nor moved. Raises ContractError for
    an unknown preset.
    """
    contract = read_preset(preset) if isinstance(preset, str) else preset
    with torch.device("meta"):  # no memory, and no draws from the global generator
        clip = CLIP(contract)
    clip.to_empty(device="cpu")
    initialise(clip, torch.Generator().manual_seed(seed))
    return clip.eval(), contract


def _image_tower(image: Image, embedding: int) -> ViT | ResNet | EfficientNet | FastViT | Eva | ConvNeXt:
    match image.tower:
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


def _text_tower(text: Text, embedding: int) -> CausalText | Bert:
    match text.tower:
        case architecture.CausalText():
            return CausalText(text.tower, text.context, text.pool, embedding)
        case architecture.Bert():
            return Bert(text.tower, text.context, text.pad, text.pool, embedding)
