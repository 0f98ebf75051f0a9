"""timm's names for picture towers, as open_clip keeps them below `visual.trunk.` and `visual.head.`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import assert_never

from contralto.architecture import ConvNeXt, EfficientNet, Eva, FastViT, Head, LinearHead, MlpHead, ResNet, ViT
from contralto.contract import Contract
from contralto.weights.layouts import fastvit
from contralto.weights.layouts.parts import Part

TRUNK = "visual.trunk"
NORM = ("weight", "bias")
BATCH_NORM = ("weight", "bias", "running_mean", "running_var")


def parts(contract: Contract) -> list[Part] | None:
    """The picture tower's part of a layout, or None if timm has no such tower or open_clip no such head on it."""
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
    """SigLIP's (no class token, pooled by attention), and those with a class token (MobileCLIP's B and L)."""
    attentive = tower.pool == "attention" and not tower.class_token
    if not attentive and not (tower.pool == "class" and tower.head == LinearHead(bias=True)):
        return None
    found = _patch(tower)
    found.append(Part(f"{TRUNK}.pos_embed", ("image.positions",), ones=1))
    if tower.class_token:
        found.append(Part(f"{TRUNK}.cls_token", ("image.class_token",), ones=2))
    if tower.norm_pre:
        found += _same(f"{TRUNK}.norm_pre", "image.norm_pre", NORM)
    for n in range(tower.layers):
        found += _block(f"{TRUNK}.blocks.{n}", f"image.blocks.{n}")
    found += _same(f"{TRUNK}.norm", "image.norm_post", NORM)
    return found + (_attention_pool() if attentive else _same(f"{TRUNK}.head", "image.head.linear", NORM))


def _patch(tower: ViT) -> list[Part]:
    if tower.stem == "patch":
        return _same(f"{TRUNK}.patch_embed.proj", "image.patch", NORM if tower.patch_bias else NORM[:1])
    found: list[Part] = []
    for n in (0, 1):
        theirs = f"{TRUNK}.patch_embed.backbone.{n}"
        found += _same(f"{theirs}.conv", f"image.patch.conv{n + 1}", NORM[:1])
        found += _same(f"{theirs}.bn", f"image.patch.norm{n + 1}", BATCH_NORM)
    return found + _same(f"{TRUNK}.patch_embed.backbone.2.conv", "image.patch.conv3", NORM)


def _block(theirs: str, ours: str) -> list[Part]:
    """Pre-norm, with q, k and v in one matrix."""
    found = _same(f"{theirs}.norm1", f"{ours}.norm1", NORM) + _same(f"{theirs}.norm2", f"{ours}.norm2", NORM)
    for kind in NORM:
        qkv = (f"{ours}.attention.q.{kind}", f"{ours}.attention.k.{kind}", f"{ours}.attention.v.{kind}")
        found.append(Part(f"{theirs}.attn.qkv.{kind}", qkv, "stacked"))
    found += _same(f"{theirs}.attn.proj", f"{ours}.attention.out", NORM)
    found += _same(f"{theirs}.mlp.fc1", f"{ours}.mlp.up", NORM)
    return found + _same(f"{theirs}.mlp.fc2", f"{ours}.mlp.down", NORM)


def _eva(tower: Eva) -> list[Part] | None:
    if tower.head != LinearHead(bias=True):
        return None
    found = _same(f"{TRUNK}.patch_embed.proj", "image.patch", NORM)
    found.append(Part(f"{TRUNK}.cls_token", ("image.class_token",), ones=2))
    found.append(Part(f"{TRUNK}.pos_embed", ("image.positions",), ones=1))
    names = {
        "norm1": "norm1", "attn.q_proj": "attention.q", "attn.v_proj": "attention.v", "attn.norm": "attention.norm",
        "attn.proj": "attention.out", "norm2": "norm2", "mlp.fc1_g": "mlp.gate", "mlp.fc1_x": "mlp.up",
        "mlp.norm": "mlp.norm", "mlp.fc2": "mlp.down",
    }  # fmt: skip
    for n in range(tower.layers):
        theirs, ours = f"{TRUNK}.blocks.{n}", f"image.blocks.{n}"
        for name, own in names.items():
            found += _same(f"{theirs}.{name}", f"{ours}.{own}", NORM)
        found += _same(f"{theirs}.attn.k_proj", f"{ours}.attention.k", NORM[:1])
    found += _same(f"{TRUNK}.norm", "image.norm_post", NORM)
    return found + _same(f"{TRUNK}.head", "image.head.linear", NORM)


def _convnext(tower: ConvNeXt) -> list[Part] | None:
    found = _convnext_head(tower.head)
    if found is None:
        return None
    found += _same(f"{TRUNK}.stem.0", "image.stem.conv", NORM) + _same(f"{TRUNK}.stem.1", "image.stem.norm", NORM)
    for stage, layers in enumerate(tower.layers):
        theirs, ours = f"{TRUNK}.stages.{stage}", f"image.stages.{stage}"
        if stage:
            found += _same(f"{theirs}.downsample.0", f"{ours}.halve.norm", NORM)
            found += _same(f"{theirs}.downsample.1", f"{ours}.halve.conv", NORM)
        for layer in range(layers):
            block, own = f"{theirs}.blocks.{layer}", f"{ours}.blocks.{layer}"
            found += _same(f"{block}.conv_dw", f"{own}.depthwise", NORM) + _same(f"{block}.norm", f"{own}.norm", NORM)
            found += _same(f"{block}.mlp.fc1", f"{own}.mlp.up", NORM)
            found += _same(f"{block}.mlp.fc2", f"{own}.mlp.down", NORM)
            found.append(Part(f"{block}.gamma", (f"{own}.scale",)))
    return found + _same(f"{TRUNK}.head.norm", "image.norm_post", NORM)


def _convnext_head(head: Head) -> list[Part] | None:
    match head:
        case LinearHead(bias=False):
            return _same("visual.head.proj", "image.head.linear", NORM[:1])
        case MlpHead():
            up = _same("visual.head.mlp.fc1", "image.head.up", NORM)
            return up + _same("visual.head.mlp.fc2", "image.head.down", NORM[:1])
    return None


def _attention_pool() -> list[Part]:
    theirs, ours = f"{TRUNK}.attn_pool", "image.pool"
    found = [Part(f"{theirs}.latent", (f"{ours}.query",), ones=2)]
    found += _same(f"{theirs}.q", f"{ours}.q", NORM)
    found += [Part(f"{theirs}.kv.{kind}", (f"{ours}.k.{kind}", f"{ours}.v.{kind}"), "stacked") for kind in NORM]
    for name, own in (("proj", "out"), ("norm", "norm"), ("mlp.fc1", "mlp.up"), ("mlp.fc2", "mlp.down")):
        found += _same(f"{theirs}.{name}", f"{ours}.{own}", NORM)
    return found


def _same(theirs: str, ours: str, names: Iterable[str]) -> list[Part]:
    return [Part(f"{theirs}.{name}", (f"{ours}.{name}",)) for name in names]
