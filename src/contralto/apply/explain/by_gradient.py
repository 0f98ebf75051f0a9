"""Maps by the gradient of a cosine at the grid of the tower: one encode, and the way back through the finish."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from contralto.encoder.finish import Finish
from contralto.encoder.finish.layers import Numbers
from contralto.errors import ContraltoError

Float64 = NDArray[np.float64]


def towards(embedding: Numbers, target: Float64) -> Float64:
    """d(cosine)/d(embedding) for an embedding (E,) of any length, and a target (E,): (t - n (n . t)) / |e|.

    The target may be the difference of two texts: the result is then the gradient of the difference of their cosines.
    """
    length = np.linalg.norm(embedding)
    unit = embedding / length
    gradient: Float64 = (target - unit * (unit @ target)) / length
    return gradient


def relevance(finish: Finish, grid: Float64, target: Float64) -> Float64:
    """(h, w): the mean over heads of max(0, a * d cos / d a), a: how the pooled token attends to a cell.

    The last layer of Chefer et al. 2021 (arXiv 2103.15679). Raises ContraltoError for a tower without attention there.
    """
    read = finish.attention(grid, towards(finish.embed(grid), target))
    if read is None:
        raise ContraltoError("method relevance needs a tower that pools by attention: use gradcam or cells")
    positive: Float64 = np.maximum(read.weights * read.gradient, 0).mean(0)
    return positive


def gradcam(finish: Finish, grid: Float64, target: Float64) -> Float64:
    """(h, w): the sum over channels of map * gradient of the cosine, with its sign (after arXiv 1610.02391).

    For a tower that pools by the mean, the gradient is the same in all cells, as the mean that the paper takes.
    Raises ContraltoError for a grid of tokens.
    """
    if grid.ndim != 3:
        raise ContraltoError("method gradcam needs a tower that ends in a map of channels: use relevance or cells")
    gradient = finish.gradient(grid, towards(finish.embed(grid), target))
    contribution: Float64 = (grid * gradient).sum(0)
    return contribution
