"""Heads: pooled features (N, W) -> embeddings (N, E)."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from torch import Generator, Tensor, nn

from contralto import architecture
from contralto.architecture.towers import HeadActivation
from contralto.model.blocks import ACTIVATIONS
from contralto.model.initialise import normal


class Head(nn.Module):
    """Pooled features (N, W) -> embeddings (N, E)."""

    if TYPE_CHECKING:

        def __call__(self, x: Tensor) -> Tensor: ...

    def initialise(self, generator: Generator) -> None:
        """Overwrites PyTorch's default weights. A head without a linear projection keeps them."""


def head(spec: architecture.Head, width: int, embedding: int) -> Head:
    """The head that `spec` describes."""
    match spec:
        case architecture.LinearHead():
            return LinearHead(width, embedding, spec.bias)
        case architecture.ResidualHead():
            return ResidualHead(width, embedding, spec.hidden, spec.activation)
        case architecture.MlpHead():
            return MlpHead(width, embedding, spec.hidden, spec.activation)
        case architecture.NoHead():
            return NoHead()
        case _:
            assert_never(spec)


class LinearHead(Head):
    """x W^T (+ b): the projection into the space that pictures and texts share."""

    def __init__(self, width: int, embedding: int, bias: bool) -> None:
        super().__init__()
        self.linear = nn.Linear(width, embedding, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """(N, W) -> (N, E)."""
        x = self.linear(x)
        return x

    def initialise(self, generator: Generator) -> None:
        """The projection scaled by its inputs, without a shift."""
        _scaled(self.linear, generator)


class ResidualHead(Head):
    """linear(x) + down(activation(up(x))): a small network that corrects the linear map."""

    def __init__(self, width: int, embedding: int, hidden: int, activation: HeadActivation) -> None:
        super().__init__()
        self.linear = nn.Linear(width, embedding)
        self.up = nn.Linear(width, hidden)
        self.activation = ACTIVATIONS[activation]
        self.down = nn.Linear(hidden, embedding)

    def forward(self, x: Tensor) -> Tensor:
        """(N, W) -> (N, E)."""
        x = self.linear(x) + self.down(self.activation(self.up(x)))
        return x

    def initialise(self, generator: Generator) -> None:
        """The projection scaled by its inputs, without a shift; the network keeps PyTorch's defaults."""
        _scaled(self.linear, generator)


class MlpHead(Head):
    """down(activation(up(x))), the second map without a bias."""

    def __init__(self, width: int, embedding: int, hidden: int, activation: HeadActivation) -> None:
        super().__init__()
        self.up = nn.Linear(width, hidden)
        self.activation = ACTIVATIONS[activation]
        self.down = nn.Linear(hidden, embedding, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(N, W) -> (N, E)."""
        x = self.down(self.activation(self.up(x)))
        return x


class NoHead(Head):
    """The features are the embeddings."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, E) -> (N, E), unchanged."""
        return x


def _scaled(linear: nn.Linear, generator: Generator) -> None:
    normal(linear.weight, linear.in_features**-0.5, generator)
    if linear.bias is not None:
        linear.bias.zero_()
