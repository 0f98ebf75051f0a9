"""CLIP's modified ResNet as a graph; mirrors contralto.model.resnet."""

from __future__ import annotations

from contralto.architecture import ResNet
from contralto.engine.graph.layers import Layers

RESNET_EPS = 1e-5


def resnet(layers: Layers, tower: ResNet, pixels: str) -> str:
    """pixels (N, 3, h, w) -> embeddings (N, E)."""
    return _attention_pool(layers, tower, resnet_grid(layers, tower, pixels))


def resnet_grid(layers: Layers, tower: ResNet, pixels: str) -> str:
    """pixels (N, 3, h, w) -> the map that the attention pool reads (N, C, h / 32, w / 32)."""
    x = _convolution(layers, "image.stem", 1, pixels, stride=2, pad=1)
    x = _convolution(layers, "image.stem", 2, x, pad=1)
    x = _pool(layers, _convolution(layers, "image.stem", 3, x, pad=1))  # (N, width, h / 4, w / 4)
    for stage, repeats in enumerate(tower.layers):
        for repeat in range(repeats):
            x = _bottleneck(layers, f"image.stages.{stage}.{repeat}", x, first=repeat == 0, halves=stage > 0)
    return x


def _bottleneck(layers: Layers, name: str, x: str, first: bool, halves: bool) -> str:
    """Convolutions 1x1, 3x3, 1x1. If `first` and `halves`, an average pool before the third one halves the size."""
    shortcut = x
    x = _convolution(layers, name, 1, x)
    x = _convolution(layers, name, 2, x, pad=1)
    if first and halves:
        x, shortcut = _pool(layers, x), _pool(layers, shortcut)
    x = layers.batch_norm(f"{name}.norm3", layers.convolution(f"{name}.conv3", x), RESNET_EPS)
    if first:
        shortcut = layers.convolution(f"{name}.shortcut.conv", shortcut)
        shortcut = layers.batch_norm(f"{name}.shortcut.norm", shortcut, RESNET_EPS)
    return layers.node("Relu", layers.node("Add", x, shortcut))


def _attention_pool(layers: Layers, tower: ResNet, x: str) -> str:
    """(N, C, h, w) -> (N, E): the mean of the cells is the query; the mean and all cells are keys and values."""
    channels = 32 * tower.width
    x = layers.node("Reshape", x, layers.constant([0, channels, -1]))
    x = layers.node("Transpose", x, perm=[0, 2, 1])  # (N, grid, C)
    mean = layers.node("ReduceMean", x, layers.constant([1]), keepdims=1)
    x = layers.node("Concat", mean, x, axis=1)
    x = layers.node("Add", x, layers.weight("image.pool.positions"))  # (N, 1 + grid, C)
    query = layers.node("Gather", x, layers.constant([0]), axis=1)  # (N, 1, C)
    q = layers.linear("image.pool.q", query)
    k, v = layers.linear("image.pool.k", x), layers.linear("image.pool.v", x)
    x = layers.attend(q, k, v, channels, tower.heads)  # (N, 1, C)
    return layers.linear("image.pool.out", layers.node("Squeeze", x, layers.constant([1])))


def _convolution(layers: Layers, name: str, index: int, x: str, stride: int = 1, pad: int = 0) -> str:
    """Convolution, batch normalisation, ReLU."""
    x = layers.convolution(f"{name}.conv{index}", x, stride, pads=(pad,) * 4)
    return layers.node("Relu", layers.batch_norm(f"{name}.norm{index}", x, RESNET_EPS))


def _pool(layers: Layers, x: str) -> str:
    return layers.node("AveragePool", x, kernel_shape=[2, 2], strides=[2, 2])
