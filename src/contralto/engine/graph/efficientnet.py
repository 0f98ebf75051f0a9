"""EfficientNet as a graph; mirrors contralto.model.efficientnet."""

from __future__ import annotations

from contralto.architecture import EfficientNet
from contralto.engine.graph.layers import Layers

Size = tuple[int, int]


def efficientnet(layers: Layers, tower: EfficientNet, pixels: str, size: Size) -> str:
    """pixels (N, 3, h, w), size = (h, w) -> embeddings (N, E)."""
    x = layers.node("ReduceMean", efficientnet_grid(layers, tower, pixels, size), layers.constant([2, 3]), keepdims=0)
    return layers.head("image.head", tower.head, x)


def efficientnet_grid(layers: Layers, tower: EfficientNet, pixels: str, size: Size) -> str:
    """pixels (N, 3, h, w), size = (h, w) -> the map before the mean (N, features, h', w')."""
    x, size = _convolution(layers, tower, "image.stem", pixels, size, kernel=3, stride=2)
    x = layers.activation(tower.activation, x)
    channels, index = tower.stem, 0
    for stage in tower.stages:
        for repeat in range(stage.repeats):
            stride = stage.stride if repeat == 0 else 1
            name, shortcut, wide = f"image.blocks.{index}", x, channels * stage.expand
            if stage.expand > 1:
                x, size = _convolution(layers, tower, f"{name}.expand", x, size)
                x = layers.activation(tower.activation, x)
            x, size = _convolution(layers, tower, f"{name}.depthwise", x, size, stage.kernel, stride, group=wide)
            x = layers.activation(tower.activation, x)
            if tower.squeeze:
                x = layers.squeeze_excite(f"{name}.squeeze", x, tower.activation)
            x, size = _convolution(layers, tower, f"{name}.project", x, size)
            if stride == 1 and channels == stage.channels:
                x = layers.node("Add", x, shortcut)
            channels, index = stage.channels, index + 1
    if tower.top:
        x, size = _convolution(layers, tower, "image.top", x, size)
        x = layers.activation(tower.activation, x)
    return x


def _convolution(
    layers: Layers, tower: EfficientNet, name: str, x: str, size: Size, kernel: int = 1, stride: int = 1, group: int = 1
) -> tuple[str, Size]:
    """Convolution and batch normalisation, padded as the tower states.

    If the number of zeros is odd, the extra one is at the bottom or right.
    """
    if tower.padding == "same":
        result = (-(-size[0] // stride), -(-size[1] // stride))
        totals = [max((r - 1) * stride + kernel - s, 0) for s, r in zip(size, result, strict=True)]
    else:
        result = (size[0] // stride, size[1] // stride)
        totals = [max(kernel - stride, 0)] * 2
    top, left = (total // 2 for total in totals)
    pads = (top, left, totals[0] - top, totals[1] - left)
    x = layers.convolution(f"{name}.conv", x, stride, group, pads)
    return layers.batch_norm(f"{name}.norm", x, tower.norm_eps), result
