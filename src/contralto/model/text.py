"""The text towers: CLIP's own Transformer, causal or not, and BERT's encoder."""

from __future__ import annotations

import torch
from torch import Generator, Tensor, nn

from contralto import architecture
from contralto.model.blocks import MLP, Attention, Block, LayerNorm
from contralto.model.heads import head
from contralto.model.initialise import defaults, modules_of, normal, zero_biases


class CausalText(nn.Module):
    """CLIP's text tower (Radford et al. 2021): pre-norm blocks, pooled at the end-of-text token, head.

    The end-of-text token has the largest id of the vocabulary, so its position is the argmax of the ids (the first one,
    if a text holds several). Under the causal mask it does not see the padding after it, so a batch may be cut to its
    longest text. Without the mask (CLIPA and SigLIP, which pool the last token of the context) padding changes the
    embedding, so ids must have the full context.
    """

    def __init__(self, spec: architecture.CausalText, context: int, pool: str, embedding: int) -> None:
        super().__init__()
        self.causal = spec.mask == "causal"
        self.pools_last = pool == "last"
        self.tokens = nn.Embedding(spec.vocabulary, spec.width)
        self.positions = nn.Parameter(torch.zeros(context, spec.width))
        self.blocks = nn.ModuleList(
            Block(spec.width, spec.heads, spec.mlp, spec.activation, spec.norm_eps) for _ in range(spec.layers)
        )
        self.norm_post = LayerNorm(spec.width, spec.norm_eps)
        self.head = head(spec.head, spec.width, embedding)

    def forward(self, ids: Tensor) -> Tensor:
        """ids (N, L) of integers -> embeddings (N, E). L: at most the context; without a mask, exactly that."""
        return self.head(self.features(ids))

    def features(self, ids: Tensor) -> Tensor:
        """ids (N, L) -> the normalised end-of-text token, or the last token (N, W)."""
        x: Tensor = self.tokens(ids) + self.positions[: ids.shape[1]]  # (N, L, W)
        for block in self.blocks:
            x = block(x, causal=self.causal)
        if self.pools_last:
            x = x[:, -1]  # (N, W)
        else:
            end = ids.argmax(dim=1)  # (N,)
            x = x[torch.arange(len(ids), device=ids.device), end]  # (N, W)
        x = self.norm_post(x)  # a norm acts on each token alone, so norm and choice commute
        return x

    @torch.no_grad()
    def initialise(self, generator: Generator) -> None:
        """Scaled by width, and by depth where a block writes into the residual stream."""
        defaults(self, generator)
        width, layers = self.positions.shape[1], len(self.blocks)
        into_stream = width**-0.5 * (2 * layers) ** -0.5
        normal(self.tokens.weight, 0.02, generator)
        normal(self.positions, 0.01, generator)
        for attention in modules_of(self, Attention):
            for linear in (attention.q, attention.k, attention.v):
                normal(linear.weight, width**-0.5, generator)
            normal(attention.out.weight, into_stream, generator)
            zero_biases(attention)
        for mlp in modules_of(self.blocks, MLP):
            normal(mlp.up.weight, (2 * width) ** -0.5, generator)
            normal(mlp.down.weight, into_stream, generator)
        self.head.initialise(generator)


class Bert(nn.Module):
    """BERT's encoder (Devlin et al. 2018) for single sentences, pooled over the tokens that are not padding."""

    def __init__(self, spec: architecture.Bert, context: int, pad: int, pool: str, embedding: int) -> None:
        super().__init__()
        self.pad, self.pool = pad, pool
        self.tokens = nn.Embedding(spec.vocabulary, spec.width)
        self.positions = nn.Parameter(torch.zeros(spec.positions or context, spec.width))
        self.types = nn.Parameter(torch.zeros(spec.types, spec.width)) if spec.types else None
        self.norm_embedding = LayerNorm(spec.width, spec.norm_eps)
        self.blocks = nn.ModuleList(BertBlock(spec) for _ in range(spec.layers))
        self.head = head(spec.head, spec.width, embedding)

    def forward(self, ids: Tensor) -> Tensor:
        """ids (N, L) of integers, L at most the context, at least one token per text -> embeddings (N, E)."""
        return self.head(self.features(ids))

    def features(self, ids: Tensor) -> Tensor:
        """ids (N, L) -> the mean of the tokens that are not padding, or the first token (N, W)."""
        real = ids != self.pad  # (N, L)
        x: Tensor = self.tokens(ids)  # (N, L, W)
        if self.types is not None:
            x = x + self.types[0]  # a single text has only the first type
        x = self.norm_embedding(x + self.positions[: ids.shape[1]])
        for block in self.blocks:
            x = block(x, mask=real[:, None, None, :])  # every query sees the same keys
        if self.pool == "first":
            return x[:, 0]
        weight = real.to(x.dtype)[:, :, None]  # (N, L, 1)
        return (x * weight).sum(dim=1) / weight.sum(dim=1)

    @torch.no_grad()
    def initialise(self, generator: Generator) -> None:
        """Every matrix has a standard deviation of 0.02, every bias is 0 (Devlin et al. 2018, their code)."""
        defaults(self, generator)
        normal(self.tokens.weight, 0.02, generator)
        normal(self.positions, 0.02, generator)
        if self.types is not None:
            normal(self.types, 0.02, generator)
        for linear in modules_of(self.blocks, nn.Linear):
            normal(linear.weight, 0.02, generator)
        zero_biases(self.blocks)
        self.head.initialise(generator)


class BertBlock(nn.Module):
    """Post-norm Transformer block: x = norm(x + attention(x)); x = norm(x + mlp(x))."""

    def __init__(self, spec: architecture.Bert) -> None:
        super().__init__()
        self.attention = Attention(spec.width, spec.heads)
        self.norm1 = LayerNorm(spec.width, spec.norm_eps)
        self.mlp = MLP(spec.width, spec.mlp, spec.activation)
        self.norm2 = LayerNorm(spec.width, spec.norm_eps)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """(N, L, W) -> (N, L, W). mask: bool (N, 1, 1, L), true where a token is not padding."""
        x = self.norm1(x + self.attention(x, mask))
        x = self.norm2(x + self.mlp(x))
        return x
