"""ConvNeXt (Liu et al. 2022)."""

from __future__ import annotations

import torch
from torch import Generator, Tensor, nn

from contralto import architecture
from contralto.model.blocks import MLP, LayerNorm
from contralto.model.heads import head
from contralto.model.initialise import defaults, normal


class ConvNeXt(nn.Module):
    """Patches of 4 x 4, four stages, the mean over the cells, LayerNorm, head. LayerNorms are over the channels."""

    def __init__(self, spec: architecture.ConvNeXt, embedding: int) -> None:
        super().__init__()
        self.stem = nn.ModuleDict(
            {"conv": nn.Conv2d(3, spec.widths[0], 4, stride=4), "norm": LayerNorm(spec.widths[0], spec.norm_eps)}
        )
        self.stages = nn.ModuleList(ConvNeXtStage(spec, index) for index in range(4))
        self.norm_post = LayerNorm(spec.features, spec.norm_eps)
        self.head = head(spec.head, spec.features, embedding)

    def forward(self, pixels: Tensor) -> Tensor:
        """pixels (N, 3, h, w), normalised -> embeddings (N, E)."""
        return self.head(self.features(pixels))

    def features(self, pixels: Tensor) -> Tensor:
        """pixels (N, 3, h, w) -> the normalised mean over the cells of the last feature map (N, W)."""
        x: Tensor = self.norm_post(self.grid(pixels).mean(dim=(2, 3)))
        return x

    def grid(self, pixels: Tensor) -> Tensor:
        """pixels (N, 3, h, w) -> the last feature map (N, W, h / 32, w / 32)."""
        x: Tensor = over_channels(self.stem["norm"], self.stem["conv"](pixels))  # (N, C, h / 4, w / 4)
        for stage in self.stages:
            x = stage(x)
        return x

    @torch.no_grad()
    def initialise(self, generator: Generator) -> None:
        """Every weight has a standard deviation of 0.02, no biases; blocks start close to zero (Liu et al.'s code)."""
        defaults(self, generator)
        for layer in self.modules():
            if isinstance(layer, nn.Linear | nn.Conv2d):
                normal(layer.weight, 0.02, generator)
                if layer.bias is not None:
                    layer.bias.zero_()
            elif isinstance(layer, ConvNeXtBlock):
                layer.scale.fill_(1e-6)
        self.head.initialise(generator)


class ConvNeXtStage(nn.Module):
    """Halves height and width (not in the first stage), then the blocks."""

    def __init__(self, spec: architecture.ConvNeXt, index: int) -> None:
        super().__init__()
        width = spec.widths[index]
        self.halve: nn.ModuleDict | None = None
        if index:
            before = spec.widths[index - 1]
            parts = {"norm": LayerNorm(before, spec.norm_eps), "conv": nn.Conv2d(before, width, 2, stride=2)}
            self.halve = nn.ModuleDict(parts)
        self.blocks = nn.ModuleList(ConvNeXtBlock(width, spec) for _ in range(spec.layers[index]))

    def forward(self, x: Tensor) -> Tensor:
        """(N, before, h, w) -> (N, C, h / 2, w / 2); the first stage keeps h and w."""
        if self.halve is not None:
            x = self.halve["conv"](over_channels(self.halve["norm"], x))
        for block in self.blocks:
            x = block(x)
        return x


class ConvNeXtBlock(nn.Module):
    """x += scale * mlp(norm(depthwise(x))), the MLP and the norm over the channels of each cell."""

    def __init__(self, width: int, spec: architecture.ConvNeXt) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(width, width, 7, padding=3, groups=width)
        self.norm = LayerNorm(width, spec.norm_eps)
        self.mlp = MLP(width, 4 * width, spec.activation)
        self.scale = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, h, w) -> (N, C, h, w)."""
        y: Tensor = self.depthwise(x).permute(0, 2, 3, 1)  # (N, h, w, C)
        y = self.scale * self.mlp(self.norm(y))
        return x + y.permute(0, 3, 1, 2)


def over_channels(norm: nn.Module, x: Tensor) -> Tensor:
    """Applies a LayerNorm to the channels of each cell of (N, C, h, w)."""
    y: Tensor = norm(x.permute(0, 2, 3, 1))
    return y.permute(0, 3, 1, 2)
