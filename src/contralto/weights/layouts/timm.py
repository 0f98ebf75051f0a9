"""timm's names for image towers, which open_clip puts below `visual.trunk.` and `visual.head.`."""

from __future__ import annotations

from typing import assert_never

from contralto.architecture import ConvNeXt, EfficientNet, Eva, FastViT, Head, LinearHead, MlpHead, ResNet, ViT
from contralto.contract import Contract
from contralto.weights.layouts import fastvit
from contralto.weights.layouts.conversion import BATCH_NORM, NORM, Part, pairs

TRUNK = "visual.trunk"


def parts(contract: Contract) -> list[Part] | None:
    """The layout of the image tower; None if timm has no such tower or open_clip no such head on it."""
    tower = contract.image.tower
    match tower:
        case ViT():
            return _vit(tower)
        case Eva():
            return _eva(tower)
        case ConvNeXt():
            return _convnext(tower)
        case FastViT():
            return fastvit.parts(tower, f"{TRUNK}.")
        case ResNet() | EfficientNet():
            return None
        case _:
            assert_never(tower)


def _vit(tower: ViT) -> list[Part] | None:
    """ViTs of SigLIP (no class token, attention pooling) and of MobileCLIP B and L (class token)."""
    attentive = tower.pool == "attention" and not tower.class_token
    if tower.prompts:
        return None
    if not attentive and not (tower.pool == "class" and tower.head == LinearHead(bias=True)):
        return None
    layout = _patch(tower)
    layout.append(Part(f"{TRUNK}.pos_embed", ("image.positions",), ones=1))
    if tower.class_token:
        layout.append(Part(f"{TRUNK}.cls_token", ("image.class_token",), ones=2))
    if tower.norm_pre:
        layout += pairs(f"{TRUNK}.norm_pre", "image.norm_pre", NORM)
    for n in range(tower.layers):
        layout += _block(f"{TRUNK}.blocks.{n}", f"image.blocks.{n}")
    layout += pairs(f"{TRUNK}.norm", "image.norm_post", NORM)
    return layout + (_attention_pool() if attentive else pairs(f"{TRUNK}.head", "image.head.linear", NORM))


def _patch(tower: ViT) -> list[Part]:
    if tower.stem == "patch":
        return pairs(f"{TRUNK}.patch_embed.proj", "image.patch", NORM if tower.patch_bias else NORM[:1])
    layout: list[Part] = []
    for n in (0, 1):
        theirs = f"{TRUNK}.patch_embed.backbone.{n}"
        layout += pairs(f"{theirs}.conv", f"image.patch.conv{n + 1}", NORM[:1])
        layout += pairs(f"{theirs}.bn", f"image.patch.norm{n + 1}", BATCH_NORM)
    return layout + pairs(f"{TRUNK}.patch_embed.backbone.2.conv", "image.patch.conv3", NORM)


def _block(theirs: str, ours: str) -> list[Part]:
    """A pre-norm block with q, k and v in one matrix."""
    layout = pairs(f"{theirs}.norm1", f"{ours}.norm1", NORM) + pairs(f"{theirs}.norm2", f"{ours}.norm2", NORM)
    for kind in NORM:
        qkv = (f"{ours}.attention.q.{kind}", f"{ours}.attention.k.{kind}", f"{ours}.attention.v.{kind}")
        layout.append(Part(f"{theirs}.attn.qkv.{kind}", qkv, "stacked"))
    layout += pairs(f"{theirs}.attn.proj", f"{ours}.attention.out", NORM)
    layout += pairs(f"{theirs}.mlp.fc1", f"{ours}.mlp.up", NORM)
    return layout + pairs(f"{theirs}.mlp.fc2", f"{ours}.mlp.down", NORM)


def _eva(tower: Eva) -> list[Part] | None:
    if tower.head != LinearHead(bias=True):
        return None
    layout = pairs(f"{TRUNK}.patch_embed.proj", "image.patch", NORM)
    layout.append(Part(f"{TRUNK}.cls_token", ("image.class_token",), ones=2))
    layout.append(Part(f"{TRUNK}.pos_embed", ("image.positions",), ones=1))
    names = {
        "norm1": "norm1", "attn.q_proj": "attention.q", "attn.v_proj": "attention.v", "attn.norm": "attention.norm",
        "attn.proj": "attention.out", "norm2": "norm2", "mlp.fc1_g": "mlp.gate", "mlp.fc1_x": "mlp.up",
        "mlp.norm": "mlp.norm", "mlp.fc2": "mlp.down",
    }  # fmt: skip
    for n in range(tower.layers):
        theirs, ours = f"{TRUNK}.blocks.{n}", f"image.blocks.{n}"
        for name, own in names.items():
            layout += pairs(f"{theirs}.{name}", f"{ours}.{own}", NORM)
        layout += pairs(f"{theirs}.attn.k_proj", f"{ours}.attention.k", NORM[:1])
    layout += pairs(f"{TRUNK}.norm", "image.norm_post", NORM)
    return layout + pairs(f"{TRUNK}.head", "image.head.linear", NORM)


def _convnext(tower: ConvNeXt) -> list[Part] | None:
    layout = _convnext_head(tower.head)
    if layout is None:
        return None
    layout += pairs(f"{TRUNK}.stem.0", "image.stem.conv", NORM) + pairs(f"{TRUNK}.stem.1", "image.stem.norm", NORM)
    for stage, layers in enumerate(tower.layers):
        theirs, ours = f"{TRUNK}.stages.{stage}", f"image.stages.{stage}"
        if stage:
            layout += pairs(f"{theirs}.downsample.0", f"{ours}.halve.norm", NORM)
            layout += pairs(f"{theirs}.downsample.1", f"{ours}.halve.conv", NORM)
        for layer in range(layers):
            block, own = f"{theirs}.blocks.{layer}", f"{ours}.blocks.{layer}"
            layout += pairs(f"{block}.conv_dw", f"{own}.depthwise", NORM) + pairs(f"{block}.norm", f"{own}.norm", NORM)
            layout += pairs(f"{block}.mlp.fc1", f"{own}.mlp.up", NORM)
            layout += pairs(f"{block}.mlp.fc2", f"{own}.mlp.down", NORM)
            layout.append(Part(f"{block}.gamma", (f"{own}.scale",)))
    return layout + pairs(f"{TRUNK}.head.norm", "image.norm_post", NORM)


def _convnext_head(head: Head) -> list[Part] | None:
    match head:
        case LinearHead(bias=False):
            return pairs("visual.head.proj", "image.head.linear", NORM[:1])
        case MlpHead():
            up = pairs("visual.head.mlp.fc1", "image.head.up", NORM)
            return up + pairs("visual.head.mlp.fc2", "image.head.down", NORM[:1])
    return None


def _attention_pool() -> list[Part]:
    theirs, ours = f"{TRUNK}.attn_pool", "image.pool"
    layout = [Part(f"{theirs}.latent", (f"{ours}.query",), ones=2)]
    layout += pairs(f"{theirs}.q", f"{ours}.q", NORM)
    layout += [Part(f"{theirs}.kv.{kind}", (f"{ours}.k.{kind}", f"{ours}.v.{kind}"), "stacked") for kind in NORM]
    for name, own in (("proj", "out"), ("norm", "norm"), ("mlp.fc1", "mlp.up"), ("mlp.fc2", "mlp.down")):
        layout += pairs(f"{theirs}.{name}", f"{ours}.{own}", NORM)
    return layout
