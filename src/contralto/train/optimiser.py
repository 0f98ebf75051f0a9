"""AdamW with warm-up, a cosine schedule and a factor on the learning rate per prefix of parameter names.

Weight decay is decoupled and acts on tensors of two or more dimensions, not on gains and biases (Radford et al. 2021,
section 2.5).
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
    """The phase's optimiser over the unlocked parameters. Also prepares the model: locked parameters get no gradient,
    and modules with locked parameters only are set to eval mode, so that batch norm keeps its running statistics.

    Each group holds `rate`, the factor on the step's learning rate. Raises ContractError if a prefix of `phase.rates`
    fits no parameter, or every parameter is locked.
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
    """Learning rate of step `step` of the phase, counted from 0: a linear warm-up that reaches lr at step warmup - 1,
    then half a cosine that reaches 0 one step after the last."""
    if step < phase.warmup:
        return phase.lr * (step + 1) / phase.warmup
    progress = (step - phase.warmup) / max(1, phase.steps - phase.warmup)
    return phase.lr * 0.5 * (1 + math.cos(math.pi * progress))


def set_rate(optimiser: torch.optim.Optimizer, lr: float) -> None:
    """Sets the learning rate of every group to lr * rate."""
    for group in optimiser.param_groups:
        group["lr"] = lr * group["rate"]


def set_modes(model: nn.Module) -> None:
    """Sets train mode, and eval mode for every module whose parameters are all locked."""
    model.train()
    for module in model.modules():
        parameters = list(module.parameters())
        if parameters and not any(parameter.requires_grad for parameter in parameters):
            module.eval()


def rate_of(model: nn.Module, rates: Mapping[str, float]) -> dict[str, float]:
    """Parameter name -> factor on lr: the factor of the longest prefix that ends at a dot of the name, else 1. Raises
    ContractError if a prefix fits no parameter."""
    names = [name for name, _ in model.named_parameters()]
    prefixes = {prefix.removesuffix("."): rate for prefix, rate in rates.items()}
    for prefix in prefixes:
        if not any(_fits(prefix, name) for name in names):
            raise ContractError(f"rates: no parameter's name begins with {prefix!r} (the first is {names[0]!r})")
    longest_first = sorted(prefixes, key=len, reverse=True)
    return {name: next((prefixes[p] for p in longest_first if _fits(p, name)), 1.0) for name in names}


def _fits(prefix: str, name: str) -> bool:
    return name == prefix or name.startswith(prefix + ".")
