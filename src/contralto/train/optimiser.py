"""AdamW as in the paper: no decay on gains and biases, a learning rate a prefix, warm-up and cosine.

PAPER.md section 4: decoupled weight decay on every tensor of two or more dimensions and on no other.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from contralto.errors import ContractError
from contralto.train.recipe import Phase


def adamw(model: nn.Module, phase: Phase) -> torch.optim.AdamW:
    """The phase's optimiser over the unlocked parameters, and a model ready to train: locked parameters without
    gradient, modules that are locked as a whole in eval mode (so that batch norm keeps its running figures).

    Each group holds `rate`, the factor on the step's learning rate. Raises ContractError where a prefix of
    `phase.rates` fits no parameter, or everything is locked.
    """
    rates = rate_of(model, phase.rates)
    groups: dict[tuple[float, float], list[nn.Parameter]] = defaultdict(list)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(rates[name] > 0)
        if rates[name] > 0:
            groups[rates[name], phase.weight_decay if parameter.ndim >= 2 else 0.0].append(parameter)
    if not groups:
        raise ContractError(f"phase {phase.name!r}: rates lock every parameter, nothing is left to train")
    set_modes(model)
    listed: list[dict[str, Any]] = [
        {"params": parameters, "rate": rate, "weight_decay": decay}
        for (rate, decay), parameters in sorted(groups.items(), key=lambda group: group[0])
    ]
    return torch.optim.AdamW(listed, lr=phase.lr, betas=phase.betas, eps=phase.eps, fused=True)


def rate_at(phase: Phase, step: int) -> float:
    """Learning rate of step `step` of the phase, counted from 0: linear warm-up that reaches lr at step warmup - 1,
    then half a cosine that would reach 0 one step after the last."""
    if step < phase.warmup:
        return phase.lr * (step + 1) / phase.warmup
    progress = (step - phase.warmup) / max(1, phase.steps - phase.warmup)
    return phase.lr * 0.5 * (1 + math.cos(math.pi * progress))


def set_rate(optimiser: torch.optim.Optimizer, lr: float) -> None:
    """Sets the learning rate of every group to lr times the group's own rate."""
    for group in optimiser.param_groups:
        group["lr"] = lr * group["rate"]


def set_modes(model: nn.Module) -> None:
    """Train mode, but eval mode for every module whose parameters are all locked."""
    model.train()
    for module in model.modules():
        parameters = list(module.parameters())
        if parameters and not any(parameter.requires_grad for parameter in parameters):
            module.eval()


def rate_of(model: nn.Module, rates: Mapping[str, float]) -> dict[str, float]:
    """Parameter name -> factor on lr: that of the longest prefix that fits at a dot, else 1. Raises ContractError."""
    names = [name for name, _ in model.named_parameters()]
    prefixes = {prefix.removesuffix("."): rate for prefix, rate in rates.items()}
    for prefix in prefixes:
        if not any(_fits(prefix, name) for name in names):
            raise ContractError(f"rates: no parameter's name begins with {prefix!r} (the first is {names[0]!r})")
    longest_first = sorted(prefixes, key=len, reverse=True)
    return {name: next((prefixes[p] for p in longest_first if _fits(p, name)), 1.0) for name in names}


def _fits(prefix: str, name: str) -> bool:
    return name == prefix or name.startswith(prefix + ".")
