"""open_clip, from a folder in its layout."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import open_clip
import torch

from contenders import versions
from contenders.torch_peers import TorchPeer, use_all_processors

os.environ["HF_HUB_OFFLINE"] = "1"


class OpenCLIP(TorchPeer):
    def __init__(self, model: str, precision: str, ahead: int) -> None:
        use_all_processors()
        self._dtype, self._ahead = torch.bfloat16 if precision == "bf16" else torch.float32, ahead
        name = f"local-dir:{model}"
        self._model, _, self._transform = open_clip.create_model_and_transforms(name, precision=precision)
        self._model.eval()
        self._ids = open_clip.get_tokenizer(name)  # type: ignore[method-assign]
        self.about = versions("open_clip_torch", "torch", "torchvision")

    def _pixels(self, pictures: list[Any]) -> torch.Tensor:
        return torch.stack([self._transform(picture) for picture in pictures])

    def _encode_images(self, pixels: torch.Tensor) -> torch.Tensor:
        return self._model.encode_image(pixels)

    def _encode_texts(self, ids: torch.Tensor) -> torch.Tensor:
        return self._model.encode_text(ids)


class Tokens:
    def __init__(self) -> None:
        self._tokenizer = open_clip.SimpleTokenizer()
        self.about = versions("open_clip_torch")

    def tokens(self, texts: list[str]) -> np.ndarray:
        return self._tokenizer(texts).numpy()


def make(model: str = "", precision: str = "fp32", ahead: int = 0, only: str = "") -> OpenCLIP | Tokens:
    return Tokens() if only == "tokens" else OpenCLIP(model, precision, ahead)
