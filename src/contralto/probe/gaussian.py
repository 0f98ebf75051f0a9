"""A Gaussian for each class with one covariance for all, added to a zero-shot classifier (Wang et al. 2024, arXiv
2402.04087, "A hard-to-beat baseline for training-free CLIP-based adaptation"): a closed form for several pictures a
class.

    logits(x) = x Z' + alpha (x W' + b),  W = M P,  b = -1/2 diag(M P M') - log K,  P = d ((n - 1) C + tr(C) I)^-1

with Z the zero-shot rows, M (K, d) the class means, and C the covariance (divided by n - 1) of the n rows, each less
its class mean. The shrinkage makes P exist unless C is zero.
"""

from __future__ import annotations

from typing import Final, Self

import numpy as np
from numpy.typing import ArrayLike

from contralto import arguments
from contralto.probe.estimator import ZeroShotProbe, one_hot, training_data
from contralto.probe.objective import Float

SAME: Final = 1e-10  # a scatter within the classes that is a smaller share of the rows' squares is float32 rounding


class GaussianProbe(ZeroShotProbe):
    """Zero-shot logits plus alpha times those of Gaussians with a shared covariance; see the module and
    `ZeroShotProbe`.

    Where all rows of a class are the same row, as with one picture a class, there is no covariance: the logits are then
    zero-shot alone. A class without a row gets the mean of the other classes' means: its term is an average class's.

    alpha: the weight of the learned term, at least 0. After `fit`: weight_ float64 (K, d) and bias_ float64 (K,), with
    alpha inside: logits are x zero_shot_' + x weight_' + bias_.
    """

    weight_: Float
    bias_: Float

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = alpha

    def fit(self, rows: ArrayLike, labels: ArrayLike, zero_shot: ArrayLike) -> Self:
        """Fits to unit rows (N, d) with labels (N,) in 0..K-1, from zero_shot (K, d). Raises ContraltoError."""
        alpha = arguments.number(self.alpha, "alpha", 0)
        given, places, classes = training_data(rows, labels, zero_shot)
        members = one_hot(places, len(classes))
        counts = members.sum(axis=0)
        means = (members.T @ given) / np.maximum(counts, 1)[:, None]
        given -= means[places]  # now the rows less their class mean
        means[counts == 0] = means[counts > 0].mean(axis=0)
        self.weight_, self.bias_ = np.zeros_like(means), np.zeros(len(means))
        squares = float(np.vdot(given, given))
        if squares > SAME * float(np.vdot(means[places], means[places])):
            scatter = given.T @ given  # (n - 1) C
            scatter.flat[:: len(scatter) + 1] += squares / (len(given) - 1)  # tr(C)
            weight = given.shape[1] * np.linalg.solve(scatter, means.T).T
            self.weight_ = alpha * weight
            self.bias_ = alpha * (-np.einsum("ij,ij->i", weight, means) / 2 - np.log(len(means)))
        self._start(classes)
        return self

    def _learned(self, rows: Float) -> Float:
        return rows @ self.weight_.T + self.bias_
