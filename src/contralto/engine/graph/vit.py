"""The Vision Transformer as a graph; mirrors contralto.model.vit."""

from __future__ import annotations

from contralto.architecture import ViT
from contralto.engine.graph.layers import Layers

STEM_EPS = 1e-5
SLICE_END = 2**63 - 1  # the end of an axis of any length


def vit(layers: Layers, tower: ViT, pixels: str, size: tuple[int, int]) -> str:
    """pixels (N, 3, h, w), size = (h, w) -> embeddings (N, E)."""

    def first(x: str) -> str:
        return layers.node("Gather", x, layers.constant([0]), axis=1)  # (N, 1, W)

    x = vit_grid(layers, tower, pixels, size)
    if tower.pool == "class":
        x = layers.block(f"image.blocks.{tower.layers - 1}", x, tower, pick=first)
    return layers.head("image.head", tower.head, _pool(layers, tower, x))


def vit_grid(layers: Layers, tower: ViT, pixels: str, size: tuple[int, int]) -> str:
    """pixels (N, 3, h, w), size = (h, w) -> tokens (N, L, W).

    They are what the last block reads, with its prompts, if the tower pools by the class token; else what it gives,
    without prompts.
    """
    x = (
        layers.patches("image.patch", pixels, size, tower.patch)
        if tower.stem == "patch"
        else _stem(layers, tower, pixels)
    )
    if not tower.class_position:
        x = layers.node("Add", x, layers.weight("image.positions"))
    if tower.class_token:
        x = layers.node("Concat", _for_each(layers, "image.class_token", tower, x), x, axis=1)  # (N, L, W)
    if tower.class_position:
        x = layers.node("Add", x, layers.weight("image.positions"))
    if tower.norm_pre:
        x = layers.layer_norm("image.norm_pre", x, tower.norm_eps)
    for n in range(tower.layers):
        x = _prompted(layers, tower, x, n)
        if tower.pool == "class" and n == tower.layers - 1:
            return x
        x = layers.block(f"image.blocks.{n}", x, tower)
    if not tower.prompts:
        return x
    first = 1 if tower.class_token else 0
    patches = _tokens(layers, x, first + tower.prompts)
    return layers.node("Concat", _tokens(layers, x, 0, 1), patches, axis=1) if first else patches


def _stem(layers: Layers, tower: ViT, pixels: str) -> str:
    """Three convolutions: pixels (N, 3, h, w) -> patch tokens (N, L, W)."""
    x = pixels
    for n, stride in ((1, tower.patch // 4), (2, 2)):
        x = layers.batch_norm(f"image.patch.norm{n}", layers.convolution(f"image.patch.conv{n}", x, stride), STEM_EPS)
        x = layers.activation("gelu", x)
    x = layers.convolution("image.patch.conv3", x, stride=2)  # (N, W, rows, columns)
    return layers.node("Transpose", layers.node("Reshape", x, layers.constant([0, tower.width, -1])), perm=[0, 2, 1])


def _for_each(layers: Layers, name: str, tower: ViT, x: str) -> str:
    """A learned token (W,), repeated for each picture in x (N, ...) -> (N, 1, W)."""
    count = layers.node("Shape", x, start=0, end=1)
    shape = layers.node("Concat", count, layers.constant([1, tower.width]), axis=0)
    return layers.node("Expand", layers.weight(name), shape)


def _prompted(layers: Layers, tower: ViT, x: str, block: int) -> str:
    """The tokens (N, L, W) that a block reads: with its own vectors, if it has some, and without the earlier ones."""
    if block >= tower.prompt_depth:
        return x
    first = 1 if tower.class_token else 0
    count = layers.node("Shape", x, start=0, end=1)
    shape = layers.node("Concat", count, layers.constant([tower.prompts, tower.width]), axis=0)
    vectors = layers.node("Gather", layers.weight("image.prompts"), layers.constant(block), axis=0)  # (P, W)
    parts = [layers.node("Expand", vectors, shape), _tokens(layers, x, first + (tower.prompts if block else 0))]
    return layers.node("Concat", *([_tokens(layers, x, 0, 1)] if first else []), *parts, axis=1)


def _tokens(layers: Layers, x: str, start: int, end: int = SLICE_END) -> str:
    """The tokens from `start` to before `end` of (N, L, W)."""
    return layers.node("Slice", x, layers.constant([start]), layers.constant([end]), layers.constant([1]))


def _pool(layers: Layers, tower: ViT, x: str) -> str:
    """(N, L, W) -> (N, W), normalised before the attention pool, and after the others."""
    if tower.pool == "attention":
        return _query_pool(layers, tower, layers.layer_norm("image.norm_post", x, tower.norm_eps))
    if tower.pool == "mean":
        if tower.class_token:
            x = _tokens(layers, x, 1)  # the patches
        x = layers.node("ReduceMean", x, layers.constant([1]), keepdims=0)
    else:
        x = layers.node("Gather", x, layers.constant(0), axis=1)
    return layers.layer_norm("image.norm_post", x, tower.norm_eps)


def _query_pool(layers: Layers, tower: ViT, x: str) -> str:
    """(N, L, W) -> (N, W): a learned query attends to all tokens; an MLP refines the result."""
    # The query is the same for all pictures, but OpenVINO 2026.4 cannot compile an int8 layer whose input is constant.
    q = layers.linear("image.pool.q", _for_each(layers, "image.pool.query", tower, x))  # (N, 1, W)
    k, v = layers.linear("image.pool.k", x), layers.linear("image.pool.v", x)
    x = layers.attend(q, k, v, tower.width, tower.heads)  # (N, 1, W)
    x = layers.linear("image.pool.out", layers.node("Squeeze", x, layers.constant([1])))  # (N, W)
    mapped = layers.mlp("image.pool.mlp", layers.layer_norm("image.pool.norm", x, tower.norm_eps), tower.activation)
    return layers.node("Add", x, mapped)
