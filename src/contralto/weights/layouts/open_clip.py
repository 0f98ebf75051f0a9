"""open_clip's names for the tensors of a model; for CLIP's own towers they are OpenAI's.

One model can be spelt in several ways: the text tower at the top ("classic") or below `text.`, the image tower under
CLIP's names or under timm's below `visual.trunk.`, the scale as a number or as a list of one. `spelling` detects the
way from the keys of a file. Source: the reference code of CLIP (Radford et al. 2021) and open_clip 3.3.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import assert_never

from contralto.architecture import (
    Bert,
    CausalText,
    ConvNeXt,
    EfficientNet,
    Eva,
    FastViT,
    LinearHead,
    NoHead,
    ResNet,
    ViT,
)
from contralto.contract import Contract
from contralto.errors import WeightsError
from contralto.weights.checkpoint import StoredTensor
from contralto.weights.layouts import timm
from contralto.weights.layouts.conversion import BATCH_NORM, NORM, Part, pairs

# Tensors that are no weights: constants of the code and counters of training, in old files and OpenAI's archives.
CONSTANTS = ("input_resolution", "context_length", "vocab_size")
BUFFERS = ("attn_mask", "position_ids", "num_batches_tracked")


@dataclass(frozen=True)
class Spelling:
    """nested: the text tower's names begin with `text.`; trunk: the image tower's names begin with `visual.trunk.`;
    ones: number of dimensions of logit_scale and logit_bias, 0 or 1."""

    nested: bool = False
    trunk: bool = False
    ones: int = 0


def spelling(tensors: Mapping[str, StoredTensor]) -> Spelling:
    """The spelling of a file, from its keys."""
    scale = tensors.get("logit_scale")
    return Spelling(
        nested="token_embedding.weight" not in tensors and any(name.startswith("text.") for name in tensors),
        trunk=any(name.startswith("visual.trunk.") for name in tensors),
        ones=1 if scale is not None and scale.shape == (1,) else 0,
    )


def parts(contract: Contract, how: Spelling) -> list[Part]:
    """The layout of a contract. Raises WeightsError if open_clip has no names for one of its towers."""
    layout = [Part("logit_scale", ("logit_scale",), ones=how.ones)]
    if contract.score.rule == "sigmoid":
        layout.append(Part("logit_bias", ("logit_bias",), ones=how.ones))
    pictures = timm.parts(contract) if how.trunk else _pictures(contract)
    if pictures is None:
        kind = contract.image.tower.kind
        raise WeightsError(f"{contract.name}: open_clip's layout has no names for this picture tower ({kind})")
    return layout + pictures + _texts(contract, "text." if how.nested else "")


def written(contract: Contract) -> Spelling:
    """The spelling that open_clip writes: CLIP's own towers at the top, others under timm's names and `text.`."""
    own = _pictures(contract) is not None
    return Spelling(nested=not own, trunk=not own)


def ignored(names: Iterable[str]) -> list[str]:
    """The names in a file that are no weights."""
    return [name for name in names if name in CONSTANTS or name.rpartition(".")[2] in BUFFERS]


def _texts(contract: Contract, prefix: str) -> list[Part]:
    tower = contract.text.tower
    match tower:
        case CausalText():
            pass
        case Bert():
            raise WeightsError(f"{contract.name}: open_clip's layout has no names for its text tower ({tower.kind})")
        case _:
            assert_never(tower)
    layout = [
        Part(f"{prefix}token_embedding.weight", ("text.tokens.weight",)),
        Part(f"{prefix}positional_embedding", ("text.positions",)),
        *_blocks(f"{prefix}transformer", "text", tower.layers),
        *pairs(f"{prefix}ln_final", "text.norm_post", NORM),
    ]
    match tower.head:
        case NoHead():
            return layout
        case LinearHead(bias=False):
            return [*layout, Part(f"{prefix}text_projection", ("text.head.linear.weight",), "transposed")]
        case LinearHead(bias=True):
            return layout + pairs(f"{prefix}text_projection", "text.head.linear", NORM)
    raise WeightsError(f"{contract.name}: open_clip's layout has no names for a {tower.head.kind} head")


def _pictures(contract: Contract) -> list[Part] | None:
    """The layout of CLIP's own image towers; None for others."""
    tower = contract.image.tower
    match tower:
        case ResNet():
            return _resnet(tower)
        case ViT():
            plain = tower.pool != "attention" and tower.class_token and not tower.patch_bias and not tower.prompts
            return _vit(tower) if plain and tower.head == LinearHead() else None
        case EfficientNet() | FastViT() | Eva() | ConvNeXt():
            return None
        case _:
            assert_never(tower)


def _vit(tower: ViT) -> list[Part]:
    return [
        Part("visual.conv1.weight", ("image.patch.weight",)),
        Part("visual.class_embedding", ("image.class_token",)),
        Part("visual.positional_embedding", ("image.positions",)),
        *(pairs("visual.ln_pre", "image.norm_pre", NORM) if tower.norm_pre else ()),
        *_blocks("visual.transformer", "image", tower.layers),
        *pairs("visual.ln_post", "image.norm_post", NORM),
        Part("visual.proj", ("image.head.linear.weight",), "transposed"),
    ]


def _resnet(tower: ResNet) -> list[Part]:
    layout: list[Part] = []
    for n in (1, 2, 3):
        layout += _conv_norm(f"visual.conv{n}", f"visual.bn{n}", "image.stem", str(n))
    for stage, layers in enumerate(tower.layers):
        for layer in range(layers):
            theirs, ours = f"visual.layer{stage + 1}.{layer}", f"image.stages.{stage}.{layer}"
            for n in (1, 2, 3):
                layout += _conv_norm(f"{theirs}.conv{n}", f"{theirs}.bn{n}", ours, str(n))
            if layer == 0:
                layout += _conv_norm(f"{theirs}.downsample.0", f"{theirs}.downsample.1", f"{ours}.shortcut", "")
    layout.append(Part("visual.attnpool.positional_embedding", ("image.pool.positions",)))
    for name, ours in (("q_proj", "q"), ("k_proj", "k"), ("v_proj", "v"), ("c_proj", "out")):
        layout += pairs(f"visual.attnpool.{name}", f"image.pool.{ours}", NORM)
    return layout


def _blocks(theirs: str, ours: str, layers: int) -> list[Part]:
    """Pre-norm blocks with q, k and v in one matrix."""
    layout: list[Part] = []
    for n in range(layers):
        block, native = f"{theirs}.resblocks.{n}", f"{ours}.blocks.{n}"
        layout += pairs(f"{block}.ln_1", f"{native}.norm1", NORM)
        for kind in ("weight", "bias"):
            qkv = (f"{native}.attention.q.{kind}", f"{native}.attention.k.{kind}", f"{native}.attention.v.{kind}")
            layout.append(Part(f"{block}.attn.in_proj_{kind}", qkv, "stacked"))
        layout += pairs(f"{block}.attn.out_proj", f"{native}.attention.out", NORM)
        layout += pairs(f"{block}.ln_2", f"{native}.norm2", NORM)
        layout += pairs(f"{block}.mlp.c_fc", f"{native}.mlp.up", NORM)
        layout += pairs(f"{block}.mlp.c_proj", f"{native}.mlp.down", NORM)
    return layout


def _conv_norm(conv: str, norm: str, ours: str, n: str) -> list[Part]:
    return [*pairs(conv, f"{ours}.conv{n}", ("weight",)), *pairs(norm, f"{ours}.norm{n}", BATCH_NORM)]
