"""timm's names for FastViT, with which open_clip publishes MobileCLIP: every branch of the training, unfolded."""

from __future__ import annotations

from collections.abc import Iterable

from contralto.architecture import FastStage, FastViT, LinearHead
from contralto.weights.layouts.parts import Part

NORM = ("weight", "bias")
BATCH_NORM = ("weight", "bias", "running_mean", "running_var")


def parts(tower: FastViT, prefix: str) -> list[Part]:
    """The picture tower's tensors; timm's names begin with `prefix`, such as "visual.trunk."."""
    assert isinstance(tower.head, LinearHead), "timm's classifier is a linear map"
    found: list[Part] = []
    for index, identity in enumerate((False, False, True)):
        beside = tower.stem_points and not identity
        found += _branches(f"{prefix}stem.{index}", f"image.stem.{index}", point=beside, identity=identity)
    for index, stage in enumerate(tower.stages):
        found += _stage(tower, stage, f"{prefix}stages.{index}", f"image.stages.{index}", first=index == 0)
    found += _branches(f"{prefix}final_conv", "image.top", point=True)
    found += _squeeze(f"{prefix}final_conv.se", "image.squeeze")
    return found + _same(f"{prefix}head.fc", "image.head.linear", NORM[: 1 + tower.head.bias])


def _stage(tower: FastViT, stage: FastStage, theirs: str, ours: str, first: bool) -> list[Part]:
    found: list[Part] = []
    if not first:
        wide, down = f"{theirs}.downsample.proj.0", f"{ours}.halve"
        found += _convolution(f"{wide}.large_conv", f"{down}.wide.branches.0")
        found += _convolution(f"{wide}.small_conv", f"{down}.wide.branches.1")
        found += _squeeze(f"{wide}.se", f"{down}.squeeze") if stage.squeeze else []
        found += _branches(f"{theirs}.downsample.proj.1", f"{down}.point", identity=True)
    if stage.positions:
        found += _same(f"{theirs}.pos_emb.pos_enc", f"{ours}.positions", NORM)
    for layer in range(stage.layers):
        block = _attention if stage.mixer == "attention" else _mixer
        found += block(tower, f"{theirs}.blocks.{layer}", f"{ours}.blocks.{layer}")
        found += _mlp(f"{theirs}.blocks.{layer}.mlp", f"{ours}.blocks.{layer}.mlp")
    return found


def _mixer(tower: FastViT, theirs: str, ours: str) -> list[Part]:
    mixer = f"{theirs}.token_mixer"
    found = _same(f"{mixer}.norm.identity", f"{ours}.norm", BATCH_NORM)
    found += _branches(f"{mixer}.mixer", f"{ours}.mixer", point=True, identity=True)
    scales = (f"{mixer}.layer_scale", f"{theirs}.layer_scale")
    return found + [Part(f"{name}.gamma", (f"{ours}.scale{n}",)) for n, name in enumerate(scales, start=1)]


def _attention(tower: FastViT, theirs: str, ours: str) -> list[Part]:
    found = _same(f"{theirs}.norm", f"{ours}.norm", NORM if tower.norm == "layer" else BATCH_NORM)
    qkv = (f"{ours}.attention.q.weight", f"{ours}.attention.k.weight", f"{ours}.attention.v.weight")
    found.append(Part(f"{theirs}.token_mixer.qkv.weight", qkv, "stacked"))
    found += _same(f"{theirs}.token_mixer.proj", f"{ours}.attention.out", NORM)
    return found + [Part(f"{theirs}.layer_scale_{n}.gamma", (f"{ours}.scale{n}",)) for n in (1, 2)]


def _mlp(theirs: str, ours: str) -> list[Part]:
    found = _convolution(f"{theirs}.conv", f"{ours}.depthwise")
    return found + _same(f"{theirs}.fc1", f"{ours}.up", NORM) + _same(f"{theirs}.fc2", f"{ours}.down", NORM)


def _branches(theirs: str, ours: str, point: bool = False, identity: bool = False) -> list[Part]:
    found = _convolution(f"{theirs}.conv_kxk.0", f"{ours}.branches.0")
    if point:
        found += _convolution(f"{theirs}.conv_scale", f"{ours}.branches.1")
    if identity:
        found += _same(f"{theirs}.identity", f"{ours}.norm", BATCH_NORM)
    return found


def _squeeze(theirs: str, ours: str) -> list[Part]:
    return _same(f"{theirs}.fc1", f"{ours}.down", NORM) + _same(f"{theirs}.fc2", f"{ours}.up", NORM)


def _convolution(theirs: str, ours: str) -> list[Part]:
    return [Part(f"{theirs}.conv.weight", (f"{ours}.conv.weight",)), *_same(f"{theirs}.bn", f"{ours}.norm", BATCH_NORM)]


def _same(theirs: str, ours: str, names: Iterable[str]) -> list[Part]:
    return [Part(f"{theirs}.{name}", (f"{ours}.{name}",)) for name in names]
