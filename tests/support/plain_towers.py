"""Plain twins of the towers' layers: NumPy in float64, one explicit loop or product at a time."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

Array = np.ndarray
State = dict[str, Array]


def scramble(module: nn.Module, seed: int = 0) -> nn.Module:
    """Sets every weight, norm and statistic to another value, so that a test notices if one is left out."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, value in module.state_dict().items():
            noise = torch.randn(value.shape, generator=generator)
            if "norm" in name and name.endswith(("weight", "running_var")):
                value.copy_(1 + 0.2 * noise.clamp(-2, 2))
            elif value.ndim < 2:
                value.copy_(0.2 * noise)
            else:
                value.copy_(noise * (2 / value[0].numel()) ** 0.5)
    return module.eval()


def state(module: nn.Module) -> State:
    return {name: value.numpy() for name, value in module.state_dict().items()}


def convolve(x: Array, weight: Array, stride: int = 1, pad: tuple[int, int] = (0, 0), groups: int = 1) -> Array:
    """x (C, h, w), weight (O, C / groups, k, k); `pad` zeros before and after each axis. Cell by cell."""
    outputs, inputs, kernel, _ = weight.shape
    x = np.pad(x, ((0, 0), pad, pad))
    rows, columns = (1 + (length - kernel) // stride for length in x.shape[1:])
    y = np.empty((outputs, rows, columns))
    share = outputs // groups
    for group in range(groups):
        kernels = weight[group * share : (group + 1) * share]
        channels = x[group * inputs : (group + 1) * inputs]
        for i in range(rows):
            for j in range(columns):
                window = channels[:, i * stride : i * stride + kernel, j * stride : j * stride + kernel]
                y[group * share : (group + 1) * share, i, j] = np.einsum("ocij,cij->o", kernels, window)
    return y


def batch_norm(x: Array, weights: State, name: str, eps: float) -> Array:
    mean, variance, gain, shift = (
        weights[f"{name}.{part}"][:, None, None] for part in ("running_mean", "running_var", "weight", "bias")
    )
    return (x - mean) / np.sqrt(variance + eps) * gain + shift


def average(x: Array, size: int) -> Array:
    """Mean of each size x size square of (C, h, w)."""
    channels, rows, columns = x.shape
    return x.reshape(channels, rows // size, size, columns // size, size).mean(axis=(2, 4))


def linear(x: Array, weights: State, name: str) -> Array:
    return x @ weights[f"{name}.weight"].T + weights.get(f"{name}.bias", 0)


def layer_norm(x: Array, weights: State, name: str, eps: float) -> Array:
    centred = x - x.mean(axis=-1, keepdims=True)
    deviation = np.sqrt((centred**2).mean(axis=-1, keepdims=True) + eps)
    return centred / deviation * weights[f"{name}.weight"] + weights[f"{name}.bias"]


def attention(queries: Array, tokens: Array, weights: State, name: str, heads: int, causal: bool = False) -> Array:
    """queries (Q, W), tokens (L, W) -> (Q, W): head by head, query by query."""
    q = linear(queries, weights, f"{name}.q")
    k, v = (linear(tokens, weights, f"{name}.{part}") for part in "kv")
    share = q.shape[1] // heads
    mixed = np.empty_like(q)
    for head in range(heads):
        part = slice(head * share, (head + 1) * share)
        for query in range(len(q)):
            visible = query + 1 if causal else len(k)
            mixed[query, part] = softmax(k[:visible, part] @ q[query, part] / share**0.5) @ v[:visible, part]
    return linear(mixed, weights, f"{name}.out")


def softmax(x: Array) -> Array:
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))
