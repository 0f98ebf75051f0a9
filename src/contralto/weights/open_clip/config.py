"""open_clip_config.json to a contract.

`model_cfg` describes the model, `preprocess_cfg` the preparation of pictures. An absent field has the default of
open_clip 3.3. Every field is understood, known to change no number, or refused by name. Facts that open_clip has no
field for (name, licence, transparency, another order for the conversion of colours) are under `contralto`.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, cast

from contralto.architecture import CausalText, ImageTower, LinearHead, NoHead, ResNet, ViT
from contralto.architecture.towers import Activation
from contralto.contract import Contract, Image, Provenance, Score, Text, TokenizerSpec
from contralto.text import bpe
from contralto.weights import tokenizer_files
from contralto.weights.config_section import Section
from contralto.weights.open_clip.trunks import trunk
from contralto.weights.openai import HEAD_WIDTH, MEAN, STD

OPEN_CLIP_CONFIG_FILE = "open_clip_config.json"
DEFAULT_EPS = 1e-5  # torch's default, and so open_clip's
CLEAN = {"lower": "clip", "whitespace": "whitespace", "canonicalize": "canonicalize"}
POOL = {"argmax": "eot", "last": "last"}
IMAGE_FIELDS = ("mean", "std", "interpolation", "resize_mode")

# Fields that must have this value; Contralto builds no model with another.
PLAIN_BLOCKS = {"ls_init_value": None, "qk_norm": False, "scaled_cosine_attn": False, "scale_heads": False,
                "scale_attn_inner": False, "scale_attn": False, "scale_fc": False}  # fmt: skip
PLAIN_VISION = PLAIN_BLOCKS | {"attentional_pool": False}
PLAIN_TEXT = PLAIN_BLOCKS | {"hf_model_name": None, "embed_cls": False, "tokenizer_mode": None}
PLAIN_MODEL = {"multimodal_cfg": None}

# Fields that change no embedding: they concern training, or features that other fields switch off.
NO_MATTER = ("output_tokens", "block_type")
NO_MATTER_VISION = (*NO_MATTER, "patch_dropout", "attn_pooler_queries", "attn_pooler_heads", "pos_embed_type",
                    "timm_model_pretrained", "timm_drop", "timm_drop_path")  # fmt: skip
ONLY_TRUNKS = ("timm_pool", "timm_proj", "timm_proj_bias")
ONLY_CLIP = ("width", "head_width", "mlp_ratio", "patch_size", "no_ln_pre", "final_ln_after_pool", "pool_type",
             "act_kwargs", "norm_kwargs")  # fmt: skip
NO_MATTER_TEXT = (*NO_MATTER, "final_ln_after_pool", "eos_id", "pad_id", "hf_model_pretrained", "hf_proj_type",
                  "hf_pooler_type")  # fmt: skip
NO_MATTER_MODEL = ("custom_text", "init_logit_scale", "nonscalar_logit_scale", "output_dict", "cast_dtype")


def read(config: Mapping[str, Any], folder: Path, where: str) -> Contract:
    """The contract that a configuration states, without `weights` and without the scale, which the weights hold.

    config: the JSON of open_clip_config.json, or of a model configuration alone. folder: holds the tokenizer's files,
    if any. Raises ContractError, which names the field.
    """
    model = Section(config.get("model_cfg", config), f"{where}: model_cfg")
    quick = model.take("quick_gelu", bool, False)
    bias = model.take("init_logit_bias", float, None)
    tower, size = _vision(Section(model.take("vision_cfg", dict), f"{where}: vision_cfg"), quick)
    text = _text(Section(model.take("text_cfg", dict), f"{where}: text_cfg"), quick, folder)
    embedding = model.take("embed_dim", int)
    model.close(PLAIN_MODEL, NO_MATTER_MODEL)
    ours = Section(config.get("contralto") or {}, f"{where}: contralto")
    image, implied = _image(Section(config.get("preprocess_cfg") or {}, f"{where}: preprocess_cfg"), tower, size)
    pad = ours.take("pad", int, None)
    if pad is not None and text.trims:
        text = dataclasses.replace(text, pad=pad)
    if ours.take("alpha", str, "white") == "drop":
        image = dataclasses.replace(image, alpha="drop")
    convert = ours.take("convert", str, "last")  # as open_clip's own code does
    if convert not in ("last", "first"):
        raise ours.refuse("convert", "it is last or first")
    image = dataclasses.replace(image, convert=cast(Literal["last", "first"], convert))
    contract = Contract(
        name=ours.take("name", str, folder.absolute().name),
        image=image,
        text=text,
        embedding=embedding,
        score=Score() if bias is None else Score("sigmoid", 10.0, float(bias)),
        provenance=Provenance(
            source=ours.take("source", str, None),
            trained_on=ours.take("trained_on", str, None),
            converted_from=f"open_clip, {OPEN_CLIP_CONFIG_FILE}{implied}",
        ),
        licence=ours.take("licence", str, None),
    )
    ours.close({}, ())
    return contract


def _vision(section: Section, quick: bool) -> tuple[ImageTower, tuple[int, int]]:
    """The image tower and its (height, width)."""
    size = _pair(section.take("image_size", (int, list), 224), section)
    layers = section.take("layers", (int, list), 12)
    tower: ImageTower | None
    if name := section.take("timm_model_name", str, ""):
        pool, projection = section.take("timm_pool", str, "avg"), section.values.get("timm_proj", "linear") or ""
        tower = None if section.take("timm_proj_bias", bool, False) else trunk(name, pool, projection, size)
        if tower is None:
            how = f"with timm_pool {pool!r}, timm_proj {projection!r} and pictures of {size[0]}x{size[1]}"
            raise section.refuse("timm_model_name", f"{how} it is not a tower that Contralto builds")
        section.close(PLAIN_VISION, (*NO_MATTER_VISION, "timm_proj", *ONLY_CLIP))
        return tower, size
    width, head = section.take("width", int, 768), section.take("head_width", int, HEAD_WIDTH)
    if isinstance(layers, list):
        if len(layers) != 4 or not all(type(n) is int for n in layers):
            raise section.refuse("layers", "a ResNet has four stages")
        tower = ResNet((layers[0], layers[1], layers[2], layers[3]), width, max(32 * width // max(head, 1), 1))
        section.close(PLAIN_VISION, (*NO_MATTER_VISION, *ONLY_TRUNKS, *ONLY_CLIP))
        return tower, size
    pool = section.take("pool_type", str, "tok")
    if pool not in ("tok", "avg") or (pool == "avg" and not section.take("final_ln_after_pool", bool, False)):
        raise section.refuse("pool_type", "supported are tok, and avg with final_ln_after_pool")
    tower = ViT(
        width,
        layers,
        heads=max(width // max(head, 1), 1),
        patch=section.take("patch_size", int, 16),
        mlp=_hidden(section, width),
        activation=_activation(section, quick),
        pool="class" if pool == "tok" else "mean",
        norm_pre=not section.take("no_ln_pre", bool, False),
        norm_eps=_eps(section),
    )
    section.close(PLAIN_VISION, (*NO_MATTER_VISION, *ONLY_TRUNKS, "final_ln_after_pool"))
    return tower, size


def _text(section: Section, quick: bool, folder: Path) -> Text:
    width, pool = section.take("width", int, 512), section.take("pool_type", str, "argmax")
    if pool not in POOL:
        raise section.refuse("pool_type", f"supported are {', '.join(POOL)}")
    projection, bias = section.take("proj_type", str, "linear"), section.take("proj_bias", bool, False)
    if projection not in ("linear", "none"):
        raise section.refuse("proj_type", "supported are linear, none")
    tower = CausalText(
        vocabulary=section.take("vocab_size", int, 49408),
        width=width,
        layers=section.take("layers", int, 12),
        heads=section.take("heads", int, 8),
        mlp=_hidden(section, width),
        activation=_activation(section, quick),
        mask="none" if section.take("no_causal_mask", bool, False) else "causal",
        norm_eps=_eps(section),
        head=LinearHead(bias=bias) if projection == "linear" else NoHead(),
    )
    named = section.take("hf_tokenizer_name", str, "")
    extra = Section(section.take("tokenizer_kwargs", dict, {}), f"{section.where}.tokenizer_kwargs")
    clean = extra.take("clean", str, "whitespace" if named else "lower")
    if clean not in CLEAN:
        raise extra.refuse("clean", f"supported are {', '.join(CLEAN)}")
    settings = tokenizer_files.TokenizerSettings(TokenizerSpec("clip-bpe", bpe.SHA256), "both", 0)
    if named:
        settings = tokenizer_files.find(folder, f"{section.where}.hf_tokenizer_name {named!r}")
    if extra.take("strip_sep_token", bool, False) and named:  # the end token becomes padding
        if settings.frame != "both" or settings.pad != 0:
            raise extra.refuse("strip_sep_token", "understood only for BERT's tokenizer")
        settings = settings._replace(frame="start")
    extra.close({"reduction_mask": ""}, ())
    context = section.take("context_length", int, 77)
    section.close(PLAIN_TEXT, NO_MATTER_TEXT)
    return Text(
        tower,
        settings.tokenizer,
        context,
        pad=settings.pad,
        clean=cast(Literal["clip", "whitespace", "canonicalize"], CLEAN[clean]),
        frame=settings.frame,
        pool=cast(Literal["eot", "last"], POOL[pool]),
    )


def _image(section: Section, tower: ImageTower, size: tuple[int, int]) -> tuple[Image, str]:
    """The preparation of pictures, and a note on absent fields. The size is the tower's, as in open_clip."""
    mean, std = _three(section, "mean", MEAN), _three(section, "std", STD)
    interpolation, resize = section.take("interpolation", str, "bicubic"), section.take("resize_mode", str, "shortest")
    # "random" is for training; open_clip then evaluates with bicubic.
    if interpolation not in ("bicubic", "bilinear", "random"):
        raise section.refuse("interpolation", "supported are bicubic, bilinear")
    if resize not in ("shortest", "squash"):
        raise section.refuse("resize_mode", "supported are shortest, squash")
    if section.take("mode", str, "RGB") != "RGB":
        raise section.refuse("mode", "supported is RGB")
    absent = [name for name in IMAGE_FIELDS if section.values.get(name) is None]
    image = Image(
        tower,
        size,
        mean,
        std,
        resize=cast(Literal["shortest", "squash"], resize),
        interpolation="bilinear" if interpolation == "bilinear" else "bicubic",
    )
    return image, f"; not in it, so open_clip's own: {', '.join(absent)}" if absent else ""


def _hidden(section: Section, width: int) -> int:
    """Number of hidden units of an MLP."""
    ratio = section.take("mlp_ratio", float, 4.0)
    if not 0 < ratio < 1e6:  # JSON may hold Infinity and NaN
        raise section.refuse("mlp_ratio", "a positive number is needed")
    return int(width * ratio)


def _activation(section: Section, quick: bool) -> Activation:
    extra = Section(section.take("act_kwargs", dict, {}), f"{section.where}.act_kwargs")
    approximate = extra.take("approximate", str, "none")
    extra.close({}, ())
    if approximate not in ("none", "tanh") or (quick and extra.values):
        raise section.refuse("act_kwargs", "supported is approximate none or tanh, without quick_gelu")
    return "quickgelu" if quick else "gelu_tanh" if approximate == "tanh" else "gelu"


def _eps(section: Section) -> float:
    extra = Section(section.take("norm_kwargs", dict, {}), f"{section.where}.norm_kwargs")
    eps = extra.take("eps", float, DEFAULT_EPS)
    extra.close({}, ())
    return float(eps)


def _pair(size: int | list[Any], section: Section) -> tuple[int, int]:
    both = [size, size] if isinstance(size, int) else size
    if len(both) != 2 or not all(type(side) is int for side in both):
        raise section.refuse("image_size", "one or two integers are needed")
    return both[0], both[1]


def _three(section: Section, name: str, default: Sequence[float]) -> tuple[float, float, float]:
    """One number per channel; a single number stands for all three."""
    given = section.take(name, (list, float), list(default))
    values = given if isinstance(given, list) else [given] * 3
    if len(values) != 3 or not all(isinstance(value, int | float) and math.isfinite(value) for value in values):
        raise section.refuse(name, "three numbers are needed")
    return float(values[0]), float(values[1]), float(values[2])
