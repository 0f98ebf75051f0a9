"""The last linear map of a tower's head, and what it reads: `projection` trains this matrix on cached features.

An embedding before normalisation is P f + rest, with P the matrix, f what it reads (the pooled features, or the hidden
units of a head of two layers) and rest everything else: biases, and the other branch of a residual head.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, assert_never

import numpy as np
from numpy.typing import NDArray

from contralto.architecture import LinearHead, MlpHead, NoHead, ResidualHead, ResNet
from contralto.architecture.towers import HeadActivation
from contralto.engine.base import TowerName
from contralto.errors import ContraltoError
from contralto.weights.checkpoint import Checkpoint

Floats = NDArray[np.float64]
GELU_TANH: Final = math.sqrt(2 / math.pi)


@dataclass(frozen=True, eq=False)
class LastLayer:
    """name: of the matrix in the checkpoint. read float64 (N, w), matrix float64 (d, w), rest float64 (N, d)."""

    name: str
    read: Floats
    matrix: Floats
    rest: Floats


def last_layer(checkpoint: Checkpoint, tower: TowerName, features: NDArray[np.float32]) -> LastLayer:
    """The last layer of the tower for these features (N, w). Raises ContraltoError for a tower without one."""
    stated = checkpoint.contract.image.tower if tower == "image" else checkpoint.contract.text.tower
    if isinstance(stated, ResNet):
        raise ContraltoError("a ResNet's projection lies in its attention pool: take adapter, or a method for classes")
    f = features.astype(np.float64)
    none = np.zeros((len(f), checkpoint.contract.embedding))

    def array(name: str) -> Floats:
        return checkpoint.array(f"{tower}.head.{name}").astype(np.float64)

    match stated.head:
        case NoHead():
            raise ContraltoError(f"the {tower} tower has no projection to train: take adapter, or a method for classes")
        case LinearHead(bias=bias):
            return LastLayer(
                f"{tower}.head.linear", f, array("linear.weight"), none + (array("linear.bias") if bias else 0)
            )
        case MlpHead(activation=activation):
            hidden = _activated(f @ array("up.weight").T + array("up.bias"), activation)
            return LastLayer(f"{tower}.head.down", hidden, array("down.weight"), none)
        case ResidualHead(activation=activation):
            hidden = _activated(f @ array("up.weight").T + array("up.bias"), activation)
            rest = hidden @ array("down.weight").T + array("down.bias") + array("linear.bias")
            return LastLayer(f"{tower}.head.linear", f, array("linear.weight"), rest)
        case _:
            assert_never(stated.head)


def _activated(x: Floats, activation: HeadActivation) -> Floats:
    match activation:
        case "gelu":
            return np.asarray(x * (1 + _erf(x / math.sqrt(2))) / 2)
        case "gelu_tanh":
            return np.asarray(x * (1 + np.tanh(GELU_TANH * (x + 0.044715 * x**3))) / 2)
        case "quickgelu":
            return np.asarray(x / (1 + np.exp(-1.702 * x)))
        case "relu":
            return np.asarray(np.maximum(x, 0))
        case "relu6":
            return np.asarray(np.clip(x, 0, 6))
        case "silu":
            return np.asarray(x / (1 + np.exp(-x)))
        case "softmax":
            powers = np.exp(x - x.max(axis=1, keepdims=True))
            return np.asarray(powers / powers.sum(axis=1, keepdims=True))
        case _:
            assert_never(activation)


def _erf(x: Floats) -> Floats:
    return np.array([math.erf(value) for value in x.flat]).reshape(x.shape)
