"""timm's names for FastViT (MobileCLIP in open_clip), with every training branch unfolded."""

from __future__ import annotations

from contralto.architecture import FastStage, FastViT, LinearHead
from contralto.weights.layouts.conversion import BATCH_NORM, NORM, Part, pairs


def parts(tower: FastViT, prefix: str) -> list[Part]:
    """The layout of the image tower. timm's names begin with `prefix`, such as "visual.trunk."."""
    assert isinstance(tower.head, LinearHead), "timm's classifier is a linear map"
    layout: list[Part] = []
    for index, identity in enumerate((False, False, True)):
        beside = tower.stem_points and not identity
        layout += _branches(f"{prefix}stem.{index}", f"image.stem.{index}", point=beside, identity=identity)
    for index, stage in enumerate(tower.stages):
        layout += _stage(tower, stage, f"{prefix}stages.{index}", f"image.stages.{index}", first=index == 0)
    layout += _branches(f"{prefix}final_conv", "image.top", point=True)
    layout += _squeeze(f"{prefix}final_conv.se", "image.squeeze")
    return layout + pairs(f"{prefix}head.fc", "image.head.linear", NORM[: 1 + tower.head.bias])


def _stage(tower: FastViT, stage: FastStage, theirs: str, ours: str, first: bool) -> list[Part]:
    layout: list[Part] = []
    if not first:
        wide, down = f"{theirs}.downsample.proj.0", f"{ours}.halve"
        layout += _convolution(f"{wide}.large_conv", f"{down}.wide.branches.0")
        layout += _convolution(f"{wide}.small_conv", f"{down}.wide.branches.1")
        layout += _squeeze(f"{wide}.se", f"{down}.squeeze") if stage.squeeze else []
        layout += _branches(f"{theirs}.downsample.proj.1", f"{down}.point", identity=True)
    if stage.positions:
        layout += pairs(f"{theirs}.pos_emb.pos_enc", f"{ours}.positions", NORM)
    for layer in range(stage.layers):
        block = _attention if stage.mixer == "attention" else _mixer
        layout += block(tower, f"{theirs}.blocks.{layer}", f"{ours}.blocks.{layer}")
        layout += _mlp(f"{theirs}.blocks.{layer}.mlp", f"{ours}.blocks.{layer}.mlp")
    return layout


def _mixer(tower: FastViT, theirs: str, ours: str) -> list[Part]:
    mixer = f"{theirs}.token_mixer"
    layout = pairs(f"{mixer}.norm.identity", f"{ours}.norm", BATCH_NORM)
    layout += _branches(f"{mixer}.mixer", f"{ours}.mixer", point=True, identity=True)
    scales = (f"{mixer}.layer_scale", f"{theirs}.layer_scale")
    return layout + [Part(f"{name}.gamma", (f"{ours}.scale{n}",)) for n, name in enumerate(scales, start=1)]


def _attention(tower: FastViT, theirs: str, ours: str) -> list[Part]:
    layout = pairs(f"{theirs}.norm", f"{ours}.norm", NORM if tower.norm == "layer" else BATCH_NORM)
    qkv = (f"{ours}.attention.q.weight", f"{ours}.attention.k.weight", f"{ours}.attention.v.weight")
    layout.append(Part(f"{theirs}.token_mixer.qkv.weight", qkv, "stacked"))
    layout += pairs(f"{theirs}.token_mixer.proj", f"{ours}.attention.out", NORM)
    return layout + [Part(f"{theirs}.layer_scale_{n}.gamma", (f"{ours}.scale{n}",)) for n in (1, 2)]


def _mlp(theirs: str, ours: str) -> list[Part]:
    layout = _convolution(f"{theirs}.conv", f"{ours}.depthwise")
    return layout + pairs(f"{theirs}.fc1", f"{ours}.up", NORM) + pairs(f"{theirs}.fc2", f"{ours}.down", NORM)


def _branches(theirs: str, ours: str, point: bool = False, identity: bool = False) -> list[Part]:
    layout = _convolution(f"{theirs}.conv_kxk.0", f"{ours}.branches.0")
    if point:
        layout += _convolution(f"{theirs}.conv_scale", f"{ours}.branches.1")
    if identity:
        layout += pairs(f"{theirs}.identity", f"{ours}.norm", BATCH_NORM)
    return layout


def _squeeze(theirs: str, ours: str) -> list[Part]:
    return pairs(f"{theirs}.fc1", f"{ours}.down", NORM) + pairs(f"{theirs}.fc2", f"{ours}.up", NORM)


def _convolution(theirs: str, ours: str) -> list[Part]:
    return [Part(f"{theirs}.conv.weight", (f"{ours}.conv.weight",)), *pairs(f"{theirs}.bn", f"{ours}.norm", BATCH_NORM)]
