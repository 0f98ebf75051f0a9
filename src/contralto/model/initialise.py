"""Helpers for first weights; every tower's `initialise` uses them. All draws come from the given CPU generator.

A tower first gives all its modules PyTorch's defaults (`defaults`), then overwrites what its own paper states.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

from torch import Generator, Tensor, nn

from contralto.model.blocks import BatchNorm, LayerNorm

M = TypeVar("M", bound=nn.Module)


def defaults(tower: nn.Module, generator: Generator) -> None:
    """PyTorch's defaults: uniform within 1 / sqrt(inputs) for matrices and kernels, ones and zeros for norms."""
    for module in tower.modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            bound = module.weight[0].numel() ** -0.5
            module.weight.uniform_(-bound, bound, generator=generator)
            if module.bias is not None:
                module.bias.uniform_(-bound, bound, generator=generator)
        elif isinstance(module, LayerNorm | BatchNorm):
            module.weight.fill_(1)
            module.bias.zero_()
        if isinstance(module, BatchNorm):
            module.running_mean.zero_()
            module.running_var.fill_(1)


def modules_of(module: nn.Module, kind: type[M]) -> Iterator[M]:
    """The modules of one class, outermost first."""
    return (m for m in module.modules() if isinstance(m, kind))


def normal(weight: Tensor, std: float, generator: Generator) -> None:
    """Normal with mean 0."""
    weight.normal_(0, std, generator=generator)


def glorot(weight: Tensor, inputs: int, outputs: int, generator: Generator) -> None:
    """Uniform within sqrt(6 / (inputs + outputs)) (Glorot and Bengio 2010)."""
    bound = (6 / (inputs + outputs)) ** 0.5
    weight.uniform_(-bound, bound, generator=generator)


def zero_biases(module: nn.Module, kind: type[nn.Linear | nn.Conv2d] = nn.Linear) -> None:
    """Sets the bias of every layer of this class to 0."""
    for layer in modules_of(module, kind):
        if layer.bias is not None:
            layer.bias.zero_()
