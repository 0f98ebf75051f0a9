"""The models that parity.py compares with: models of transformers with random weights, saved and run as users do."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from contralto.contract import Contract
from contralto.encoder.torch_model import NANO
from contralto.text import bpe
from contralto.weights.layouts import transformers as layouts
from contralto.weights.layouts.conversion import Part


@dataclass(frozen=True)
class Outputs:
    """Inputs and outputs for one batch, and the seconds for both towers."""

    pixels: np.ndarray
    ids: np.ndarray
    features: np.ndarray
    images: np.ndarray
    texts: np.ndarray
    logits: np.ndarray
    seconds: float


class Peer:
    """A saved folder, used as users of transformers do."""

    def __init__(self, folder: Path) -> None:
        from transformers import AutoModel, AutoProcessor

        self.model = AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
        self.processor = AutoProcessor.from_pretrained(folder)

    def run(self, pictures: list[np.ndarray], texts: list[str]) -> Outputs:
        images = [Image.fromarray(picture) for picture in pictures]
        kind = self.model.config.model_type
        length = 77 if kind == "clip" else 64
        inputs = self.processor(text=texts, images=images, return_tensors="pt", padding="max_length", max_length=length)
        if kind == "siglip":  # published tokenizers return no mask, so the model attends to padding
            inputs.pop("attention_mask", None)
        with torch.no_grad():
            features = self.model.vision_model(inputs["pixel_values"]).pooler_output
            begin = time.perf_counter()
            result = self.model(**inputs)
            seconds = time.perf_counter() - begin
        embeds = (result.image_embeds, result.text_embeds)
        image_rows, text_rows = (torch.nn.functional.normalize(row, dim=-1).numpy() for row in embeds)
        logits = result.logits_per_image.numpy()
        ids, pixels = inputs["input_ids"].numpy(), inputs["pixel_values"].numpy()
        return Outputs(pixels, ids, features.numpy(), image_rows, text_rows, logits, seconds)

    def gradients(self, outputs: Outputs, count: int) -> dict[str, np.ndarray]:
        """Name -> gradient of the model's loss on the first `count` pairs."""
        ids = torch.from_numpy(outputs.ids[:count])
        inputs: dict[str, Any] = {"input_ids": ids, "pixel_values": torch.from_numpy(outputs.pixels)}
        if self.model.config.model_type == "align":
            inputs["attention_mask"] = (ids != 0).long()
        self.model.zero_grad()
        self.model(**inputs, return_loss=True).loss.backward()
        return {name: value.grad.numpy() for name, value in self.model.named_parameters() if value.grad is not None}


def layout(contract: Contract) -> list[Part]:
    return list(layouts.parts(contract))


def clip(width: int, layers: int, patch: int, text_width: int, embedding: int) -> Callable[[Path, bool], None]:
    def build(folder: Path, small: bool) -> None:
        from transformers import CLIPConfig, CLIPImageProcessorPil, CLIPModel, CLIPProcessor, CLIPTokenizerFast

        vision = {"hidden_size": width, "intermediate_size": 4 * width, "num_hidden_layers": 2 if small else layers}
        vision |= {"num_attention_heads": width // 64, "patch_size": patch, "image_size": 224}
        text = {"hidden_size": text_width, "intermediate_size": 4 * text_width, "num_attention_heads": text_width // 64}
        text |= {"num_hidden_layers": 2 if small else 12, "bos_token_id": bpe.START_ID, "eos_token_id": bpe.END_ID}
        config = CLIPConfig(vision_config=vision, text_config=text, projection_dim=embedding)
        torch.manual_seed(0)
        folder.mkdir()
        vocabulary, merges = bpe.clip_vocabulary().published()
        (folder / "vocab.json").write_text(json.dumps(vocabulary))
        (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *merges, ""]))
        tokenizer = CLIPTokenizerFast(str(folder / "vocab.json"), str(folder / "merges.txt"))
        CLIPProcessor(CLIPImageProcessorPil(), tokenizer).save_pretrained(folder)
        CLIPModel(config).save_pretrained(folder)

    return build


def siglip(width: int, layers: int, patch: int, mlp: int, vocabulary: int) -> Callable[[Path, bool], None]:
    def build(folder: Path, small: bool) -> None:
        """A vocabulary of letters in SigLIP 2's format, because the published vocabularies are not available."""
        from tokenizers import Tokenizer, models, normalizers, processors
        from transformers import (
            PreTrainedTokenizerFast,
            SiglipConfig,
            SiglipImageProcessorPil,
            SiglipModel,
            SiglipProcessor,
        )

        words = ["<pad>", "<eos>", "<bos>", "<unk>", *"▁abcdefghijklmnopqrstuvwxyz0123456789.,'%?é"]
        tokenizer = Tokenizer(models.BPE({word: n for n, word in enumerate(words)}, [], unk_token="<unk>"))
        tokenizer.normalizer = normalizers.Sequence([normalizers.Lowercase(), normalizers.Replace(" ", "▁")])
        tokenizer.add_special_tokens(["<pad>", "<eos>", "<bos>", "<unk>"])
        tokenizer.post_processor = processors.TemplateProcessing(single="$A <eos>", special_tokens=[("<eos>", 1)])
        fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", eos_token="<eos>")
        depth = {"num_hidden_layers": 2 if small else layers, "intermediate_size": mlp, "hidden_size": width}
        vision = depth | {"patch_size": patch, "num_attention_heads": width // 64}
        text = depth | {"vocab_size": vocabulary, "num_attention_heads": width // 64, "projection_size": width}
        torch.manual_seed(0)
        folder.mkdir()
        SiglipProcessor(SiglipImageProcessorPil(), fast).save_pretrained(folder)
        SiglipModel(SiglipConfig(text_config=text, vision_config=vision)).save_pretrained(folder)

    return build


def align(folder: Path, small: bool) -> None:
    """EfficientNet-B7 and BERT-base, with the vocabulary of nano: 12,288 words of BERT's."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import (
        AlignConfig,
        AlignModel,
        AlignProcessor,
        EfficientNetImageProcessorPil,
        PreTrainedTokenizerFast,
    )

    folder.mkdir()
    (folder / "vocab.txt").write_bytes((NANO / "vocab.txt").read_bytes())
    words = (NANO / "vocab.txt").read_text(encoding="utf-8").removesuffix("\n").split("\n")
    ids = {word: n for n, word in enumerate(words)}
    tokenizer = Tokenizer(models.WordPiece(ids, unk_token="[UNK]"))
    tokenizer.normalizer, tokenizer.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", ids["[SEP]"]), ("[CLS]", ids["[CLS]"]))
    pictures = EfficientNetImageProcessorPil(
        do_center_crop=True, do_normalize=False, include_top=False, resample=2,
        rescale_factor=1 / 127.5, rescale_offset=True,
    )  # fmt: skip
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="[PAD]")
    AlignProcessor(pictures, fast).save_pretrained(folder)
    vision = {"hidden_dim": 640, "image_size": 289} | ({"depth_coefficient": 0.5} if small else {})
    torch.manual_seed(0)
    config = AlignConfig(
        text_config={"num_hidden_layers": 2 if small else 12}, vision_config=vision, projection_dim=640
    )
    settled(AlignModel(config).eval()).save_pretrained(folder)


def settled(model: Any) -> Any:
    """Sets the statistics of batch norms from some pictures; with the initial ones all embeddings would be similar."""
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.train()
            module.momentum = 0.3
    with torch.no_grad():
        for seed in range(6):
            generator = torch.Generator().manual_seed(seed)
            model.vision_model(torch.randn(4, 3, 289, 289, generator=generator))
    return model.eval()


PEERS: dict[str, Callable[[Path, bool], None]] = {
    "ViT-B-32": clip(768, 12, 32, 512, 512),
    "ViT-B-16": clip(768, 12, 16, 512, 512),
    "ViT-L-14": clip(1024, 24, 14, 768, 768),
    "ViT-B-16-SigLIP": siglip(768, 12, 16, 3072, 32_000),
    "ViT-B-16-SigLIP2": siglip(768, 12, 16, 3072, 256_000),
    "align-base": align,
}
