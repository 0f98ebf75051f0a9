"""Vision Transformer with a class token, as in CLIP (Radford et al. 2021, after Dosovitskiy et al. 2020)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from contralto import architecture
from contralto.model.blocks import Block, LayerNorm, head


class ViT(nn.Module):
    """Patches and a class token, positions, LayerNorm, pre-norm blocks, LayerNorm on the class token, head."""

    def __init__(self, spec: architecture.ViT, size: tuple[int, int], embedding: int) -> None:
        super().__init__()
        cells = (size[0] // spec.patch) * (size[1] // spec.patch)
        self.patch = nn.Conv2d(3, spec.width, spec.patch, stride=spec.patch, bias=False)
        self.class_token = nn.Parameter(torch.zeros(spec.width))
        self.positions = nn.Parameter(torch.zeros(1 + cells, spec.width))
        self.norm_pre = LayerNorm(spec.width, spec.norm_eps)
        self.blocks = nn.ModuleList(
            Block(spec.width, spec.heads, spec.mlp, spec.activation, spec.norm_eps) for _ in range(spec.layers)
        )
        self.norm_post = LayerNorm(spec.width, spec.norm_eps)
        self.head = head(spec.head, spec.width, embedding)

    def forward(self, pixels: Tensor) -> Tensor:
        """pixels (N, 3, h, w), normalised, of the contract's size -> embeddings (N, E)."""
        x: Tensor = self.head(self.features(pixels))
        return x

    def features(self, pixels: Tensor) -> Tensor:
        """pixels (N, 3, h, w) -> the normalised row of the class token (N, W)."""
        x: Tensor = self.patch(pixels)  # (N, W, h / patch, w / patch)
        x = x.flatten(2).transpose(1, 2)  # (N, cells, W), row by row of the grid
        first = self.class_token.to(x.dtype).expand(len(x), 1, -1)  # (N, 1, W)
        x = torch.cat([first, x], dim=1) + self.positions  # (N, 1 + cells, W)
        x = self.norm_pre(x)
        for block in self.blocks:
            x = block(x)
        x = self.norm_post(x[:, 0])  # (N, W)
        return x
