"""ConvNeXt as a graph; mirrors contralto.model.convnext."""

from __future__ import annotations

from contralto.architecture import ConvNeXt
from contralto.engine.graph.layers import Layers


def convnext(layers: Layers, tower: ConvNeXt, pixels: str) -> str:
    """pixels (N, 3, h, w) -> embeddings (N, E)."""
    x = layers.node("ReduceMean", convnext_grid(layers, tower, pixels), layers.constant([2, 3]), keepdims=0)  # (N, W)
    return layers.head("image.head", tower.head, layers.layer_norm("image.norm_post", x, tower.norm_eps))


def convnext_grid(layers: Layers, tower: ConvNeXt, pixels: str) -> str:
    """pixels (N, 3, h, w) -> the map before the mean (N, W, h / 32, w / 32)."""
    x = _channels_last(layers, layers.convolution("image.stem.conv", pixels, stride=4))
    x = _channels_first(layers, layers.layer_norm("image.stem.norm", x, tower.norm_eps))  # (N, C, h / 4, w / 4)
    for stage, (depth, width) in enumerate(zip(tower.layers, tower.widths, strict=True)):
        name = f"image.stages.{stage}"
        if stage:
            normed = layers.layer_norm(f"{name}.halve.norm", _channels_last(layers, x), tower.norm_eps)
            x = layers.convolution(f"{name}.halve.conv", _channels_first(layers, normed), stride=2)
        for layer in range(depth):
            x = _block(layers, tower, f"{name}.blocks.{layer}", x, width)
    return x


def _block(layers: Layers, tower: ConvNeXt, name: str, x: str, width: int) -> str:
    y = _channels_last(layers, layers.convolution(f"{name}.depthwise", x, group=width, pads=(3, 3, 3, 3)))
    y = layers.mlp(f"{name}.mlp", layers.layer_norm(f"{name}.norm", y, tower.norm_eps), tower.activation)
    y = layers.node("Mul", y, layers.weight(f"{name}.scale"))
    return layers.node("Add", x, _channels_first(layers, y))


def _channels_last(layers: Layers, x: str) -> str:
    """(N, C, h, w) -> (N, h, w, C)."""
    return layers.node("Transpose", x, perm=[0, 2, 3, 1])


def _channels_first(layers: Layers, x: str) -> str:
    """(N, h, w, C) -> (N, C, h, w)."""
    return layers.node("Transpose", x, perm=[0, 3, 1, 2])
