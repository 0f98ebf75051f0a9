"""OpenAI's own code (the package `clip`), with weights from open_clip's layout, whose names for a ViT are OpenAI's."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import packaging
import packaging.version
import torch

from contenders import versions
from contenders.torch_peers import TorchPeer, use_all_processors

if "pkg_resources" not in sys.modules:  # `clip` imports `packaging` from it; setuptools no longer has it
    sys.modules["pkg_resources"] = ModuleType("pkg_resources")
    sys.modules["pkg_resources"].packaging = packaging  # type: ignore[attr-defined]

import clip


class OpenAI(TorchPeer):
    def __init__(self, model: str, ahead: int) -> None:
        from clip.clip import _transform
        from clip.model import build_model
        from safetensors.torch import load_file

        use_all_processors()
        self._ahead = ahead
        weights = load_file(Path(model) / "open_clip_model.safetensors")
        self._model = build_model(weights).float().eval()  # through float16, as its `load` does on a CPU
        self._transform = _transform(self._model.visual.input_resolution)
        self.about = f"{versions('clip-openai', 'torch', 'torchvision')}; weights rounded to float16, as it does"

    def _ids(self, texts: list[str]) -> torch.Tensor:
        return clip.tokenize(texts, truncate=True)

    def _pixels(self, pictures: list[Any]) -> torch.Tensor:
        return torch.stack([self._transform(picture) for picture in pictures])

    def _encode_images(self, pixels: torch.Tensor) -> torch.Tensor:
        return self._model.encode_image(pixels)

    def _encode_texts(self, ids: torch.Tensor) -> torch.Tensor:
        return self._model.encode_text(ids)


def make(model: str, ahead: int = 0) -> OpenAI:
    return OpenAI(model, ahead)
