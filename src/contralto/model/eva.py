"""EVA-02's Vision Transformer in EVA-CLIP (Fang et al. 2023, Sun et al. 2023)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from contralto import architecture
from contralto.model.blocks import LayerNorm
from contralto.model.heads import head
from contralto.model.initialise import defaults, modules_of, normal, zero_biases

TEMPERATURE = 10_000  # of the rotary frequencies


class Eva(nn.Module):
    """Patches, class token, learned positions, blocks with rotary positions, LayerNorm on the class token, head."""

    def __init__(self, spec: architecture.Eva, size: tuple[int, int], embedding: int) -> None:
        super().__init__()
        rows, columns = size[0] // spec.patch, size[1] // spec.patch
        self.patch = nn.Conv2d(3, spec.width, spec.patch, stride=spec.patch)
        self.class_token = nn.Parameter(torch.zeros(spec.width))
        self.positions = nn.Parameter(torch.zeros(1 + rows * columns, spec.width))
        self.blocks = nn.ModuleList(EvaBlock(spec) for _ in range(spec.layers))
        self.norm_post = LayerNorm(spec.width, spec.norm_eps)
        self.head = head(spec.head, spec.width, embedding)
        self.cells, self.trained_grid, self.head_width = (rows, columns), spec.grid, spec.width // spec.heads

    def forward(self, pixels: Tensor) -> Tensor:
        """pixels (N, 3, h, w), normalised, of the contract's size -> embeddings (N, E)."""
        return self.head(self.features(pixels))

    def features(self, pixels: Tensor) -> Tensor:
        """pixels (N, 3, h, w) -> the normalised class token (N, W)."""
        x: Tensor = self.grid(pixels)
        x = self.blocks[-1](x, self._rotation(x))
        x = self.norm_post(x[:, 0])
        return x

    def grid(self, pixels: Tensor) -> Tensor:
        """pixels (N, 3, h, w) -> the tokens that the last block reads (N, 1 + cells, W)."""
        x: Tensor = self.patch(pixels).flatten(2).transpose(1, 2)  # (N, cells, W)
        first = self.class_token.to(x.dtype).expand(len(x), 1, -1)
        x = torch.cat([first, x], dim=1) + self.positions  # (N, 1 + cells, W)
        rotation = self._rotation(x)
        for block in self.blocks[:-1]:
            x = block(x, rotation)
        return x

    def _rotation(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Cosine and sine of the angles (1 + cells, D), in the dtype and on the device of x."""
        angles = rotary_angles(self.cells, self.trained_grid, self.head_width, x.device)
        return angles.cos().to(x.dtype), angles.sin().to(x.dtype)

    @torch.no_grad()
    def initialise(self, generator: Generator) -> None:
        """Tokens and linear maps with a standard deviation of 0.02, no biases (as timm, which truncates far tails)."""
        defaults(self, generator)
        for value in (self.class_token, self.positions):
            normal(value, 0.02, generator)
        for linear in modules_of(self.blocks, nn.Linear):
            normal(linear.weight, 0.02, generator)
        zero_biases(self.blocks)
        self.head.initialise(generator)


def rotary_angles(cells: tuple[int, int], grid: int, width: int, device: torch.device | None = None) -> Tensor:
    """Angle of each number of a head at each token: (1 + cells, width), 0 for the class token.

    The first half of a head turns with the grid's row, the second with its column; numbers 2 i and 2 i + 1 turn
    together. cells: rows and columns of this grid, scaled to the `grid` of the first training.
    """
    bands = TEMPERATURE ** -(torch.arange(width // 4, device=device) / (width // 4))  # (width / 4,)
    rows, columns = (torch.arange(count, device=device) / count * grid for count in cells)
    by_row = (rows[:, None] * bands)[:, None, :].expand(-1, cells[1], -1)
    by_column = (columns[:, None] * bands)[None, :, :].expand(cells[0], -1, -1)
    angles = torch.cat([by_row, by_column], dim=-1).flatten(0, 1)  # (cells, width / 2)
    return F.pad(angles.repeat_interleave(2, dim=-1), (0, 0, 1, 0))


class EvaBlock(nn.Module):
    """Pre-norm: x += attention(norm(x)); x += mlp(norm(x))."""

    def __init__(self, spec: architecture.Eva) -> None:
        super().__init__()
        self.norm1 = LayerNorm(spec.width, spec.norm_eps)
        self.attention = EvaAttention(spec.width, spec.heads, spec.norm_eps)
        self.norm2 = LayerNorm(spec.width, spec.norm_eps)
        self.mlp = GatedMLP(spec.width, spec.mlp, spec.norm_eps)

    def forward(self, x: Tensor, rotation: tuple[Tensor, Tensor]) -> Tensor:
        """(N, L, W) -> (N, L, W). rotation: cosines and sines (L, W / H)."""
        x = x + self.attention(self.norm1(x), rotation)
        x = x + self.mlp(self.norm2(x))
        return x


class EvaAttention(nn.Module):
    """Self-attention with rotary positions on queries and keys, and a LayerNorm before the last linear map."""

    def __init__(self, width: int, heads: int, eps: float) -> None:
        super().__init__()
        self.heads = heads
        self.q = nn.Linear(width, width)
        self.k = nn.Linear(width, width, bias=False)
        self.v = nn.Linear(width, width)
        self.norm = LayerNorm(width, eps)
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor, rotation: tuple[Tensor, Tensor]) -> Tensor:
        """(N, L, W) -> (N, L, W)."""
        q, k, v = (t.unflatten(2, (self.heads, -1)).transpose(1, 2) for t in (self.q(x), self.k(x), self.v(x)))
        x = F.scaled_dot_product_attention(rotated(q, rotation), rotated(k, rotation), v)  # (N, H, L, W / H)
        x = self.out(self.norm(x.transpose(1, 2).flatten(2)))
        return x


def rotated(x: Tensor, rotation: tuple[Tensor, Tensor]) -> Tensor:
    """Rotates each pair of numbers (a, b) of x (N, H, L, D) by its angle: (a cos - b sin, b cos + a sin)."""
    across = torch.stack([-x[..., 1::2], x[..., ::2]], dim=-1).flatten(-2)
    return x * rotation[0] + across * rotation[1]


class GatedMLP(nn.Module):
    """down(norm(silu(gate(x)) * up(x))): SwiGLU (Shazeer 2020) with an inner LayerNorm."""

    def __init__(self, width: int, hidden: int, eps: float) -> None:
        super().__init__()
        self.gate = nn.Linear(width, hidden)
        self.up = nn.Linear(width, hidden)
        self.norm = LayerNorm(hidden, eps)
        self.down = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        """(..., W) -> (..., W)."""
        x = self.down(self.norm(F.silu(self.gate(x)) * self.up(x)))
        return x
