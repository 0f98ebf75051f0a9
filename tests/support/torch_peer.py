"""A second implementation of CLIP, in PyTorch under OpenAI's names, to make foreign files for tests.

Attention is torch's; blocks, stems and pools follow the paper, not `contralto.model`.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def quickgelu(x: Tensor) -> Tensor:
    return x * torch.sigmoid(1.702 * x)


ACTIVATIONS = {"gelu": F.gelu, "quickgelu": quickgelu}


class Block(nn.Module):
    def __init__(self, width: int, heads: int, activation: str, mlp: int) -> None:
        super().__init__()
        self.attn = nn.MultiheadAttention(width, heads, batch_first=True)
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.mlp = nn.ModuleDict({"c_fc": nn.Linear(width, mlp), "c_proj": nn.Linear(mlp, width)})
        self.activation = ACTIVATIONS[activation]

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        y = self.ln_1(x)
        x = x + self.attn(y, y, y, need_weights=False, attn_mask=mask)[0]
        return x + self.mlp["c_proj"](self.activation(self.mlp["c_fc"](self.ln_2(x))))


class Transformer(nn.Module):
    def __init__(self, width: int, layers: int, heads: int, activation: str, mlp: int) -> None:
        super().__init__()
        self.resblocks = nn.ModuleList(Block(width, heads, activation, mlp) for _ in range(layers))

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        for block in self.resblocks:
            x = block(x, mask)
        return x


class Vision(nn.Module):
    def __init__(self, width=128, layers=2, heads=2, patch=8, size=32, embed=32, activation="quickgelu", mean=False):
        super().__init__()
        self.mean = mean
        self.conv1 = nn.Conv2d(3, width, patch, patch, bias=False)
        self.class_embedding = nn.Parameter(torch.randn(width))
        self.positional_embedding = nn.Parameter(torch.randn((size // patch) ** 2 + 1, width))
        self.ln_pre = nn.Identity() if mean else nn.LayerNorm(width)
        self.transformer = Transformer(width, layers, heads, activation, 4 * width)
        self.ln_post = nn.LayerNorm(width)
        self.proj = nn.Parameter(torch.randn(width, embed))

    def forward(self, pixels: Tensor) -> Tensor:
        cells = self.conv1(pixels).flatten(2).mT
        x = torch.cat([self.class_embedding.expand(len(cells), 1, -1), cells], 1) + self.positional_embedding
        x = self.transformer(self.ln_pre(x))
        return self.ln_post(x[:, 1:].mean(1) if self.mean else x[:, 0]) @ self.proj


class Bottleneck(nn.Module):
    def __init__(self, channels: int, middle: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.conv1, self.bn1 = nn.Conv2d(channels, middle, 1, bias=False), nn.BatchNorm2d(middle)
        self.conv2, self.bn2 = nn.Conv2d(middle, middle, 3, padding=1, bias=False), nn.BatchNorm2d(middle)
        self.conv3, self.bn3 = nn.Conv2d(middle, 4 * middle, 1, bias=False), nn.BatchNorm2d(4 * middle)
        if stride > 1 or channels != 4 * middle:
            self.downsample = nn.Sequential(nn.Conv2d(channels, 4 * middle, 1, bias=False), nn.BatchNorm2d(4 * middle))

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x))))))
        y = self.bn3(self.conv3(F.avg_pool2d(y, self.stride)))
        return F.relu(y + (self.downsample(F.avg_pool2d(x, self.stride)) if hasattr(self, "downsample") else x))


class AttentionPool(nn.Module):
    def __init__(self, cells: int, channels: int, heads: int, embed: int) -> None:
        super().__init__()
        self.heads = heads
        self.positional_embedding = nn.Parameter(torch.randn(cells + 1, channels))
        self.q_proj, self.k_proj = nn.Linear(channels, channels), nn.Linear(channels, channels)
        self.v_proj, self.c_proj = nn.Linear(channels, channels), nn.Linear(channels, embed)

    def forward(self, x: Tensor) -> Tensor:
        x = x.flatten(2).mT
        x = torch.cat([x.mean(1, keepdim=True), x], 1) + self.positional_embedding
        q, k, v = (p(y).unflatten(2, (self.heads, -1)).transpose(1, 2)
                   for p, y in ((self.q_proj, x[:, :1]), (self.k_proj, x), (self.v_proj, x)))  # fmt: skip
        scores = (q @ k.mT / math.sqrt(q.shape[-1])).softmax(-1)
        return self.c_proj((scores @ v).transpose(1, 2).flatten(2)[:, 0])


class ResNet(nn.Module):
    def __init__(self, layers=(1, 2, 1, 1), width=8, size=64, embed=32) -> None:
        super().__init__()
        half = width // 2
        self.conv1, self.bn1 = nn.Conv2d(3, half, 3, 2, 1, bias=False), nn.BatchNorm2d(half)
        self.conv2, self.bn2 = nn.Conv2d(half, half, 3, 1, 1, bias=False), nn.BatchNorm2d(half)
        self.conv3, self.bn3 = nn.Conv2d(half, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width)
        channels = width
        for n, count in enumerate(layers):
            blocks = []
            for index in range(count):
                blocks.append(Bottleneck(channels, width * 2**n, 2 if n and not index else 1))
                channels = 4 * width * 2**n
            setattr(self, f"layer{n + 1}", nn.Sequential(*blocks))
        self.attnpool = AttentionPool((size // 32) ** 2, channels, width * 32 // 64, embed)

    def forward(self, x: Tensor) -> Tensor:
        for conv, norm in ((self.conv1, self.bn1), (self.conv2, self.bn2), (self.conv3, self.bn3)):
            x = F.relu(norm(conv(x)))
        x = F.avg_pool2d(x, 2)
        for layer in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = layer(x)
        return self.attnpool(x)


class CLIP(nn.Module):
    """encode_image (N, 3, s, s), encode_text (N, context) -> (N, embed), as in OpenAI's code and open_clip."""

    def __init__(self, visual: nn.Module, width=64, layers=2, heads=1, context=12, vocabulary=49408, embed=32,
                 activation="quickgelu", causal=True, seed=0) -> None:  # fmt: skip
        super().__init__()
        self.visual, self.causal = visual, causal
        self.transformer = Transformer(width, layers, heads, activation, 4 * width)
        self.token_embedding = nn.Embedding(vocabulary, width)
        self.positional_embedding = nn.Parameter(torch.zeros(context, width))
        self.ln_final = nn.LayerNorm(width)
        self.text_projection = nn.Parameter(torch.zeros(width, embed))
        self.logit_scale = nn.Parameter(torch.tensor(0.0))
        self.eval()
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for name, value in self.state_dict().items():
                if value.is_floating_point():
                    value.copy_(torch.randn(value.shape, generator=generator) * 0.1 + ("running_var" in name))
            self.logit_scale.fill_(math.log(100))

    def encode_image(self, pixels: Tensor) -> Tensor:
        return self.visual(pixels)

    def encode_text(self, ids: Tensor) -> Tensor:
        x = self.token_embedding(ids) + self.positional_embedding
        length = ids.shape[1]
        mask = torch.full((length, length), -math.inf).triu(1) if self.causal else None
        x = self.ln_final(self.transformer(x, mask))
        last = ids.argmax(1) if self.causal else torch.full((len(ids),), length - 1)
        return x[torch.arange(len(ids)), last] @ self.text_projection
