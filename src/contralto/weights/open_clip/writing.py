"""A contract to open_clip_config.json. Fields that affect a number are always written, even defaults."""

from __future__ import annotations

import math
from typing import Any, assert_never

from contralto.architecture import Bert, CausalText, ConvNeXt, EfficientNet, Eva, FastViT, LinearHead, ResNet, ViT
from contralto.architecture.towers import Activation
from contralto.contract import Contract, Text
from contralto.errors import ContractError
from contralto.weights.open_clip.config import CLEAN, DEFAULT_EPS, POOL
from contralto.weights.open_clip.trunks import trunk_of


def config(contract: Contract) -> dict[str, Any]:
    """The JSON of open_clip_config.json; `folder.write` reads it back to detect lost facts. Raises ContractError."""
    image, text, stated = contract.image, contract.text, contract.provenance
    if contract.detector is not None:
        raise ContractError(f"{contract.name}: open_clip has no detectors: write it as native or transformers")
    match text.tower:
        case CausalText():
            pass
        case Bert():
            raise ContractError(f"{contract.name}: open_clip has no fields for its text tower ({text.tower.kind})")
        case _:
            assert_never(text.tower)
    vision = _vision_cfg(contract)
    model: dict[str, Any] = {"embed_dim": contract.embedding, "quick_gelu": text.tower.activation == "quickgelu"}
    if "timm_model_name" in vision:
        model["custom_text"] = True
    if contract.score.rule == "sigmoid":
        model["init_logit_bias"] = contract.score.bias
    ours: dict[str, Any] = {"name": contract.name, "licence": contract.licence, "alpha": image.alpha,
            "convert": image.convert if image.convert != "last" else None,
            "source": stated.source, "trained_on": stated.trained_on}  # fmt: skip
    if text.trims and text.tokenizer.file is None:
        ours["pad"] = text.pad or None  # open_clip pads with 0, which does not change embeddings of such a tower
    return {
        "model_cfg": model | {"vision_cfg": vision, "text_cfg": _text_cfg(contract.name, text, text.tower)},
        "preprocess_cfg": {
            "size": list(image.size),
            "mode": "RGB",
            "mean": list(image.mean),
            "std": list(image.std),
            "interpolation": image.interpolation,
            "resize_mode": image.resize,
        },
        "contralto": {name: value for name, value in ours.items() if value is not None},
    }


def _vision_cfg(contract: Contract) -> dict[str, Any]:
    tower, (height, width) = contract.image.tower, contract.image.size
    size: dict[str, Any] = {"image_size": height if height == width else [height, width]}
    match tower:
        case ResNet():
            head = tower.features // tower.heads
            return size | {"layers": list(tower.layers), "width": tower.width, "head_width": head, "patch_size": None}
        case ViT():
            if tower.prompts:
                raise ContractError(f"{contract.name}: open_clip has no fields for the prompts of its picture tower")
            plain = tower.class_token and tower.pool != "attention" and not tower.patch_bias
            if plain and tower.head == LinearHead():
                return size | _vit(tower)
        case EfficientNet() | FastViT() | Eva() | ConvNeXt():
            pass
        case _:
            assert_never(tower)
    trunk = trunk_of(tower, contract.image.size)
    if trunk is None:
        raise ContractError(f"{contract.name}: open_clip has no fields for its picture tower ({tower.kind})")
    return size | trunk | {"timm_model_pretrained": False}


def _vit(tower: ViT) -> dict[str, Any]:
    fields: dict[str, Any] = {"layers": tower.layers, "width": tower.width, "head_width": tower.width // tower.heads,
              "mlp_ratio": _ratio(tower.width, tower.mlp), "patch_size": tower.patch}  # fmt: skip
    if tower.pool == "mean":
        fields |= {"pool_type": "avg", "final_ln_after_pool": True}
    if not tower.norm_pre:
        fields["no_ln_pre"] = True
    return fields | _extras(tower.activation, tower.norm_eps)


def _text_cfg(name: str, text: Text, tower: CausalText) -> dict[str, Any]:
    cleans = {ours: theirs for theirs, ours in CLEAN.items()}
    if text.clean not in cleans:
        raise ContractError(f"{name}: open_clip has no name for the cleaning of texts {text.clean!r}")
    fields: dict[str, Any] = {
        "context_length": text.context,
        "vocab_size": tower.vocabulary,
        "width": tower.width,
        "heads": tower.heads,
        "layers": tower.layers,
        "mlp_ratio": _ratio(tower.width, tower.mlp),
        "pool_type": {ours: theirs for theirs, ours in POOL.items()}.get(text.pool),
        "no_causal_mask": tower.mask == "none",
        "tokenizer_kwargs": {"clean": cleans[text.clean]},
    }
    if text.tokenizer.file is not None:
        fields["hf_tokenizer_name"] = name
        if text.frame == "start":
            fields["tokenizer_kwargs"]["strip_sep_token"] = True
    if isinstance(tower.head, LinearHead):
        fields["proj_bias"] = tower.head.bias
    else:
        fields["proj_type"] = "none"
    return fields | _extras(tower.activation, tower.norm_eps)


def _extras(activation: Activation, eps: float) -> dict[str, Any]:
    fields: dict[str, Any] = {"act_kwargs": {"approximate": "tanh"}} if activation == "gelu_tanh" else {}
    return fields | ({} if eps == DEFAULT_EPS else {"norm_kwargs": {"eps": eps}})


def _ratio(width: int, mlp: int) -> float:
    """A ratio with int(width * ratio) == mlp."""
    ratio = mlp / width
    return ratio if int(width * ratio) == mlp else math.nextafter(ratio, math.inf)
