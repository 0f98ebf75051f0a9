"""The number format of a step: bf16 only if the processor has it, since emulated bf16 is many times slower."""

from __future__ import annotations

import functools

import torch

from contralto.engine.cpus import cpu_flags
from contralto.errors import ContractError
from contralto.train.recipe import Precision

NATIVE = frozenset({"avx512_bf16", "amx_bf16", "bf16"})  # x86 dot products, x86 tiles, ARM


def autocast(precision: Precision) -> torch.autocast:
    """The context for a forward pass. Weights and optimiser stay in fp32. Raises ContractError if bf16 is emulated."""
    if precision == "bf16" and not has_bf16():
        raise ContractError("precision 'bf16': this processor only emulates it, which is slow: use 'auto' or 'fp32'")
    return torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision != "fp32" and has_bf16())


@functools.cache
def has_bf16() -> bool:
    """Whether the processor multiplies bf16 natively, by the flags that Linux states; elsewhere False."""
    return not NATIVE.isdisjoint(cpu_flags())
