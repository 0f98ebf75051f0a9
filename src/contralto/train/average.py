"""A moving average of the weights, often a better model than the last weights."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch
from torch import Tensor, nn

Average = dict[str, Tensor]


def start(model: nn.Module) -> Average:
    """A copy of the model's parameters and buffers."""
    return {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}


@torch.no_grad()
def update(average: Average, model: nn.Module, decay: float) -> None:
    """average = decay * average + (1 - decay) * weights, in place."""
    for name, tensor in model.state_dict().items():
        average[name].lerp_(tensor, 1 - decay)


@contextlib.contextmanager
def in_place(average: Average | None, model: nn.Module) -> Iterator[None]:
    """Puts the averaged weights into the model for the duration of the block; None changes nothing."""
    if average is None:
        yield
        return
    weights = start(model)
    try:
        model.load_state_dict(average)
        yield
    finally:
        model.load_state_dict(weights)
