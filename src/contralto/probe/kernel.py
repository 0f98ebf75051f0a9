"""Kernel ridge regression that starts from a zero-shot classifier: a closed form, good from one picture a class on.

It learns what the zero-shot logits lack of the one-hot labels. In units of probability, that is logits / scale:

    logits(x) = x Z' + scale k(x, S) (k(S, S) + I / strength)^-1 (Y - S Z' / scale),  k(x, s) = exp(-beta (1 - x.s))

with Z the zero-shot rows, scale = |Z[0]|, S the training rows (the keys) and Y their one-hot labels. The kernel is
Tip-Adapter's (Zhang et al. 2022, arXiv 2111.03930), and regularising towards the zero-shot classifier is the idea of
ProKeR (2025); the formula is ours.

Leave-one-out costs no refit: with B the inverse of k(S, S) + I / strength, a training row's logits by the probe fitted
without the rows of its group g are scale Y[g] - (B[g, g])^-1 (B R)[g], R = scale Y - S Z'. Its plain twin, N refits, is
in tests/probe/test_kernel.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from contralto import arguments
from contralto.probe.estimator import ZeroShotProbe, one_hot, training_data
from contralto.probe.inputs import ProbeError, checked_groups
from contralto.probe.linear import checked_strength
from contralto.probe.objective import Float

CLOSENESS_PER_BLOCK: Final = 2**24  # 128 MB
MAX_EXPONENT: Final = 700.0  # exp(709) is the largest float64
SMALL: Final = 64  # rows of a triangular matrix that is inverted directly


def closeness(rows: Float, keys: Float, beta: float) -> Float:
    """exp(-beta (1 - rows keys')), float64 (M, N), of unit rows (M, d) and keys (N, d): 1 where they are equal.

    Raises ProbeError for rows that are so long that it overflows.
    """
    near = rows.astype(np.float64, copy=False) @ keys.astype(np.float64, copy=False).T
    near -= 1.0
    near *= beta
    if near.size and near.max() > MAX_EXPONENT:
        raise ProbeError("rows are too long for a probe by cosine: give embeddings, which are unit rows")
    return np.asarray(np.exp(near, out=near))


def weighted_closeness(rows: Float, keys: Float, beta: float, weights: Float) -> Float:
    """closeness(rows, keys, beta) @ weights, (M, K), in blocks of rows."""
    step = max(CLOSENESS_PER_BLOCK // len(keys), 1)
    blocks = [closeness(rows[at : at + step], keys, beta) @ weights for at in range(0, len(rows), step)]
    return np.concatenate(blocks)


class KernelProbe(ZeroShotProbe):
    """Zero-shot logits plus kernel ridge regression of what they lack; see the module and `ZeroShotProbe`.

    strength: how much the labelled rows count, above 0; towards 0 it is the zero-shot classifier, and 1 / strength is
    ridge regression's lambda. beta: how fast a row's influence falls with its distance, above 0.

    After `fit`: keys_ float64 (N, d), weights_ float64 (N, K): logits are x zero_shot_' + closeness(x, keys_, beta_)
    weights_, with beta_ the beta of the fit.

    Fitting takes N^2 float64 (three times) and N^3 operations: about a second for 3,000 rows.
    """

    keys_: Float
    weights_: Float
    beta_: float

    def __init__(self, strength: float = 10.0, beta: float = 5.5) -> None:
        self.strength, self.beta = strength, beta

    def fit(self, rows: ArrayLike, labels: ArrayLike, zero_shot: ArrayLike) -> Self:
        """Fits to unit rows (N, d) with labels (N,) in 0..K-1, from zero_shot (K, d). Raises ContraltoError."""
        problem = KernelProblem(rows, labels, zero_shot, self.beta)
        return self.take(problem, problem.solve(self.strength))

    def take(self, problem: KernelProblem, solution: KernelSolution) -> Self:
        """Takes over a solution of `problem`."""
        self._start(problem.zero_shot)
        self._labels = problem.labels
        self._strength = solution.strength
        self.keys_, self.weights_, self.beta_ = problem.keys, solution.weights, problem.beta
        return self

    def leave_out(self, groups: ArrayLike | None = None) -> Float:
        """Logits (N, K) of each training row by the probe fitted without it, exactly, without a refit.

        groups: whole numbers (N,); rows with the same number are left out together, such as views of one picture. A
        group of all rows has the zero-shot logits. For many strengths use `KernelProblem`, which prepares the kernel
        once. Raises ContraltoError.
        """
        self._require_fit()
        problem = KernelProblem(self.keys_, self._labels, self.zero_shot_, self.beta_)
        return problem.solve(self._strength).leave_out(groups)

    def _learned(self, rows: Float) -> Float:
        return weighted_closeness(rows, self.keys_, self.beta_, self.weights_)


class KernelProblem:
    """Rows, labels and their kernel, prepared once for fits at any number of strengths. Raises ContraltoError.

    rows (N, d), labels (N,) and zero_shot (K, d) as for `KernelProbe.fit`.
    """

    def __init__(self, rows: ArrayLike, labels: ArrayLike, zero_shot: ArrayLike, beta: float = 5.5) -> None:
        self.beta = arguments.number(beta, "beta", 0, edges=False)
        self.keys, self.labels, self.zero_shot = training_data(rows, labels, zero_shot)
        scale = float(np.linalg.norm(self.zero_shot[0]))
        if scale == 0:
            raise ProbeError("zero_shot: row 0 is all zeros, but its length is the scale of the logits")
        self._wanted = scale * one_hot(self.labels, len(self.zero_shot))
        self._kernel = closeness(self.keys, self.keys, self.beta)

    def solve(self, strength: float) -> KernelSolution:
        """The weights at `strength`. Raises ContraltoError."""
        strength = checked_strength(strength)
        matrix = self._kernel.copy()
        matrix.flat[:: len(matrix) + 1] += 1 / strength
        try:
            root = _lower_inverse(np.asarray(np.linalg.cholesky(matrix), np.float64))
        except np.linalg.LinAlgError as error:
            raise ProbeError(
                f"strength {strength:g} is too large for rows so much alike: give a smaller one"
            ) from error
        lacking = self._wanted - self.keys @ self.zero_shot.T
        return KernelSolution(strength, root.T @ (root @ lacking), self._wanted, root)


@dataclass(frozen=True, eq=False)
class KernelSolution:
    """weights (N, K) at a strength; wanted (N, K): scale times the one-hot labels; root (N, N), lower triangular: root'
    root is the inverse of k(S, S) + I / strength.
    """

    strength: float
    weights: Float
    wanted: Float
    root: Float

    def leave_out(self, groups: ArrayLike | None = None) -> Float:
        """Logits (N, K) of each training row by the probe without its group (None: without it alone); see
        `KernelProbe.leave_out`. Raises ContraltoError.
        """
        lacking = self.weights / np.einsum("ij,ij->j", self.root, self.root)[:, None]
        if groups is not None:
            for members in _groups_of_several(checked_groups(groups, len(self.weights))):
                block = self.root[:, members]
                lacking[members] = np.linalg.solve(block.T @ block, self.weights[members])
        return np.asarray(self.wanted - lacking)


def _groups_of_several(groups: NDArray[np.int64]) -> list[NDArray[np.intp]]:
    """The rows of each group that has more than one."""
    order = np.argsort(groups, kind="stable")
    starts = np.flatnonzero(np.diff(groups[order])) + 1
    return [members for members in np.split(order, starts) if len(members) > 1]


def _lower_inverse(lower: Float) -> Float:
    """The inverse of a lower triangular matrix, by halves; NumPy has no solver for triangles."""
    count = len(lower)
    if count <= SMALL:
        return np.tril(np.linalg.inv(lower))
    half = count // 2
    inverse = np.zeros_like(lower)
    inverse[:half, :half] = _lower_inverse(lower[:half, :half])
    inverse[half:, half:] = _lower_inverse(lower[half:, half:])
    inverse[half:, :half] = -inverse[half:, half:] @ (lower[half:, :half] @ inverse[:half, :half])
    return inverse
