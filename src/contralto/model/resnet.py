"""CLIP's modified ResNet (Radford et al. 2021): three-convolution stem, strides by averaging, attention pool.

Averaging before every second cell is dropped keeps high frequencies from aliasing into low ones (Zhang 2019); a
strided convolution does not.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from contralto import architecture
from contralto.model.blocks import BatchNorm, attend
from contralto.model.initialise import defaults, modules_of, normal

EXPANSION = 4  # a bottleneck's output has this many times the channels of its 3x3 convolution


class ResNet(nn.Module):
    """Stem, four stages of bottlenecks, attention pool. The pool's output projection makes the embedding."""

    def __init__(self, spec: architecture.ResNet, size: tuple[int, int], embedding: int) -> None:
        super().__init__()
        self.stem = Stem(spec.width)
        self.stages = nn.ModuleList()
        channels = spec.width
        for number, layers in enumerate(spec.layers):
            middle = spec.width * 2**number
            stage = nn.Sequential()
            for layer in range(layers):
                stage.append(Bottleneck(channels, middle, stride=2 if number > 0 and layer == 0 else 1))
                channels = EXPANSION * middle
            self.stages.append(stage)
        cells = (size[0] // spec.cell) * (size[1] // spec.cell)
        self.pool = AttentionPool(cells, channels, spec.heads, embedding)

    def forward(self, pixels: Tensor) -> Tensor:
        """pixels (N, 3, h, w), normalised, of the contract's size -> embeddings (N, E)."""
        x: Tensor = self.pool(self.grid(pixels))
        return x

    def grid(self, pixels: Tensor) -> Tensor:
        """pixels (N, 3, h, w) -> the map that the pool reads (N, 32 width, h / 32, w / 32)."""
        x: Tensor = self.stem(pixels)  # (N, width, h / 4, w / 4)
        for stage in self.stages:
            x = stage(x)
        return x

    def features(self, pixels: Tensor) -> Tensor:
        """The embeddings (N, E) themselves: no head follows the pool."""
        return self.forward(pixels)

    @torch.no_grad()
    def initialise(self, generator: Generator) -> None:
        """Bottlenecks start as their shortcut (their last gain is 0); the pool is scaled by its channels."""
        defaults(self, generator)
        for block in modules_of(self, Bottleneck):
            block.norm3.weight.zero_()
        for pool in modules_of(self, AttentionPool):
            std = pool.positions.shape[1] ** -0.5
            for weight in (pool.positions, pool.q.weight, pool.k.weight, pool.v.weight, pool.out.weight):
                normal(weight, std, generator)


class Stem(nn.Module):
    """Three 3x3 convolutions, the first with stride 2, then an average pool of 2: 4 times smaller."""

    def __init__(self, width: int) -> None:
        super().__init__()
        half = width // 2
        self.conv1, self.norm1 = nn.Conv2d(3, half, 3, stride=2, padding=1, bias=False), BatchNorm(half)
        self.conv2, self.norm2 = nn.Conv2d(half, half, 3, padding=1, bias=False), BatchNorm(half)
        self.conv3, self.norm3 = nn.Conv2d(half, width, 3, padding=1, bias=False), BatchNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, h, w) -> (N, width, h / 4, w / 4)."""
        x = F.relu(self.norm1(self.conv1(x)))
        x = F.relu(self.norm2(self.conv2(x)))
        x = F.relu(self.norm3(self.conv3(x)))
        return F.avg_pool2d(x, 2)


class Bottleneck(nn.Module):
    """Narrows by 1x1, filters by 3x3, averages over the stride, widens by 1x1, adds the shortcut."""

    def __init__(self, channels: int, middle: int, stride: int) -> None:
        super().__init__()
        wide = EXPANSION * middle
        self.stride = stride
        self.conv1, self.norm1 = nn.Conv2d(channels, middle, 1, bias=False), BatchNorm(middle)
        self.conv2, self.norm2 = nn.Conv2d(middle, middle, 3, padding=1, bias=False), BatchNorm(middle)
        self.conv3, self.norm3 = nn.Conv2d(middle, wide, 1, bias=False), BatchNorm(wide)
        self.shortcut = Shortcut(channels, wide, stride) if stride > 1 or channels != wide else None

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels, h, w) -> (N, 4 middle, h / stride, w / stride)."""
        shortcut = x if self.shortcut is None else self.shortcut(x)
        x = F.relu(self.norm1(self.conv1(x)))
        x = F.relu(self.norm2(self.conv2(x)))
        x = F.avg_pool2d(x, self.stride) if self.stride > 1 else x
        x = self.norm3(self.conv3(x))
        return F.relu(x + shortcut)


class Shortcut(nn.Module):
    """The input of a bottleneck brought to the shape of its output: average pool, 1x1 convolution."""

    def __init__(self, channels: int, wide: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.conv, self.norm = nn.Conv2d(channels, wide, 1, bias=False), BatchNorm(wide)

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels, h, w) -> (N, wide, h / stride, w / stride)."""
        x = F.avg_pool2d(x, self.stride) if self.stride > 1 else x
        x = self.norm(self.conv(x))
        return x


class AttentionPool(nn.Module):
    """One attention layer with the mean of all cells as its only query; its projected output is the embedding."""

    def __init__(self, cells: int, channels: int, heads: int, embedding: int) -> None:
        super().__init__()
        self.heads = heads
        self.positions = nn.Parameter(torch.zeros(1 + cells, channels))
        self.q = nn.Linear(channels, channels)
        self.k = nn.Linear(channels, channels)
        self.v = nn.Linear(channels, channels)
        self.out = nn.Linear(channels, embedding)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, h, w) -> (N, E)."""
        x = x.flatten(2).transpose(1, 2)  # (N, cells, C)
        x = torch.cat([x.mean(dim=1, keepdim=True), x], dim=1) + self.positions  # (N, 1 + cells, C)
        x = attend(self.q(x[:, :1]), self.k(x), self.v(x), self.heads)  # (N, 1, C)
        x = self.out(x[:, 0])  # (N, E)
        return x
