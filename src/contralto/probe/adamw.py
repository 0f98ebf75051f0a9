"""AdamW (Loshchilov and Hutter 2019) in NumPy with a cosine schedule down to 0, for trained matrices of a few MB.

Its plain twin is torch.optim.AdamW with CosineAnnealingLR, in tests/probe/test_adamw.py.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

MOMENTA: Final = (0.9, 0.999)


class AdamW:
    """Trains arrays of floats in place.

    rate: the learning rate of the first step; step t of `steps` has rate (1 + cos(pi t / steps)) / 2. decay: of the
    arrays themselves, times the learning rate, not through the gradient. momenta: of the means and of the squares.
    """

    def __init__(
        self,
        arrays: Sequence[NDArray[Any]],
        rate: float,
        steps: int,
        decay: float = 0.0,
        epsilon: float = 1e-8,
        momenta: tuple[float, float] = MOMENTA,
    ) -> None:
        self._arrays, self._rate, self._steps, self._decay, self._epsilon = arrays, rate, steps, decay, epsilon
        self._means = [np.zeros_like(one) for one in arrays]
        self._squares = [np.zeros_like(one) for one in arrays]
        self._momenta, self._done = momenta, 0

    def step(self, *gradients: NDArray[Any]) -> None:
        """One step, with a gradient for each array."""
        rate = self._rate * (1 + math.cos(math.pi * self._done / self._steps)) / 2
        self._done += 1
        bias, square_bias = (1 - momentum**self._done for momentum in self._momenta)
        for array, mean, square, gradient in zip(self._arrays, self._means, self._squares, gradients, strict=True):
            mean += (1 - self._momenta[0]) * (gradient - mean)
            square += (1 - self._momenta[1]) * (gradient * gradient - square)
            array *= 1 - rate * self._decay
            array -= rate / bias * mean / (np.sqrt(square) / math.sqrt(square_bias) + self._epsilon)
