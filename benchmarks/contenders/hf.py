"""transformers: CLIPModel and its processor, from a saved folder."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import torch

from contenders import versions
from contenders.torch_peers import TorchPeer, use_all_processors

os.environ["HF_HUB_OFFLINE"] = "1"


class Transformers(TorchPeer):
    def __init__(self, model: str, dtype: str, padding: str, pixels: str, ahead: int) -> None:
        from transformers import CLIPModel, CLIPTokenizerFast

        use_all_processors()
        self._dtype, self._padding, self._ahead = getattr(torch, dtype), padding, ahead
        self._model = CLIPModel.from_pretrained(model, dtype=self._dtype).eval()
        self._tokenizer = CLIPTokenizerFast.from_pretrained(model)
        self._processor = _processor(pixels).from_pretrained(model)
        self.about = versions("transformers", "torch", *(["torchvision"] if pixels == "torchvision" else []))

    def _ids(self, texts: list[str]) -> Any:
        return self._tokenizer(texts, padding=self._padding, max_length=77, truncation=True, return_tensors="pt")

    def _pixels(self, pictures: list[Any]) -> torch.Tensor:
        return self._processor(images=pictures, return_tensors="pt")["pixel_values"]

    def _encode_images(self, pixels: torch.Tensor) -> torch.Tensor:
        return _features(self._model.get_image_features(pixel_values=pixels))

    def _encode_texts(self, ids: Any) -> torch.Tensor:
        return _features(self._model.get_text_features(**ids))


class Tokens:
    """The tokenizer alone, which needs no PyTorch."""

    def __init__(self, model: str) -> None:
        from transformers import CLIPTokenizerFast

        self._tokenizer = CLIPTokenizerFast.from_pretrained(model)
        self.about = versions("transformers", "tokenizers")

    def tokens(self, texts: list[str]) -> np.ndarray:
        encoded = self._tokenizer(texts, padding="max_length", max_length=77, truncation=True, return_tensors="np")
        return (
            encoded["input_ids"] * encoded["attention_mask"]
        )  # it pads with the end token; the published ids are padded with 0


def _processor(pixels: str) -> Any:
    if pixels == "torchvision":
        import torchvision  # noqa: F401  without it the class would fail later
        from transformers import CLIPImageProcessor

        return CLIPImageProcessor
    from transformers import CLIPImageProcessorPil

    return CLIPImageProcessorPil


def _features(output: Any) -> torch.Tensor:
    """The tensor; transformers returns an output object since version 5."""
    return getattr(output, "pooler_output", output)


def make(
    model: str,
    dtype: str = "float32",
    padding: str = "longest",
    pixels: str = "pillow",
    ahead: int = 0,
    only: str = "",
) -> Transformers | Tokens:
    return Tokens(model) if only == "tokens" else Transformers(model, dtype, padding, pixels, ahead)
