"""Vision Transformer (Dosovitskiy et al. 2020) as CLIP (Radford et al. 2021), CLIPA (Li et al. 2023) and SigLIP
(Zhai et al. 2023) have it: what differs between them is how the rows become one."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from contralto import architecture
from contralto.model.blocks import MLP, BatchNorm, Block, LayerNorm, attend, head


class ViT(nn.Module):
    """Patches, after a class token where there is one, positions, pre-norm blocks, pool, head."""

    def __init__(self, spec: architecture.ViT, size: tuple[int, int], embedding: int) -> None:
        super().__init__()
        cells = (size[0] // spec.patch) * (size[1] // spec.patch)  # what is left over at the edges is not looked at
        patch = nn.Conv2d(3, spec.width, spec.patch, stride=spec.patch, bias=spec.patch_bias)
        self.patch = ConvolutionStem(spec) if spec.stem == "convolutions" else patch
        self.class_token = nn.Parameter(torch.zeros(spec.width)) if spec.class_token else None
        self.class_position = spec.class_token and spec.class_position
        self.positions = nn.Parameter(torch.zeros(self.class_position + cells, spec.width))
        self.norm_pre = LayerNorm(spec.width, spec.norm_eps) if spec.norm_pre else None
        self.blocks = nn.ModuleList(
            Block(spec.width, spec.heads, spec.mlp, spec.activation, spec.norm_eps) for _ in range(spec.layers)
        )
        self.norm_post = LayerNorm(spec.width, spec.norm_eps)
        self.pool = QueryPool(spec) if spec.pool == "attention" else None
        self.pools_mean = spec.pool == "mean"
        self.head = head(spec.head, spec.width, embedding)

    def forward(self, pixels: Tensor) -> Tensor:
        """pixels (N, 3, h, w), normalised, of the contract's size -> embeddings (N, E)."""
        x: Tensor = self.head(self.features(pixels))
        return x

    def features(self, pixels: Tensor) -> Tensor:
        """pixels (N, 3, h, w) -> the pooled row (N, W)."""
        x: Tensor = self.rows(pixels)  # (N, L, W)
        if self.pool is not None:
            x = self.pool(self.norm_post(x))  # (N, W)
        elif self.pools_mean:
            patches = x if self.class_token is None else x[:, 1:]
            x = self.norm_post(patches.mean(dim=1))
        else:
            x = self.norm_post(x[:, 0])  # row by row, so taking the class token's first is the same
        return x

    def rows(self, pixels: Tensor) -> Tensor:
        """pixels (N, 3, h, w) -> what the last block gives (N, L, W): the class token's row, if any, then the cells."""
        x: Tensor = self.patch(pixels)  # (N, W, h / patch, w / patch)
        x = x.flatten(2).transpose(1, 2)  # (N, cells, W), row by row of the grid
        if not self.class_position:
            x = x + self.positions
        if self.class_token is not None:
            first = self.class_token.to(x.dtype).expand(len(x), 1, -1)  # (N, 1, W)
            x = torch.cat([first, x], dim=1)  # (N, L, W)
        if self.class_position:
            x = x + self.positions
        if self.norm_pre is not None:
            x = self.norm_pre(x)
        for block in self.blocks:
            x = block(x)
        return x


class ConvolutionStem(nn.Module):
    """Patches in three steps (MobileCLIP-B): three convolutions without overlap, batch norm and GELU between."""

    def __init__(self, spec: architecture.ViT) -> None:
        super().__init__()
        narrow, first = spec.width // 4, spec.patch // 4
        self.conv1 = nn.Conv2d(3, narrow, first, stride=first, bias=False)
        self.norm1 = BatchNorm(narrow)
        self.conv2 = nn.Conv2d(narrow, narrow, 2, stride=2, bias=False)
        self.norm2 = BatchNorm(narrow)
        self.conv3 = nn.Conv2d(narrow, spec.width, 2, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        """pixels (N, 3, h, w) -> (N, W, h / patch, w / patch)."""
        x = F.gelu(self.norm1(self.conv1(x)))
        x = F.gelu(self.norm2(self.conv2(x)))
        x = self.conv3(x)
        return x


class QueryPool(nn.Module):
    """SigLIP's "MAP head": one learned query attends to all rows; an MLP corrects the answer: x += mlp(norm(x))."""

    def __init__(self, spec: architecture.ViT) -> None:
        super().__init__()
        self.heads = spec.heads
        self.query = nn.Parameter(torch.zeros(spec.width))
        self.q = nn.Linear(spec.width, spec.width)
        self.k = nn.Linear(spec.width, spec.width)
        self.v = nn.Linear(spec.width, spec.width)
        self.out = nn.Linear(spec.width, spec.width)
        self.norm = LayerNorm(spec.width, spec.norm_eps)
        self.mlp = MLP(spec.width, spec.mlp, spec.activation)

    def forward(self, x: Tensor) -> Tensor:
        """(N, L, W) -> (N, W)."""
        q = self.q(self.query.to(x.dtype)).expand(len(x), 1, -1)  # (N, 1, W), the same for all
        x = attend(q, self.k(x), self.v(x), self.heads)  # (N, 1, W)
        x = self.out(x[:, 0])  # (N, W)
        x = x + self.mlp(self.norm(x))
        return x
