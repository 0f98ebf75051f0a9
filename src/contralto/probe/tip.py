"""Tip-Adapter (Zhang et al. 2022, arXiv 2111.03930): the labels of near training rows, added to a zero-shot classifier.

    logits(x) = x Z' + alpha exp(-beta (1 - x S')) Y

with Z the zero-shot rows, S the training rows (the keys) and Y their one-hot labels. Tip-Adapter-F trains S.
"""

from __future__ import annotations

from typing import Any, Final, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from contralto import arguments
from contralto.probe.adamw import AdamW
from contralto.probe.estimator import ZeroShotProbe, one_hot, probabilities, training_data
from contralto.probe.kernel import weighted_closeness
from contralto.probe.objective import Float

BATCH: Final = 256  # rows; this and the settings of AdamW are the paper's public code's
RATE: Final = 1e-3
EPSILON: Final = 1e-4
DECAY: Final = 0.01


class TipAdapter(ZeroShotProbe):
    """Zero-shot logits plus alpha times the labels of near training rows; see the module and `ZeroShotProbe`.

    alpha, at least 0, and beta, above 0, were published for logits of scale 100. tune: the number of epochs for which
    the keys are trained (Tip-Adapter-F; the paper takes 20), 0 for none. seed: of the order of the rows in training.

    After `fit`: keys_ float64 (N, d), no unit rows after training; weights_ float64 (N, K), alpha at each label: logits
    are x zero_shot_' + closeness(x, keys_, beta_) weights_, with beta_ the beta of the fit.
    """

    keys_: Float
    weights_: Float
    beta_: float

    def __init__(self, alpha: float = 1.0, beta: float = 5.5, tune: int = 0, seed: int = 0) -> None:
        self.alpha, self.beta, self.tune, self.seed = alpha, beta, tune, seed

    def fit(self, rows: ArrayLike, labels: ArrayLike, zero_shot: ArrayLike) -> Self:
        """Fits to unit rows (N, d) with labels (N,) in 0..K-1, from zero_shot (K, d). Raises ContraltoError."""
        alpha, beta = arguments.number(self.alpha, "alpha", 0), arguments.number(self.beta, "beta", 0, edges=False)
        epochs, seed = arguments.whole(self.tune, "tune", 0), arguments.whole(self.seed, "seed", 0)
        keys, places, classes = training_data(rows, labels, zero_shot)
        weights = alpha * one_hot(places, len(classes))
        if epochs:
            keys = _tuned(keys, places, classes, weights, beta, epochs, seed)
        self._start(classes)
        self.keys_, self.weights_, self.beta_ = keys, weights, beta
        return self

    def _learned(self, rows: Float) -> Float:
        return weighted_closeness(rows, self.keys_, self.beta_, self.weights_)


def _tuned(
    rows: Float, labels: NDArray[np.intp], zero_shot: Float, weights: Float, beta: float, epochs: int, seed: int
) -> Float:
    """The keys after training, with products in float32."""
    queries = rows.astype(np.float32)
    keys, weights, start = queries.copy(), weights.astype(np.float32), (rows @ zero_shot.T).astype(np.float32)
    optimiser = AdamW([keys], RATE, epochs * -(-len(rows) // BATCH), DECAY, EPSILON)
    generator = np.random.default_rng(seed)
    for _ in range(epochs):
        order = generator.permutation(len(rows))
        for first in range(0, len(rows), BATCH):
            batch = order[first : first + BATCH]
            optimiser.step(gradient(keys, weights, beta, queries[batch], labels[batch], start[batch]))
    return keys.astype(np.float64)


def gradient(
    keys: NDArray[Any],
    weights: NDArray[Any],
    beta: float,
    rows: NDArray[Any],
    labels: NDArray[np.intp],
    zero_shot_logits: NDArray[Any],
) -> NDArray[Any]:
    """The gradient (N, d), by the keys (N, d), of the mean cross-entropy of rows (B, d) with labels (B,) and zero-shot
    logits (B, K), in the floats given.
    """
    near = np.exp(beta * (rows @ keys.T - 1))
    residuals = probabilities(zero_shot_logits + near @ weights)
    residuals[np.arange(len(labels)), labels] -= 1
    near *= residuals @ weights.T
    return np.asarray((beta / len(rows)) * (near.T @ rows))
