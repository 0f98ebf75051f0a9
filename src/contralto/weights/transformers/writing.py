"""A contract to config.json, the image processor's settings and the tokenizer's files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, assert_never

from contralto.architecture import Bert, CausalText, ConvNeXt, EfficientNet, Eva, FastViT, ResNet, ViT
from contralto.architecture.codec import to_json
from contralto.architecture.towers import Activation
from contralto.contract import Contract, Text
from contralto.errors import WeightsError
from contralto.files import copy_files, written_whole
from contralto.text import bpe
from contralto.weights import tokenizer_files
from contralto.weights.checkpoint import Checkpoint
from contralto.weights.config_section import read_json
from contralto.weights.layouts import transformers as layout
from contralto.weights.transformers import image_processor, tokenizer_config
from contralto.weights.transformers.config import STEM, rounded

ACTIVATION_NAMES: dict[Activation, str] = {
    "quickgelu": "quick_gelu", "gelu": "gelu", "gelu_tanh": "gelu_pytorch_tanh", "relu": "relu", "silu": "silu",
}  # fmt: skip
MODEL_CLASSES = {
    "clip": "CLIPModel", "siglip": "SiglipModel", "align": "AlignModel", "owlvit": "OwlViTForObjectDetection",
    "owlv2": "Owlv2ForObjectDetection",
}  # fmt: skip
PROCESSOR_CLASSES = {
    "clip": "CLIPImageProcessor",
    "siglip": "SiglipImageProcessor",
    "align": "EfficientNetImageProcessor",
    "owlvit": "OwlViTImageProcessor",
    "owlv2": "Owlv2ImageProcessor",
}


def config(contract: Contract) -> dict[str, Any]:
    """config.json. Facts that transformers has no field for are under `contralto`. Raises WeightsError."""
    family = layout.family(contract)
    image, text = contract.image, contract.text
    if isinstance(image.tower, ViT) and image.size[0] != image.size[1]:
        raise WeightsError(f"{contract.name}: transformers' {MODEL_CLASSES[family]} has square pictures only")
    stated: dict[str, Any] = {
        "architectures": [MODEL_CLASSES[family]],
        "model_type": family,
        "projection_dim": contract.embedding,
        "vision_config": _vision(contract),
        "text_config": _text(contract),
        "contralto": {
            "name": contract.name,
            "licence": contract.licence,
            "source": contract.provenance.source,
            "trained_on": contract.provenance.trained_on,
            "image": {"convert": image.convert},
            "text": {
                "tokenizer": to_json(text.tokenizer),
                "clean": text.clean,
                "frame": text.frame,
                "pad": text.pad,
                "context": text.context,
            },
        },
    }
    return stated


def processor(contract: Contract) -> dict[str, Any]:
    """preprocessor_config.json. Raises WeightsError if transformers' processor cannot do the same as the contract."""
    family = layout.family(contract)
    if family == "siglip" and (contract.image.resize != "squash" or contract.image.resized):
        raise WeightsError(f"{contract.name}: transformers' SigLIP squashes its pictures, this model does not")
    if family in layout.OWL_FAMILIES and (contract.image.resize == "pad") != (family == "owlv2"):
        raise WeightsError(f"{contract.name}: transformers' OWLv2 pads its pictures and OWL-ViT does not; this differs")
    return image_processor.written(contract.image, PROCESSOR_CLASSES[family])


def place_tokenizer(checkpoint: Checkpoint, folder: Path) -> None:
    """Writes the tokenizer's files. Their configuration is copied, or written if there is none.

    Raises OSError, ContractError.
    """
    contract = checkpoint.contract
    settings: dict[str, Any] = {"model_max_length": contract.text.context, "padding_side": "right"}
    if contract.text.tokenizer.kind == "clip-bpe":
        ids, merges = bpe.clip_vocabulary().published()
        names = {number: name for name, number in ids.items()}
        settings |= {"tokenizer_class": "CLIPTokenizer", "pad_token": names[contract.text.pad]}
        settings |= {
            "bos_token": "<|startoftext|>",
            "eos_token": tokenizer_config.CLIP_PAD,
            "unk_token": tokenizer_config.CLIP_PAD,
        }
        lines = "\n".join(["#version: 0.2", *merges, ""])
        files = {"vocab.json": json.dumps(ids, ensure_ascii=False), "merges.txt": lines}
        for name, content in files.items():
            with written_whole(folder / name) as file:
                file.write(content.encode())
    else:
        tokenizer_files.copy(contract.text, checkpoint.folder, folder)
        others = (checkpoint.folder / name for name in ("tokenizer_config.json", "special_tokens_map.json"))
        copy_files((path for path in others if path.is_file()), folder)
        settings |= _tokenizer_settings(contract.text, folder)
    if not (folder / "tokenizer_config.json").is_file():
        with written_whole(folder / "tokenizer_config.json") as file:
            file.write((json.dumps(settings, indent=2) + "\n").encode())


def _tokenizer_settings(text: Text, folder: Path) -> dict[str, Any]:
    """The tokenizer class for the file, and its pad token."""
    if text.tokenizer.kind == "sentencepiece":
        return {"tokenizer_class": "SiglipTokenizer", "pad_token": tokenizer_config.SIGLIP_PAD}
    if text.tokenizer.kind == "wordpiece":
        return {"tokenizer_class": "BertTokenizer", "pad_token": "[PAD]", "do_lower_case": True}
    # PreTrainedTokenizerFast runs any tokenizer.json; Siglip2Tokenizer also lower-cases.
    name = "Siglip2Tokenizer" if text.clean == "lower" else "PreTrainedTokenizerFast"
    added = read_json(folder / str(text.tokenizer.file)).get("added_tokens", ())
    tokens = [one.get("content") for one in added if isinstance(one, dict) and one.get("id") == text.pad]
    return {"tokenizer_class": name} | ({"pad_token": tokens[0]} if tokens else {})


def _vision(contract: Contract) -> dict[str, Any]:
    tower = contract.image.tower
    match tower:
        case EfficientNet():
            return _efficientnet(tower, contract)
        case ViT():
            return _vit(tower, contract)
        case ResNet() | FastViT() | Eva() | ConvNeXt():
            raise WeightsError(f"{contract.name}: transformers has no class for its picture tower ({tower.kind})")
        case _:
            assert_never(tower)


def _vit(tower: ViT, contract: Contract) -> dict[str, Any]:
    return {
        "hidden_size": tower.width,
        "intermediate_size": tower.mlp,
        "num_hidden_layers": tower.layers,
        "num_attention_heads": tower.heads,
        "image_size": contract.image.size[0],
        "patch_size": tower.patch,
        "hidden_act": _name(tower.activation, contract),
        "layer_norm_eps": tower.norm_eps,
        "projection_dim": contract.embedding,
    }


def _efficientnet(tower: EfficientNet, contract: Contract) -> dict[str, Any]:
    """The stem has 32 channels times width_coefficient, which scales all channels. A divisor of 1 rounds nothing."""
    wide = tower.stem / STEM
    channels = [stage.channels for stage in tower.stages]
    stated = [round(one / wide) for one in channels]
    if [rounded(one * wide, 1) for one in stated] != channels:
        raise WeightsError(f"{contract.name}: transformers' AlignModel has no such channels")
    return {
        "width_coefficient": wide,
        "depth_coefficient": 1.0,
        "depth_divisor": 1,
        "in_channels": [STEM, *stated[:-1]],
        "out_channels": stated,
        "kernel_sizes": [stage.kernel for stage in tower.stages],
        "strides": [stage.stride for stage in tower.stages],
        "num_block_repeats": [stage.repeats for stage in tower.stages],
        "expand_ratios": [stage.expand for stage in tower.stages],
        "squeeze_expansion_ratio": 1 / tower.squeeze,
        "hidden_act": _name(tower.activation, contract),
        "hidden_dim": contract.embedding,
        "batch_norm_eps": tower.norm_eps,
        "image_size": contract.image.size[0],
    }


def _text(contract: Contract) -> dict[str, Any]:
    tower = contract.text.tower
    stated = {
        "vocab_size": tower.vocabulary,
        "hidden_size": tower.width,
        "intermediate_size": tower.mlp,
        "num_hidden_layers": tower.layers,
        "num_attention_heads": tower.heads,
        "max_position_embeddings": contract.text.context,
        "hidden_act": _name(tower.activation, contract),
        "layer_norm_eps": tower.norm_eps,
        "projection_dim": contract.embedding,
    }
    match tower:
        case Bert():
            return stated | {
                "max_position_embeddings": tower.positions or contract.text.context,
                "type_vocab_size": tower.types,
                "pad_token_id": contract.text.pad,
            }
        case CausalText():
            if contract.text.pool == "eot":
                return stated | {"bos_token_id": bpe.START_ID, "eos_token_id": tower.vocabulary - 1}
            return stated | {"projection_size": contract.embedding}
        case _:
            assert_never(tower)


def _name(activation: Activation, contract: Contract) -> str:
    if activation not in ACTIVATION_NAMES:
        raise WeightsError(f"{contract.name}: transformers has no activation {activation}")
    return ACTIVATION_NAMES[activation]
