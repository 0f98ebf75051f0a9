"""EfficientNet (Tan and Le 2019) and, without squeeze-and-excite and with ReLU6, EfficientNet-Lite."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from contralto import architecture
from contralto.architecture.towers import Activation
from contralto.model.blocks import ACTIVATIONS, BatchNorm, head


class EfficientNet(nn.Module):
    """Stem, inverted bottlenecks, a last 1x1 convolution, the mean over the cells, head."""

    def __init__(self, spec: architecture.EfficientNet, embedding: int) -> None:
        super().__init__()
        self.activation = ACTIVATIONS[spec.activation]
        self.stem = Convolution(3, spec.stem, kernel=3, stride=2, eps=spec.norm_eps)
        self.blocks = nn.ModuleList()
        channels = spec.stem
        for stage in spec.stages:
            for repeat in range(stage.repeats):
                self.blocks.append(InvertedBottleneck(spec, stage, channels, stage.stride if repeat == 0 else 1))
                channels = stage.channels
        self.top = Convolution(channels, spec.top, kernel=1, eps=spec.norm_eps)
        self.head = head(spec.head, spec.top, embedding)

    def forward(self, pixels: Tensor) -> Tensor:
        """pixels (N, 3, h, w), normalised -> embeddings (N, E)."""
        x: Tensor = self.head(self.features(pixels))
        return x

    def features(self, pixels: Tensor) -> Tensor:
        """pixels (N, 3, h, w) -> the mean over the cells of the last feature map (N, top)."""
        x = self.activation(self.stem(pixels))  # (N, stem, h / 2, w / 2)
        for block in self.blocks:
            x = block(x)
        x = self.activation(self.top(x))  # (N, top, h / 32, w / 32) with the published strides
        return x.mean(dim=(2, 3))


class InvertedBottleneck(nn.Module):
    """Widen by 1x1, filter each channel alone, weigh the channels, narrow by 1x1; the input is added where it fits."""

    def __init__(self, spec: architecture.EfficientNet, stage: architecture.Stage, channels: int, stride: int) -> None:
        super().__init__()
        self.activation = ACTIVATIONS[spec.activation]
        self.adds_input = stride == 1 and channels == stage.channels
        wide, eps = channels * stage.expand, spec.norm_eps
        self.expand = Convolution(channels, wide, kernel=1, eps=eps) if stage.expand > 1 else None
        self.depthwise = Convolution(wide, wide, stage.kernel, stride, groups=wide, eps=eps)
        # The squeeze is a share of the block's input, not of the widened channels that it weighs.
        self.squeeze = SqueezeExcite(wide, channels // spec.squeeze, spec.activation) if spec.squeeze else None
        self.project = Convolution(wide, stage.channels, kernel=1, eps=eps)

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


class Convolution(nn.Module):
    """A convolution without bias under TensorFlow's SAME padding, then batch normalisation."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1, *, eps: float) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, groups=groups, bias=False)
        self.norm = BatchNorm(outputs, eps)

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, h, w) -> (N, outputs, ceil(h / stride), ceil(w / stride))."""
        x = same_padding(x, self.conv.kernel_size[0], self.conv.stride[0])
        x = self.norm(self.conv(x))
        return x


def same_padding(x: Tensor, kernel: int, stride: int) -> Tensor:
    """Zeros around (N, C, h, w) so that ceil(h / stride) windows fit: an odd one goes below and to the right.

    A stride of 2 over an even side therefore pads unequally, unlike PyTorch's symmetric padding, which would shift
    every feature by a pixel and cost published weights most of their accuracy.
    """
    (top, bottom), (left, right) = (_around(side, kernel, stride) for side in x.shape[2:])
    return F.pad(x, (left, right, top, bottom)) if kernel > 1 else x


def _around(side: int, kernel: int, stride: int) -> tuple[int, int]:
    windows = -(-side // stride)
    total = max((windows - 1) * stride + kernel - side, 0)
    return total // 2, total - total // 2
