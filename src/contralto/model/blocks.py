"""Modules that several towers share: the pre-norm Transformer block, attention, MLP, activations, norms.

Shapes are in comments: N items, L tokens, W width, H heads, C channels, E embedding.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from contralto.architecture.towers import Activation, HeadActivation


class Block(nn.Module):
    """Pre-norm Transformer block (Radford et al. 2021): x += attention(norm(x)); x += mlp(norm(x))."""

    def __init__(self, width: int, heads: int, mlp: int, activation: Activation, eps: float) -> None:
        super().__init__()
        self.norm1 = LayerNorm(width, eps)
        self.attention = Attention(width, heads)
        self.norm2 = LayerNorm(width, eps)
        self.mlp = MLP(width, mlp, activation)

    def forward(self, x: Tensor, causal: bool = False) -> Tensor:
        """(N, L, W) -> (N, L, W)."""
        x = x + self.attention(self.norm1(x), causal=causal)
        x = x + self.mlp(self.norm2(x))
        return x


class Attention(nn.Module):
    """Multi-head self-attention. q, k and v are separate, so that adapters can name each."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.q = nn.Linear(width, width)
        self.k = nn.Linear(width, width)
        self.v = nn.Linear(width, width)
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor, mask: Tensor | None = None, causal: bool = False) -> Tensor:
        """(N, L, W) -> (N, L, W). mask: bool, broadcast to (N, H, L, L), true where a query may see a key."""
        x = attend(self.q(x), self.k(x), self.v(x), self.heads, mask, causal)
        x = self.out(x)
        return x


def attend(q: Tensor, k: Tensor, v: Tensor, heads: int, mask: Tensor | None = None, causal: bool = False) -> Tensor:
    """softmax(q k^T / sqrt(W / H)) v in each head: q (N, Q, W), k and v (N, L, W) -> (N, Q, W)."""
    q, k, v = (t.reshape(*t.shape[:2], heads, -1).transpose(1, 2) for t in (q, k, v))  # (N, H, Q or L, W / H)
    x = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=causal)  # (N, H, Q, W / H)
    return x.transpose(1, 2).flatten(2)  # (N, Q, W)


class MLP(nn.Module):
    """down(activation(up(x))), token by token."""

    def __init__(self, width: int, hidden: int, activation: Activation) -> None:
        super().__init__()
        self.up = nn.Linear(width, hidden)
        self.activation = ACTIVATIONS[activation]
        self.down = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        """(..., W) -> (..., W)."""
        x = self.down(self.activation(self.up(x)))
        return x


def quickgelu(x: Tensor) -> Tensor:
    """x sigmoid(1.702 x): OpenAI's approximation of GELU. Its weights lose accuracy under the exact GELU."""
    return x * torch.sigmoid(1.702 * x)


ACTIVATIONS: dict[HeadActivation, Callable[[Tensor], Tensor]] = {
    "gelu": F.gelu,
    "gelu_tanh": partial(F.gelu, approximate="tanh"),
    "quickgelu": quickgelu,
    "relu": F.relu,
    "relu6": F.relu6,
    "silu": F.silu,
    "softmax": partial(torch.softmax, dim=-1),
}


class LayerNorm(nn.Module):
    """Layer normalisation over the last dimension, computed in float32 and cast back to the input's dtype."""

    def __init__(self, width: int, eps: float) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(width))
        self.bias = nn.Parameter(torch.zeros(width))

    def forward(self, x: Tensor) -> Tensor:
        """(..., W) -> (..., W)."""
        return F.layer_norm(x.float(), self.weight.shape, self.weight.float(), self.bias.float(), self.eps).to(x.dtype)


class BatchNorm(nn.Module):
    """Batch normalisation of (N, C, h, w), without the batch counter that PyTorch's keeps in the state dict."""

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, channels: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Uses running statistics in eval mode; in training mode it uses the batch's, and updates the running ones."""
        mean, var = self.running_mean, self.running_var
        return F.batch_norm(x, mean, var, self.weight, self.bias, training=self.training, eps=self.eps)
