"""A small CLIPModel of transformers with random weights. Importing this needs torch and transformers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
import transformers

from contralto.text import bpe

SMALL = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2}


def clip(folder: Path, **text: Any) -> Any:
    ids, merges = bpe.clip_vocabulary().published()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps(ids))
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *merges, ""]))
    tokenizer = transformers.CLIPTokenizer.from_pretrained(folder)
    pictures = transformers.CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size=32)
    transformers.CLIPProcessor(pictures, tokenizer).save_pretrained(folder)
    vision = SMALL | {"image_size": 32, "patch_size": 8, "hidden_act": "gelu"}
    config = transformers.CLIPConfig(text_config=SMALL | text, vision_config=vision, projection_dim=24)
    return scrambled(transformers.CLIPModel(config))


def scrambled(model: Any) -> Any:
    """The model with random values in every weight, so that an exchange of two is detected."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, value in model.state_dict().items():
            noise = torch.randn(value.shape, generator=generator)
            if not value.is_floating_point() or name in ("temperature", "logit_scale"):
                continue
            gain = name.endswith(
                ("norm.weight", "norm1.weight", "norm2.weight", "_bn.weight", "running_var", "LayerNorm.weight")
            )
            if gain:
                value.copy_(1 + 0.2 * noise.clamp(-2, 2))
            elif value.ndim < 2:
                value.add_(0.1 * noise)
            else:
                value.copy_(noise * (2 / value[0].numel()) ** 0.5)
    return model.eval()
