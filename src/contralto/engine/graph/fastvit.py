"""FastViT as a graph; mirrors contralto.model.fastvit."""

from __future__ import annotations

from contralto.architecture import FastStage, FastViT
from contralto.engine.graph.layers import Layers


def fastvit(layers: Layers, tower: FastViT, pixels: str) -> str:
    """pixels (N, 3, h, w) -> embeddings (N, E)."""
    x = layers.node("ReduceMean", fastvit_grid(layers, tower, pixels), layers.constant([2, 3]), keepdims=0)
    return layers.head("image.head", tower.head, x)


def fastvit_grid(layers: Layers, tower: FastViT, pixels: str) -> str:
    """pixels (N, 3, h, w) -> the map before the mean (N, features, h', w')."""
    channels = tower.stages[0].width
    kernels = (3, 1) if tower.stem_points else (3,)
    x = _activated(layers, tower, _branches(layers, tower, "image.stem.0", pixels, kernels, stride=2))
    x = _activated(layers, tower, _branches(layers, tower, "image.stem.1", x, kernels, stride=2, group=channels))
    x = _activated(layers, tower, _branches(layers, tower, "image.stem.2", x, (1,), identity=True))
    for index, stage in enumerate(tower.stages):
        name = f"image.stages.{index}"
        if index:
            x = _halve(layers, tower, stage, f"{name}.halve", x, channels)
            channels = stage.width
        if stage.positions:
            x = layers.node("Add", x, layers.convolution(f"{name}.positions", x, group=channels, pads=(3,) * 4))
        for layer in range(stage.layers):
            x = _block(layers, tower, stage, f"{name}.blocks.{layer}", x)
    x = _branches(layers, tower, "image.top", x, (3, 1), group=channels)
    return _activated(layers, tower, layers.squeeze_excite("image.squeeze", x, "relu"))


def _halve(layers: Layers, tower: FastViT, stage: FastStage, name: str, x: str, before: int) -> str:
    """(N, before, h, w) -> (N, W, h / 2, w / 2)."""
    x = _branches(layers, tower, f"{name}.wide", x, (7, 3), stride=2, group=before)
    if stage.squeeze:
        x = layers.squeeze_excite(f"{name}.squeeze", x, "relu")
    x = _activated(layers, tower, x)
    return _activated(layers, tower, _branches(layers, tower, f"{name}.point", x, (1,), identity=True))


def _block(layers: Layers, tower: FastViT, stage: FastStage, name: str, x: str) -> str:
    """x += scale1 mixed; x += scale2 mlp(x): (N, W, h, w) -> (N, W, h, w)."""
    mixed = (_attended if stage.mixer == "attention" else _convolved)(layers, tower, stage.width, name, x)
    x = layers.node("Add", x, layers.node("Mul", mixed, layers.weight(f"{name}.scale1")))
    mapped = _convolution(layers, tower, f"{name}.mlp.depthwise", x, 7, group=stage.width)
    mapped = _activated(layers, tower, layers.convolution(f"{name}.mlp.up", mapped))
    mapped = layers.convolution(f"{name}.mlp.down", mapped)
    return layers.node("Add", x, layers.node("Mul", mapped, layers.weight(f"{name}.scale2")))


def _convolved(layers: Layers, tower: FastViT, width: int, name: str, x: str) -> str:
    mixed = _branches(layers, tower, f"{name}.mixer", x, (3, 1), group=width, identity=True)
    return layers.node("Sub", mixed, layers.batch_norm(f"{name}.norm", x, tower.norm_eps))


def _attended(layers: Layers, tower: FastViT, width: int, name: str, x: str) -> str:
    shape = layers.node("Shape", x)
    is_layer_norm = tower.norm == "layer"
    normed = x if is_layer_norm else layers.batch_norm(f"{name}.norm", x, tower.norm_eps)
    tokens = layers.node("Transpose", layers.node("Reshape", normed, layers.constant([0, width, -1])), perm=[0, 2, 1])
    if is_layer_norm:
        tokens = layers.layer_norm(f"{name}.norm", tokens, tower.norm_eps)
    tokens = layers.attention(f"{name}.attention", tokens, width, width // tower.head_width)  # (N, h w, W)
    return layers.node("Reshape", layers.node("Transpose", tokens, perm=[0, 2, 1]), shape)


def _branches(
    layers: Layers,
    tower: FastViT,
    name: str,
    x: str,
    kernels: tuple[int, ...],
    stride: int = 1,
    group: int = 1,
    identity: bool = False,
) -> str:
    """The sum of normalised convolutions and, with `identity`, the normalised input."""
    terms = [
        _convolution(layers, tower, f"{name}.branches.{index}", x, kernel, stride, group)
        for index, kernel in enumerate(kernels)
    ]
    if identity:
        terms.append(layers.batch_norm(f"{name}.norm", x, tower.norm_eps))
    total = terms[0]
    for term in terms[1:]:
        total = layers.node("Add", total, term)
    return total


def _convolution(
    layers: Layers, tower: FastViT, name: str, x: str, kernel: int, stride: int = 1, group: int = 1
) -> str:
    x = layers.convolution(f"{name}.conv", x, stride, group, pads=(kernel // 2,) * 4)
    return layers.batch_norm(f"{name}.norm", x, tower.norm_eps)


def _activated(layers: Layers, tower: FastViT, x: str) -> str:
    return layers.activation(tower.activation, x)
