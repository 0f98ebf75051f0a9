"""Layers and their gradients, by the names of their tensors, in float64 or float32: the dtype of the weights.

A function `..._back` takes the layer's input x, and the gradient of some number with respect to the layer's output; it
gives the gradient with respect to x. Shapes: ... any axes, W width, E embedding.
"""

from __future__ import annotations

import functools
import math
import zlib
from typing import Any, assert_never

import numpy as np
from numpy.typing import NDArray

from contralto.architecture import Head, LinearHead, MlpHead, NoHead, ResidualHead
from contralto.architecture.towers import HeadActivation
from contralto.weights.checkpoint import Checkpoint

Numbers = NDArray[np.floating[Any]]

HEAD = "image.head"
_erf = np.frompyfunc(math.erf, 1, 1)


class FinishWeights:
    """Tensors of a checkpoint, each read on first use and then kept."""

    def __init__(
        self, checkpoint: Checkpoint, randomised: int | None = None, dtype: type[np.floating[Any]] = np.float64
    ) -> None:
        """randomised: a seed; every tensor is then replaced by normal numbers of its own mean and deviation."""
        self._checkpoint, self._seed, self._dtype = checkpoint, randomised, dtype
        self.get = functools.cache(self._read)

    def __contains__(self, name: str) -> bool:
        return name in self._checkpoint

    def __getitem__(self, name: str) -> Numbers:
        values: Numbers = self.get(name)
        return values

    def _read(self, name: str) -> Numbers:
        values: Numbers = self._checkpoint[name].astype(self._dtype, copy=False)
        if self._seed is None:
            return values
        random = np.random.default_rng([self._seed, zlib.crc32(name.encode())])
        return random.normal(values.mean(), values.std(), values.shape).astype(self._dtype)


def linear(weights: FinishWeights, name: str, x: Numbers) -> Numbers:
    """(..., W) -> (..., outputs)."""
    weight = weights[f"{name}.weight"]
    y: Numbers = (x.reshape(-1, x.shape[-1]) @ weight.T).reshape(*x.shape[:-1], len(weight))  # one product, not many
    if f"{name}.bias" in weights:
        y = y + weights[f"{name}.bias"]
    return y


def linear_back(weights: FinishWeights, name: str, gradient: Numbers) -> Numbers:
    """(..., outputs) -> (..., W)."""
    back: Numbers = gradient @ weights[f"{name}.weight"]
    return back


def norm(weights: FinishWeights, name: str, x: Numbers, eps: float) -> Numbers:
    """Layer normalisation over the last axis."""
    centred = x - x.mean(-1, keepdims=True)
    deviation = np.sqrt((centred**2).mean(-1, keepdims=True) + eps)
    y: Numbers = centred / deviation * weights[f"{name}.weight"] + weights[f"{name}.bias"]
    return y


def norm_back(weights: FinishWeights, name: str, x: Numbers, eps: float, gradient: Numbers) -> Numbers:
    """The mean and the deviation depend on x too: with h the normalised x, (g' - mean(g') - h mean(g' h)) / s."""
    centred = x - x.mean(-1, keepdims=True)
    deviation = np.sqrt((centred**2).mean(-1, keepdims=True) + eps)
    normal, scaled = centred / deviation, gradient * weights[f"{name}.weight"]
    shared = scaled.mean(-1, keepdims=True) + normal * (scaled * normal).mean(-1, keepdims=True)
    back: Numbers = (scaled - shared) / deviation
    return back


def softmax(x: Numbers) -> Numbers:
    """Over the last axis."""
    e = np.exp(x - x.max(-1, keepdims=True))
    y: Numbers = e / e.sum(-1, keepdims=True)
    return y


def softmax_back(y: Numbers, gradient: Numbers) -> Numbers:
    """y: the result of the softmax."""
    back: Numbers = y * (gradient - (gradient * y).sum(-1, keepdims=True))
    return back


def activation(kind: HeadActivation, x: Numbers) -> Numbers:
    """Element by element; softmax over the last axis."""
    y: Numbers
    match kind:
        case "relu":
            y = np.maximum(x, 0)
        case "relu6":
            y = np.clip(x, 0, 6)
        case "gelu":
            y = x * _normal_share(x)
        case "gelu_tanh":
            y = x * (1 + np.tanh(_tanh_argument(x))) / 2
        case "silu":
            y = x * _sigmoid(x)
        case "quickgelu":
            y = x * _sigmoid(1.702 * x)
        case "softmax":
            y = softmax(x)
        case _:
            assert_never(kind)
    return y


def activation_back(kind: HeadActivation, x: Numbers, gradient: Numbers) -> Numbers:
    """The gradient with respect to x. At the corners of relu and relu6 it is 0, as in PyTorch."""
    slope: Numbers
    match kind:
        case "relu":
            slope = (x > 0).astype(np.float64)
        case "relu6":
            slope = ((x > 0) & (x < 6)).astype(np.float64)
        case "gelu":
            slope = _normal_share(x) + x * np.exp(-(x**2) / 2) / math.sqrt(2 * math.pi)
        case "gelu_tanh":
            tanh = np.tanh(_tanh_argument(x))
            slope = (1 + tanh) / 2 + x * (1 - tanh**2) / 2 * math.sqrt(2 / math.pi) * (1 + 3 * 0.044715 * x**2)
        case "silu":
            slope = _sigmoid(x) * (1 + x * (1 - _sigmoid(x)))
        case "quickgelu":
            share = _sigmoid(1.702 * x)
            slope = share * (1 + 1.702 * x * (1 - share))
        case "softmax":
            return softmax_back(softmax(x), gradient)
        case _:
            assert_never(kind)
    return gradient * slope


def mlp(weights: FinishWeights, name: str, kind: HeadActivation, x: Numbers) -> Numbers:
    """down(activation(up(x)))."""
    return linear(weights, f"{name}.down", activation(kind, linear(weights, f"{name}.up", x)))


def mlp_back(weights: FinishWeights, name: str, kind: HeadActivation, x: Numbers, gradient: Numbers) -> Numbers:
    """The gradient of `mlp` with respect to x."""
    hidden = linear_back(weights, f"{name}.down", gradient)
    hidden = activation_back(kind, linear(weights, f"{name}.up", x), hidden)
    return linear_back(weights, f"{name}.up", hidden)


def head(weights: FinishWeights, spec: Head, x: Numbers) -> Numbers:
    """Pooled features (..., W) -> embeddings (..., E), not normalised."""
    match spec:
        case NoHead():
            return x
        case LinearHead():
            return linear(weights, f"{HEAD}.linear", x)
        case MlpHead():
            return mlp(weights, HEAD, spec.activation, x)
        case ResidualHead():
            return linear(weights, f"{HEAD}.linear", x) + mlp(weights, HEAD, spec.activation, x)
        case _:
            assert_never(spec)


def head_back(weights: FinishWeights, spec: Head, x: Numbers, gradient: Numbers) -> Numbers:
    """The gradient of `head` with respect to x."""
    match spec:
        case NoHead():
            return gradient
        case LinearHead():
            return linear_back(weights, f"{HEAD}.linear", gradient)
        case MlpHead():
            return mlp_back(weights, HEAD, spec.activation, x, gradient)
        case ResidualHead():
            straight = linear_back(weights, f"{HEAD}.linear", gradient)
            return straight + mlp_back(weights, HEAD, spec.activation, x, gradient)
        case _:
            assert_never(spec)


def _sigmoid(x: Numbers) -> Numbers:
    y: Numbers = np.exp(-np.logaddexp(0, -x))
    return y


def _normal_share(x: Numbers) -> Numbers:
    """The share of a normal distribution below x."""
    share: Numbers = (1 + np.asarray(_erf(x / math.sqrt(2)), x.dtype)) / 2
    return share


def _tanh_argument(x: Numbers) -> Numbers:
    argument: Numbers = math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)
    return argument
