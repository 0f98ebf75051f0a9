"""Names and shapes of FastViT's tensors."""

from __future__ import annotations

from contralto.architecture import FastStage, FastViT
from contralto.weights.names.parts import Shapes, batch_norm, conv_norm, head, linear, norm, squeeze, under


def fastvit(tower: FastViT, embedding: int) -> Shapes:
    """Names below `image`."""
    first = tower.stages[0].width
    kernels = (3, 1) if tower.stem_points else (3,)
    shapes = under("stem.0", _branches(3, first, kernels)) | under("stem.1", _branches(1, first, kernels))
    shapes |= under("stem.2", _branches(first, first, (1,), identity=True))
    for index, stage in enumerate(tower.stages):
        shapes |= under(f"stages.{index}", _stage(tower, stage, first=index == 0))
    shapes |= under("top", _branches(1, tower.features, (3, 1)))
    shapes |= under("squeeze", squeeze(tower.features, tower.features // 16))
    return shapes | under("head", head(tower.head, tower.features, embedding))


def _stage(tower: FastViT, stage: FastStage, first: bool) -> Shapes:
    width = stage.width
    shapes: Shapes = {}
    if not first:
        shapes |= under("halve.wide", _branches(1, width, (7, 3)))
        if stage.squeeze:
            shapes |= under("halve.squeeze", squeeze(width, width // 4))
        shapes |= under("halve.point", _branches(width, width, (1,), identity=True))
    if stage.positions:
        shapes |= {"positions.weight": (width, 1, 7, 7), "positions.bias": (width,)}
    for layer in range(stage.layers):
        shapes |= under(f"blocks.{layer}", _block(tower, stage))
    return shapes


def _block(tower: FastViT, stage: FastStage) -> Shapes:
    width, hidden = stage.width, stage.width * tower.mlp
    if stage.mixer == "attention":
        shapes = under("norm", norm(width) if tower.norm == "layer" else batch_norm(width))
        for name in ("q", "k", "v"):
            shapes |= under(f"attention.{name}", linear(width, width, bias=False))
        shapes |= under("attention.out", linear(width, width))
    else:
        shapes = under("norm", batch_norm(width)) | under("mixer", _branches(1, width, (3, 1), identity=True))
    shapes["scale1"] = (width, 1, 1)
    shapes |= under("mlp.depthwise", conv_norm(1, width, 7))
    shapes |= {"mlp.up.weight": (hidden, width, 1, 1), "mlp.up.bias": (hidden,)}
    shapes |= {"mlp.down.weight": (width, hidden, 1, 1), "mlp.down.bias": (width,)}
    return shapes | {"scale2": (width, 1, 1)}


def _branches(inputs: int, outputs: int, kernels: tuple[int, ...], identity: bool = False) -> Shapes:
    """`inputs` is per group."""
    shapes: Shapes = {}
    for index, kernel in enumerate(kernels):
        shapes |= under(f"branches.{index}", conv_norm(inputs, outputs, kernel))
    return shapes | (under("norm", batch_norm(outputs)) if identity else {})
