"""OWL-ViT (Minderer et al. 2022) and OWLv2 (Minderer et al. 2023): a ViT whose cells say what is there and where."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from contralto import architecture
from contralto.contract import Detector
from contralto.errors import ContraltoError
from contralto.model.blocks import LayerNorm
from contralto.model.vit import ViT


class DetectingViT(ViT):
    """A ViT with the heads of a detector. It gives cells, and no embedding of the whole picture."""

    def __init__(self, spec: architecture.ViT, size: tuple[int, int], embedding: int, heads: Detector) -> None:
        super().__init__(spec, size, embedding)
        self.detector = DetectorHeads(spec, embedding, heads)

    def forward(self, pixels: Tensor) -> Tensor:
        """The same as `grid`."""
        return self.grid(pixels)

    def features(self, pixels: Tensor) -> Tensor:
        """Raises ContraltoError: nothing is pooled."""
        raise ContraltoError("a detector has no features of whole pictures: use its grid")

    def grid(self, pixels: Tensor) -> Tensor:
        """pixels (N, 3, h, w) -> raw cells (N, L, E + 6), or E + 7 with objectness; see `DetectorHeads`."""
        x: Tensor = self.blocks[-1](super().grid(pixels))
        x = self.detector(self.norm_post(x))
        return x


class DetectorHeads(nn.Module):
    """The class token times each cell; then a row to compare with texts, its shift and scale, a box, objectness."""

    def __init__(self, tower: architecture.ViT, embedding: int, spec: Detector) -> None:
        super().__init__()
        self.norm = LayerNorm(tower.width, tower.norm_eps)
        self.row = nn.Linear(tower.width, embedding)
        self.shift = nn.Linear(tower.width, 1)
        self.scale = nn.Linear(tower.width, 1)
        self.box = HeadMLP(tower.width, 4)
        self.objectness = HeadMLP(tower.width, 1) if spec.objectness else None

    def forward(self, x: Tensor) -> Tensor:
        """Normed tokens (N, 1 + L, W) -> (N, L, E + 6), or E + 7: row, shift, scale, raw box (4), raw objectness."""
        x = self.norm(x[:, 1:] * x[:, :1])  # (N, L, W)
        outputs = [self.row(x), self.shift(x), self.scale(x), self.box(x)]
        if self.objectness is not None:
            outputs.append(self.objectness(x))
        return torch.cat(outputs, dim=-1)


class HeadMLP(nn.ModuleList):
    """Three linear maps with GELU between."""

    def __init__(self, width: int, outputs: int) -> None:
        super().__init__([nn.Linear(width, width), nn.Linear(width, width), nn.Linear(width, outputs)])

    def forward(self, x: Tensor) -> Tensor:
        """(..., W) -> (..., outputs)."""
        first, second, last = self
        x = last(F.gelu(second(F.gelu(first(x)))))
        return x
