"""EfficientNet (Tan and Le 2019) and, without squeeze-and-excite and with ReLU6, EfficientNet-Lite."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from contralto import architecture
from contralto.architecture.towers import Activation
from contralto.model.blocks import ACTIVATIONS, BatchNorm
from contralto.model.heads import head
from contralto.model.initialise import defaults, modules_of, normal, zero_biases


class EfficientNet(nn.Module):
    """Stem, inverted bottlenecks, a last 1x1 convolution (if any), the mean over the cells, head."""

    def __init__(self, spec: architecture.EfficientNet, embedding: int) -> None:
        super().__init__()
        self.activation = ACTIVATIONS[spec.activation]
        self.stem = EfficientNetConvolution(spec, 3, spec.stem, kernel=3, stride=2)
        self.blocks = nn.ModuleList()
        channels = spec.stem
        for stage in spec.stages:
            for repeat in range(stage.repeats):
                self.blocks.append(InvertedBottleneck(spec, stage, channels, stage.stride if repeat == 0 else 1))
                channels = stage.channels
        self.top = EfficientNetConvolution(spec, channels, spec.top, kernel=1) if spec.top else None
        self.head = head(spec.head, spec.features, embedding)

    def forward(self, pixels: Tensor) -> Tensor:
        """pixels (N, 3, h, w), normalised -> embeddings (N, E)."""
        return self.head(self.features(pixels))

    def features(self, pixels: Tensor) -> Tensor:
        """pixels (N, 3, h, w) -> the mean over the cells of the last feature map (N, features)."""
        return self.grid(pixels).mean(dim=(2, 3))

    def grid(self, pixels: Tensor) -> Tensor:
        """pixels (N, 3, h, w) -> the last feature map (N, features, h / 32, w / 32), with the published strides."""
        return self._rest(self.start(pixels, 0), 0)

    def start(self, pixels: Tensor, blocks: int) -> Tensor:
        """pixels (N, 3, h, w) -> the feature map (N, C, ..) after the stem and the first `blocks` blocks."""
        x: Tensor = self.activation(self.stem(pixels))  # (N, stem, h / 2, w / 2)
        for block in self.blocks[:blocks]:
            x = block(x)
        return x

    def finish(self, x: Tensor, blocks: int) -> Tensor:
        """The feature map of `start` with the same number of blocks -> (N, features)."""
        return self._rest(x, blocks).mean(dim=(2, 3))

    def _rest(self, x: Tensor, blocks: int) -> Tensor:
        for block in self.blocks[blocks:]:
            x = block(x)
        return x if self.top is None else self.activation(self.top(x))

    @torch.no_grad()
    def initialise(self, generator: Generator) -> None:
        """Convolutions scaled by their fan-out, without biases (Tan and Le's code)."""
        defaults(self, generator)
        for conv in modules_of(self, nn.Conv2d):
            fan_out = conv.out_channels // conv.groups * math.prod(conv.kernel_size)
            normal(conv.weight, (2 / fan_out) ** 0.5, generator)
        zero_biases(self, nn.Conv2d)
        self.head.initialise(generator)


class InvertedBottleneck(nn.Module):
    """Widens by 1x1, filters each channel, weighs the channels, narrows by 1x1; adds the input if shapes agree."""

    def __init__(self, spec: architecture.EfficientNet, stage: architecture.Stage, channels: int, stride: int) -> None:
        super().__init__()
        self.activation = ACTIVATIONS[spec.activation]
        self.adds_input = stride == 1 and channels == stage.channels
        wide = channels * stage.expand
        self.expand = EfficientNetConvolution(spec, channels, wide, kernel=1) if stage.expand > 1 else None
        self.depthwise = EfficientNetConvolution(spec, wide, wide, stage.kernel, stride, groups=wide)
        # Its units are a fraction of the block's input channels, not of the widened channels that it weighs.
        self.squeeze = SqueezeExcite(wide, channels // spec.squeeze, spec.activation) if spec.squeeze else None
        self.project = EfficientNetConvolution(spec, wide, stage.channels, kernel=1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, h, w) -> (N, stage.channels, h / stride, w / stride)."""
        shortcut = x
        if self.expand is not None:
            x = self.activation(self.expand(x))
        x = self.activation(self.depthwise(x))
        if self.squeeze is not None:
            x = self.squeeze(x)
        x = self.project(x)
        return x + shortcut if self.adds_input else x


class SqueezeExcite(nn.Module):
    """Multiplies each channel by a weight in (0, 1) computed from the means of all channels (Hu et al. 2018)."""

    def __init__(self, channels: int, squeezed: int, activation: Activation) -> None:
        super().__init__()
        self.down = nn.Conv2d(channels, squeezed, 1)
        self.activation = ACTIVATIONS[activation]
        self.up = nn.Conv2d(squeezed, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, h, w) -> (N, C, h, w)."""
        mean = x.mean(dim=(2, 3), keepdim=True)  # (N, C, 1, 1)
        weight: Tensor = self.up(self.activation(self.down(mean)))  # (N, C, 1, 1)
        return x * weight.sigmoid()


class EfficientNetConvolution(nn.Module):
    """A convolution without bias under the tower's padding, then batch normalisation."""

    def __init__(
        self, spec: architecture.EfficientNet, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1
    ) -> None:
        super().__init__()
        self.padding = PADDINGS[spec.padding]
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, groups=groups, bias=False)
        self.norm = BatchNorm(outputs, spec.norm_eps)

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, h, w) -> (N, outputs, h / stride, w / stride), rounded up ("same") or down ("even")."""
        x = self.padding(x, self.conv.kernel_size[0], self.conv.stride[0])
        x = self.norm(self.conv(x))
        return x


def same_padding(x: Tensor, kernel: int, stride: int) -> Tensor:
    """TensorFlow's SAME: zeros around (N, C, h, w) so that ceil(h / stride) windows fit.

    An odd extra row or column of zeros is at the bottom or right.

    With a stride of 2 over an even height the padding is therefore unequal. PyTorch's symmetric padding would shift
    every feature by a pixel and cost published weights most of their accuracy.
    """
    windows = [-(-length // stride) for length in x.shape[2:]]
    totals = [max((w - 1) * stride + kernel - n, 0) for w, n in zip(windows, x.shape[2:], strict=True)]
    return _around(x, *totals)


def even_padding(x: Tensor, kernel: int, stride: int) -> Tensor:
    """Pads any size like SAME for sizes that are multiples of the stride: floor(h / stride) windows fit."""
    total = max(kernel - stride, 0)
    return _around(x, total, total)


PADDINGS = {"same": same_padding, "even": even_padding}


def _around(x: Tensor, rows: int, columns: int) -> Tensor:
    """Pads with `rows` and `columns` zeros in all, half of them before; an odd one is at the bottom or right."""
    return F.pad(x, (columns // 2, columns - columns // 2, rows // 2, rows - rows // 2)) if rows or columns else x
