"""Vision Transformer (Dosovitskiy et al. 2020) of CLIP (Radford et al. 2021), CLIPA (Li et al. 2023) and SigLIP
(Zhai et al. 2023). They differ in how the tokens become one vector. Prompts are VPT's (Jia et al. 2022)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from contralto import architecture
from contralto.model.blocks import MLP, Attention, BatchNorm, Block, LayerNorm, attend
from contralto.model.heads import head
from contralto.model.initialise import defaults, glorot, modules_of, normal, zero_biases

PROMPT_DEVIATION = 0.02  # of the vectors' first values, as of CoOp's


class ViT(nn.Module):
    """Patch tokens, a class token (optional), positions, pre-norm blocks, pool, head.

    prompts: (depth, P, W) or None; each of the first `depth` blocks reads P vectors of its own beside the patches.
    """

    def __init__(self, spec: architecture.ViT, size: tuple[int, int], embedding: int) -> None:
        super().__init__()
        cells = (size[0] // spec.patch) * (size[1] // spec.patch)  # pixels left over at the edges are ignored
        patch = nn.Conv2d(3, spec.width, spec.patch, stride=spec.patch, bias=spec.patch_bias)
        self.patch = ConvolutionStem(spec) if spec.stem == "convolutions" else patch
        self.class_token = nn.Parameter(torch.zeros(spec.width)) if spec.class_token else None
        self.class_position = spec.class_token and spec.class_position
        self.positions = nn.Parameter(torch.zeros(cells + 1 if self.class_position else cells, spec.width))
        self.norm_pre = LayerNorm(spec.width, spec.norm_eps) if spec.norm_pre else None
        prompts = torch.zeros(spec.prompt_depth, spec.prompts, spec.width)
        self.prompts = nn.Parameter(prompts) if spec.prompts else None
        self.blocks = nn.ModuleList(
            Block(spec.width, spec.heads, spec.mlp, spec.activation, spec.norm_eps) for _ in range(spec.layers)
        )
        self.norm_post = LayerNorm(spec.width, spec.norm_eps)
        self.pool = QueryPool(spec) if spec.pool == "attention" else None
        self.pooling = spec.pool
        self.head = head(spec.head, spec.width, embedding)

    def forward(self, pixels: Tensor) -> Tensor:
        """pixels (N, 3, h, w), normalised, of the contract's size -> embeddings (N, E)."""
        return self.head(self.features(pixels))

    def features(self, pixels: Tensor) -> Tensor:
        """pixels (N, 3, h, w) -> the pooled token (N, W)."""
        x: Tensor = self.grid(pixels)  # (N, L, W)
        if self.pool is not None:
            x = self.pool(self.norm_post(x))  # (N, W)
        elif self.pooling == "mean":
            patches = x if self.class_token is None else x[:, 1:]
            x = self.norm_post(patches.mean(dim=1))
        else:
            x = self.norm_post(self.blocks[-1](x)[:, 0])  # a norm acts on each token alone, so norm and choice commute
        return x

    def grid(self, pixels: Tensor) -> Tensor:
        """pixels (N, 3, h, w) -> tokens (N, L, W): the class token, if any, then the patches.

        If the class token is pooled, they are what the last block reads, with its prompts behind the class token. Else
        they are what it gives, without the prompts: a pool averages or weighs what it was trained on.
        """
        x: Tensor = self.patch(pixels)  # (N, W, h / patch, w / patch)
        x = x.flatten(2).transpose(1, 2)  # (N, cells, W), in row-major order
        if not self.class_position:
            x = x + self.positions
        if self.class_token is not None:
            token = self.class_token.to(x.dtype).expand(len(x), 1, -1)  # (N, 1, W)
            x = torch.cat([token, x], dim=1)  # (N, L, W)
        if self.class_position:
            x = x + self.positions
        if self.norm_pre is not None:
            x = self.norm_pre(x)
        first = 0 if self.class_token is None else 1
        behind = first  # where the patches begin
        for n, block in enumerate(self.blocks):
            if self.prompts is not None and n < len(self.prompts):
                vectors = self.prompts[n].to(x.dtype).expand(len(x), -1, -1)  # (N, P, W)
                x = torch.cat([x[:, :first], vectors, x[:, behind:]], dim=1)
                behind = first + vectors.shape[1]
            if self.pooling == "class" and n == len(self.blocks) - 1:
                return x
            x = block(x)
        return x if behind == first else torch.cat([x[:, :first], x[:, behind:]], dim=1)

    @torch.no_grad()
    def initialise(self, generator: Generator) -> None:
        """Class token, positions and head scaled by the width; the blocks as in PyTorch's fused attention.

        A tower with an attention pool is SigLIP's, whose paper initialises the matrices differently.
        """
        defaults(self, generator)
        width = self.positions.shape[1]
        if self.class_token is not None:
            normal(self.class_token, width**-0.5, generator)
        normal(self.positions, width**-0.5, generator)
        if self.prompts is not None:
            normal(self.prompts, PROMPT_DEVIATION, generator)
        for attention in modules_of(self, Attention):
            for linear in (attention.q, attention.k, attention.v):
                glorot(linear.weight, width, 3 * width, generator)  # as one fused (3 W, W) matrix
            zero_biases(attention)
        if self.pool is not None:
            self._initialise_siglip(self.pool, generator)
        self.head.initialise(generator)

    def _initialise_siglip(self, pool: QueryPool, generator: Generator) -> None:
        """Every matrix and the query by Glorot and Bengio 2010, every bias 0 (Zhai et al. 2023, their code)."""
        for module in (self.blocks, pool):
            for linear in modules_of(module, nn.Linear):
                glorot(linear.weight, linear.in_features, linear.out_features, generator)
            zero_biases(module)
        if isinstance(self.patch, nn.Conv2d):
            zero_biases(self.patch, nn.Conv2d)
        glorot(pool.query, 1, len(pool.query), generator)


class ConvolutionStem(nn.Module):
    """Patch tokens in three steps (MobileCLIP-B): convolutions without overlap, batch norm and GELU between."""

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
    """SigLIP's "MAP head": one learned query attends to all tokens; an MLP corrects the result: x += mlp(norm(x))."""

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
