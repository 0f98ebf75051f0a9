"""The Vision Transformer as a graph; mirrors contralto.model.vit."""

from __future__ import annotations

from contralto.architecture import ViT
from contralto.engine.graph.layers import Layers


def vit(layers: Layers, tower: ViT, pixels: str) -> str:
    """pixels (N, 3, h, w) -> embeddings (N, E)."""
    x = layers.convolution("image.patch", pixels, stride=tower.patch)  # (N, W, rows, columns)
    x = layers.node("Reshape", x, layers.constant([0, tower.width, -1]))
    x = layers.node("Transpose", x, perm=[0, 2, 1])  # (N, grid, W)
    x = layers.node("Concat", _class_tokens(layers, tower, pixels), x, axis=1)
    x = layers.node("Add", x, layers.weight("image.positions"))  # (N, 1 + grid, W)
    x = layers.layer_norm("image.norm_pre", x, tower.norm_eps)
    for n in range(tower.layers):
        x = layers.block(f"image.blocks.{n}", x, tower.width, tower.heads, tower.activation, tower.norm_eps)
    x = layers.node("Gather", x, layers.constant(0), axis=1)  # (N, W)
    return layers.head("image.head", tower.head, layers.layer_norm("image.norm_post", x, tower.norm_eps))


def _class_tokens(layers: Layers, tower: ViT, pixels: str) -> str:
    """The class token once for each picture (N, 1, W)."""
    count = layers.node("Shape", pixels, start=0, end=1)
    shape = layers.node("Concat", count, layers.constant([1, tower.width]), axis=0)
    return layers.node("Expand", layers.weight("image.class_token"), shape)
