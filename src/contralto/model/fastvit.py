"""FastViT (Vasu et al. 2023) of MobileCLIP (Vasu et al. 2024; Faghri et al. 2025), with every branch of training.

FastViT trains parallel convolutions and may fold them into one afterwards. The published files hold the branches, and
so does this model: folded weights are in no published file.
"""

from __future__ import annotations

import torch
from torch import Generator, Tensor, nn

from contralto import architecture
from contralto.model.blocks import ACTIVATIONS, BatchNorm, LayerNorm, attend
from contralto.model.efficientnet import SqueezeExcite
from contralto.model.heads import head
from contralto.model.initialise import defaults, modules_of, normal, zero_biases


class FastViT(nn.Module):
    """Stem, stages, a 3 x 3 convolution from each channel to two, squeeze-and-excite, mean over the cells, head."""

    def __init__(self, spec: architecture.FastViT, embedding: int) -> None:
        super().__init__()
        self.activation = ACTIVATIONS[spec.activation]
        first, last, eps = spec.stages[0].width, spec.stages[-1].width, spec.norm_eps
        kernels = (3, 1) if spec.stem_points else (3,)
        self.stem = nn.ModuleList(
            [
                Branches(3, first, kernels, stride=2, eps=eps),
                Branches(first, first, kernels, stride=2, groups=first, eps=eps),
                Branches(first, first, (1,), identity=True, eps=eps),
            ]
        )
        self.stages = nn.ModuleList()
        for index, stage in enumerate(spec.stages):
            self.stages.append(FastViTStage(spec, stage, spec.stages[index - 1].width if index else None))
        self.top = Branches(last, spec.features, (3, 1), groups=last, eps=eps)
        self.squeeze = SqueezeExcite(spec.features, spec.features // 16, "relu")
        self.head = head(spec.head, spec.features, embedding)

    def forward(self, pixels: Tensor) -> Tensor:
        """pixels (N, 3, h, w), normalised -> embeddings (N, E)."""
        return self.head(self.features(pixels))

    def features(self, pixels: Tensor) -> Tensor:
        """pixels (N, 3, h, w) -> the mean over the cells of the last feature map (N, features)."""
        return self.grid(pixels).mean(dim=(2, 3))

    def grid(self, pixels: Tensor) -> Tensor:
        """pixels (N, 3, h, w) -> the last feature map (N, features, h', w')."""
        x = pixels
        for branches in self.stem:
            x = self.activation(branches(x))  # after the last (N, first, h / 4, w / 4)
        for stage in self.stages:
            x = stage(x)
        return self.activation(self.squeeze(self.top(x)))

    @torch.no_grad()
    def initialise(self, generator: Generator) -> None:
        """Blocks start close to their shortcut, weights have a standard deviation of 0.02 (Vasu et al.'s code)."""
        defaults(self, generator)
        for block in modules_of(self, FastViTBlock):
            block.scale1.fill_(1e-5)
            block.scale2.fill_(1e-5)
            for linear in modules_of(block, nn.Linear):
                normal(linear.weight, 0.02, generator)
            zero_biases(block)
        for mlp in modules_of(self, ConvolutionMLP):
            for conv in modules_of(mlp, nn.Conv2d):
                normal(conv.weight, 0.02, generator)
            zero_biases(mlp, nn.Conv2d)
        self.head.initialise(generator)


class FastViTStage(nn.Module):
    """Halves height and width (not in the first stage), adds positions (optional), then the blocks."""

    def __init__(self, spec: architecture.FastViT, stage: architecture.FastStage, before: int | None) -> None:
        super().__init__()
        width = stage.width
        self.halve = Halve(spec, before, width, stage.squeeze) if before is not None else None
        self.positions = nn.Conv2d(width, width, 7, padding=3, groups=width) if stage.positions else None
        kind: type[FastViTBlock] = AttentionBlock if stage.mixer == "attention" else ConvolutionBlock
        self.blocks = nn.ModuleList(kind(spec, width) for _ in range(stage.layers))

    def forward(self, x: Tensor) -> Tensor:
        """(N, before, h, w) -> (N, width, h / 2, w / 2), rounded up; the first stage keeps the shape."""
        if self.halve is not None:
            x = self.halve(x)
        if self.positions is not None:
            x = x + self.positions(x)
        for block in self.blocks:
            x = block(x)
        return x


class Halve(nn.Module):
    """Large and small depthwise kernels with a stride of 2, squeeze-and-excite (optional), a 1 x 1 convolution."""

    def __init__(self, spec: architecture.FastViT, before: int, width: int, squeeze: bool) -> None:
        super().__init__()
        self.activation = ACTIVATIONS[spec.activation]
        self.wide = Branches(before, width, (7, 3), stride=2, groups=before, eps=spec.norm_eps)
        self.squeeze = SqueezeExcite(width, width // 4, "relu") if squeeze else None
        self.point = Branches(width, width, (1,), identity=True, eps=spec.norm_eps)

    def forward(self, x: Tensor) -> Tensor:
        """(N, before, h, w) -> (N, width, h / 2, w / 2), rounded up."""
        x = self.wide(x)
        if self.squeeze is not None:
            x = self.squeeze(x)
        x = self.activation(x)
        x = self.activation(self.point(x))
        return x


class FastViTBlock(nn.Module):
    """x += scale1 mixed(x); x += scale2 mlp(x). Subclasses define `mixed`, which mixes the cells."""

    def __init__(self, spec: architecture.FastViT, width: int) -> None:
        super().__init__()
        self.scale1 = nn.Parameter(torch.ones(width, 1, 1))
        self.mlp = ConvolutionMLP(spec, width)
        self.scale2 = nn.Parameter(torch.ones(width, 1, 1))

    def mixed(self, x: Tensor) -> Tensor:
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        """(N, W, h, w) -> (N, W, h, w)."""
        x = x + self.scale1 * self.mixed(x)
        x = x + self.scale2 * self.mlp(x)
        return x


class ConvolutionBlock(FastViTBlock):
    """The paper's RepMixer: mixer(x) - norm(x)."""

    def __init__(self, spec: architecture.FastViT, width: int) -> None:
        super().__init__(spec, width)
        self.norm = BatchNorm(width, spec.norm_eps)
        self.mixer = Branches(width, width, (3, 1), groups=width, identity=True, eps=spec.norm_eps)

    def mixed(self, x: Tensor) -> Tensor:
        """(N, W, h, w) -> (N, W, h, w)."""
        x = self.mixer(x) - self.norm(x)
        return x


class AttentionBlock(FastViTBlock):
    """attention(norm(x)) over all cells, with a norm over the batch or over each cell's channels."""

    def __init__(self, spec: architecture.FastViT, width: int) -> None:
        super().__init__(spec, width)
        self.norm = (LayerNorm if spec.norm == "layer" else BatchNorm)(width, spec.norm_eps)
        self.attention = FastViTAttention(width, width // spec.head_width)

    def mixed(self, x: Tensor) -> Tensor:
        """(N, W, h, w) -> (N, W, h, w)."""
        tokens = self.norm(_tokens(x)) if isinstance(self.norm, LayerNorm) else _tokens(self.norm(x))  # (N, h w, W)
        x = self.attention(tokens).transpose(1, 2).unflatten(2, x.shape[2:])
        return x


class FastViTAttention(nn.Module):
    """Multi-head self-attention; only the last linear map has a bias."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.q = nn.Linear(width, width, bias=False)
        self.k = nn.Linear(width, width, bias=False)
        self.v = nn.Linear(width, width, bias=False)
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """(N, L, W) -> (N, L, W)."""
        x = self.out(attend(self.q(x), self.k(x), self.v(x), self.heads))
        return x


class ConvolutionMLP(nn.Module):
    """down(activation(up(norm(conv(x))))): a 7 x 7 depthwise convolution, then an MLP cell by cell."""

    def __init__(self, spec: architecture.FastViT, width: int) -> None:
        super().__init__()
        self.depthwise = FastViTConvolution(width, width, 7, groups=width, eps=spec.norm_eps)
        self.up = nn.Conv2d(width, width * spec.mlp, 1)
        self.activation = ACTIVATIONS[spec.activation]
        self.down = nn.Conv2d(width * spec.mlp, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, W, h, w) -> (N, W, h, w)."""
        x = self.down(self.activation(self.up(self.depthwise(x))))
        return x


class Branches(nn.Module):
    """The sum of normalised convolutions of several kernels and, with `identity`, of the normalised input."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernels: tuple[int, ...],
        stride: int = 1,
        groups: int = 1,
        identity: bool = False,
        *,
        eps: float,
    ) -> None:
        super().__init__()
        self.branches = nn.ModuleList(FastViTConvolution(inputs, outputs, k, stride, groups, eps=eps) for k in kernels)
        self.norm = BatchNorm(inputs, eps) if identity else None

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, h, w) -> (N, outputs, h / stride, w / stride), rounded up."""
        total: Tensor = sum(branch(x) for branch in self.branches)
        return total if self.norm is None else total + self.norm(x)


class FastViTConvolution(nn.Module):
    """A convolution without bias, equally padded on all sides, then batch normalisation."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1, *, eps: float) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
        self.norm = BatchNorm(outputs, eps)

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, h, w) -> (N, outputs, h / stride, w / stride), rounded up."""
        x = self.norm(self.conv(x))
        return x


def _tokens(x: Tensor) -> Tensor:
    """(N, W, h, w) -> (N, h w, W)."""
    return x.flatten(2).transpose(1, 2)
