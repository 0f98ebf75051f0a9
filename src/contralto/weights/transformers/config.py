"""config.json to towers. An absent field has the default of transformers 5.23.

A field that transformers does not know changes no number, so it is ignored here too. A field that transformers knows,
but no tower here supports, must have the only value that Contralto builds.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, cast

from contralto.architecture import Bert, CausalText, EfficientNet, ImageTower, LinearHead, NoHead, Stage, TextTower, ViT
from contralto.architecture.towers import Activation
from contralto.errors import ContractError
from contralto.weights.config_section import Section
from contralto.weights.layouts.transformers import Family, has_first_shortcut

ACTIVATION_BY_NAME: dict[str, Activation] = {
    "quick_gelu": "quickgelu", "gelu": "gelu", "gelu_pytorch_tanh": "gelu_tanh", "gelu_new": "gelu_tanh",
    "relu": "relu", "silu": "silu", "swish": "silu",
}  # fmt: skip

ALIGN_CONTEXT = 64  # ALIGN's processor pads and truncates texts to this many tokens, whatever the configuration says
STEM = 32  # channels after EfficientNet's first convolution, before width_coefficient

# Other relatives of CLIP, and why they are not read.
UNSUPPORTED_TYPES = {
    "siglip2": "it is SigLIP 2 with flexible resolution (NaFlex), which is not built here",
    "clip_text_model": "it is a text tower alone",
    "clip_vision_model": "it is a picture tower alone",
    "siglip_text_model": "it is a text tower alone",
    "siglip_vision_model": "it is a picture tower alone",
    "chinese_clip": "Chinese-CLIP is not built here",
    "altclip": "AltCLIP is not built here",
    "xclip": "X-CLIP is not built here",
}


@dataclass(frozen=True)
class Towers:
    """The facts of config.json. side: the side of the pictures in pixels; None if the towers do not depend on it."""

    family: Family
    image: ImageTower
    text: TextTower
    embedding: int
    context: int
    side: int | None


def towers(config: Mapping[str, Any], where: str) -> Towers:
    """The towers of a config.json. Raises ContractError, which names the field."""
    kind = config.get("model_type")
    if kind not in ("clip", "siglip", "align", "owlvit", "owlv2"):
        why = UNSUPPORTED_TYPES.get(str(kind), "read are clip, siglip, align, owlvit and owlv2")
        raise ContractError(f"{where}: model_type is {kind!r}: {why}")
    model = Section(config, where)
    image, text = (_part(config, name, where, is_clip=kind == "clip") for name in ("vision", "text"))
    if kind == "clip":
        return _clip(model, image, text)
    if kind in ("owlvit", "owlv2"):
        return _owl(kind, model, image, text)
    return _siglip(image, text) if kind == "siglip" else _align(model, image, text)


def _part(config: Mapping[str, Any], name: str, where: str, is_clip: bool) -> Section:
    """text_config or vision_config. Old files of CLIP may also have NAME_config_dict, which then replaces it: a field
    that is absent there has the default, whatever NAME_config states."""
    key = f"{name}_config"
    if is_clip and config.get(f"{key}_dict") is not None:
        key += "_dict"
    return Section(config.get(key) or {}, f"{where}: {key}")


def _clip(model: Section, image: Section, text: Section) -> Towers:
    vocabulary = text.take("vocab_size", int, 49408)
    end = text.take("eos_token_id", (int, list), 49407)
    # Old files state 2 by mistake. In CLIP's tokenizer the end token always has the largest id.
    if end != 2 and (not isinstance(end, int) or end < vocabulary - 1):
        raise text.refuse("eos_token_id", "the end of a text is looked for at the largest id")
    return Towers(
        "clip",
        _vit(image, 3072, "quick_gelu", 1e-5, patch=32, pool="class"),
        _causal(text, vocabulary, "quick_gelu", 1e-5, is_causal=True),
        model.take("projection_dim", int, 512),
        text.take("max_position_embeddings", int, 77),
        image.take("image_size", int, 224),
    )


def _owl(family: Literal["owlvit", "owlv2"], model: Section, image: Section, text: Section) -> Towers:
    """The defaults are those of a B/32 (OWL-ViT) or B/16 (OWLv2). A text is pooled at its largest id, the end token."""
    vision = _vit(image, 3072, "quick_gelu", 1e-5, patch=32 if family == "owlvit" else 16, pool="class")
    words = _causal(text, text.take("vocab_size", int, 49408), "quick_gelu", 1e-5, is_causal=True)
    embedding = model.take("projection_dim", int, 512)
    if words.width != embedding:
        raise model.refuse("projection_dim", f"the cells of a picture have {words.width}, the width of the text tower")
    side = image.take("image_size", int, 768)
    context = text.take("max_position_embeddings", int, 16)
    return Towers(family, replace(vision, head=NoHead()), words, embedding, context, side)


def _siglip(image: Section, text: Section) -> Towers:
    if not image.take("vision_use_head", bool, True):
        raise image.refuse("vision_use_head", "without it there are no embeddings")
    width = image.take("hidden_size", int, 768)
    if text.take("projection_size", int, text.take("hidden_size", int, 768)) != width:
        raise text.refuse("projection_size", f"pictures have {width}")
    return Towers(
        "siglip",
        _vit(image, 3072, "gelu_pytorch_tanh", 1e-6, patch=16, pool="attention"),
        _causal(text, text.take("vocab_size", int, 32000), "gelu_pytorch_tanh", 1e-6, is_causal=False),
        width,
        text.take("max_position_embeddings", int, 64),
        image.take("image_size", int, 224),
    )


def _vit(image: Section, mlp: int, activation: str, eps: float, patch: int, pool: str) -> ViT:
    if image.take("num_channels", int, 3) != 3:
        raise image.refuse("num_channels", "pictures have 3")
    is_clip = pool == "class"
    return ViT(
        width=image.take("hidden_size", int, 768),
        layers=image.take("num_hidden_layers", int, 12),
        heads=image.take("num_attention_heads", int, 12),
        patch=image.take("patch_size", int, patch),
        mlp=image.take("intermediate_size", int, mlp),
        activation=_activation(image, activation),
        pool="class" if is_clip else "attention",
        class_token=is_clip,
        patch_bias=not is_clip,
        norm_pre=is_clip,
        norm_eps=float(image.take("layer_norm_eps", float, eps)),
        head=LinearHead() if is_clip else NoHead(),
    )


def _causal(text: Section, vocabulary: int, activation: str, eps: float, is_causal: bool) -> CausalText:
    return CausalText(
        vocabulary=vocabulary,
        width=text.take("hidden_size", int, 512 if is_causal else 768),
        layers=text.take("num_hidden_layers", int, 12),
        heads=text.take("num_attention_heads", int, 8 if is_causal else 12),
        mlp=text.take("intermediate_size", int, 2048 if is_causal else 3072),
        activation=_activation(text, activation),
        mask="causal" if is_causal else "none",
        norm_eps=float(text.take("layer_norm_eps", float, eps)),
        head=LinearHead(bias=not is_causal),
    )


def _align(model: Section, image: Section, text: Section) -> Towers:
    tower = _efficientnet(image)
    if model.take("projection_dim", int, 640) != tower.features:
        raise model.refuse("projection_dim", f"pictures have {tower.features}, the channels of the last stage")
    positions = text.take("max_position_embeddings", int, 512)
    context = min(ALIGN_CONTEXT, positions)
    bert = Bert(
        vocabulary=text.take("vocab_size", int, 30522),
        width=text.take("hidden_size", int, 768),
        layers=text.take("num_hidden_layers", int, 12),
        heads=text.take("num_attention_heads", int, 12),
        mlp=text.take("intermediate_size", int, 3072),
        activation=_activation(text, "gelu"),
        types=text.take("type_vocab_size", int, 2),
        positions=positions if positions > context else 0,
        norm_eps=float(text.take("layer_norm_eps", float, 1e-12)),
        head=LinearHead(bias=True),
    )
    return Towers("align", tower, bert, tower.features, context, None)


def _efficientnet(image: Section) -> EfficientNet:
    for name, wanted in (("num_channels", 3), ("depthwise_padding", []), ("pooling_type", "mean")):
        if image.take(name, type(wanted), wanted) != wanted:
            raise image.refuse(name, f"what is built has {wanted!r}")
    wide, deep = image.take("width_coefficient", float, 2.0), image.take("depth_coefficient", float, 3.1)
    divisor = image.take("depth_divisor", int, 8)
    columns = {
        "in_channels": [32, 16, 24, 40, 80, 112, 192],
        "out_channels": [16, 24, 40, 80, 112, 192, 320],
        "kernel_sizes": [3, 3, 5, 3, 5, 5, 3],
        "strides": [1, 2, 2, 2, 1, 2, 1],
        "num_block_repeats": [1, 2, 2, 3, 3, 4, 1],
        "expand_ratios": [1, 6, 6, 6, 6, 6, 6],
    }
    stated = {name: _integers(image, name, default) for name, default in columns.items()}
    if len({len(column) for column in stated.values()}) != 1 or divisor < 1:
        raise image.refuse("in_channels", f"the stages must have as many of each of {', '.join(columns)}")
    rows = list(zip(*stated.values(), strict=True))
    ratio = image.take("squeeze_expansion_ratio", float, 0.25)
    if ratio <= 0 or not math.isclose(1 / ratio, round(1 / ratio)):
        raise image.refuse("squeeze_expansion_ratio", "it must be one over a whole number")
    for (_, channels, *_), (following, *_) in itertools.pairwise(rows):
        if rounded(channels * wide, divisor) != rounded(following * wide, divisor):
            raise image.refuse("in_channels", "a stage must take what the one before it gives")
    if rounded(rows[0][0] * wide, divisor) != rounded(STEM * wide, divisor):
        raise image.refuse(
            "in_channels", f"the first stage must take what the stem gives, {STEM} times width_coefficient"
        )
    stages = tuple(
        Stage(expand, kernel, stride, rounded(out * wide, divisor), math.ceil(deep * repeats))
        for _, out, kernel, stride, repeats, expand in rows
    )
    stem = rounded(STEM * wide, divisor)
    if has_first_shortcut(stem, stages):
        raise image.refuse("out_channels", "the first block of a stage has no shortcut there, here it would")
    return EfficientNet(
        stem=stem,
        stages=stages,
        top=0,
        activation=_activation(image, "swish"),
        squeeze=round(1 / ratio),
        padding="even",
        norm_eps=float(image.take("batch_norm_eps", float, 1e-3)),
        head=NoHead(),
    )


def rounded(channels: float, divisor: int) -> int:
    """The channels rounded to a multiple of the divisor, but not below nine tenths (Tan and Le's code)."""
    near = max(divisor, int(channels + divisor / 2) // divisor * divisor)
    return near + divisor if near < 0.9 * channels else near


def _integers(section: Section, name: str, default: list[int]) -> list[int]:
    values = section.take(name, list, default)
    if not values or not all(type(value) is int and 0 < value <= 2**20 for value in values):
        raise section.refuse(name, "a list of positive whole numbers is needed")
    return cast(list[int], values)


def _activation(section: Section, default: str) -> Activation:
    name = section.take("hidden_act", str, default)
    if name not in ACTIVATION_BY_NAME:
        raise section.refuse("hidden_act", f"supported are {', '.join(ACTIVATION_BY_NAME)}")
    return ACTIVATION_BY_NAME[name]
