"""Relevance and gradcam on finishes that are a few numbers, and the gradient of a cosine by differences."""

from __future__ import annotations

import numpy as np
import pytest

from contralto.apply.explain.by_gradient import gradcam, relevance, towards
from contralto.encoder.finish import LastAttention
from contralto.errors import ContraltoError


def cosine(embedding, target):
    return embedding @ target / np.linalg.norm(embedding)


def test_the_gradient_of_the_cosine_is_that_of_differences():
    random = np.random.default_rng(0)
    embedding, target = random.normal(size=6), random.normal(size=6)
    steps = 1e-6 * np.eye(6)
    slopes = [(cosine(embedding + s, target) - cosine(embedding - s, target)) / 2e-6 for s in steps]
    np.testing.assert_allclose(towards(embedding, target), slopes, atol=1e-8)


class Mean:
    """The mean of a map (2, h, w) is the embedding."""

    def embed(self, grid):
        return grid.mean((1, 2))

    def gradient(self, grid, direction):
        cells = grid.shape[1] * grid.shape[2]
        return np.broadcast_to(direction[:, None, None] / cells, grid.shape)

    def attention(self, grid, direction):
        return None


def test_gradcam_by_hand():
    grid = np.array([[[3.0, 3.0]], [[0.0, 8.0]]])  # the mean is (3, 4), of length 5
    target = np.array([0.0, 1.0])
    slope = np.array([0.0 - 0.6 * 0.8, 1 - 0.8 * 0.8]) / 5
    expected = [[(3 * slope[0] + 0 * slope[1]) / 2, (3 * slope[0] + 8 * slope[1]) / 2]]
    np.testing.assert_allclose(gradcam(Mean(), grid, target), expected)


class Attending:
    """Attention of two heads over 1 x 2 cells; its gradient is a matrix times the direction."""

    weights = np.array([[[0.2, 0.5]], [[0.4, 0.1]]])
    slopes = np.array([[[[1.0, 0.0], [0.0, 2.0]]], [[[-3.0, 0.0], [0.0, 4.0]]]])

    def embed(self, grid):
        return grid[0]

    def attention(self, grid, direction):
        return LastAttention(self.weights, self.slopes @ direction)


def test_relevance_by_hand():
    grid, target = np.array([[1.0, 0.0], [9.0, 9.0]]), np.array([0.3, 0.7])
    direction = np.array([0.0, 0.7])  # the part of the target that is not along the embedding
    gradient = Attending.slopes @ direction
    expected = (np.maximum(0, 0.2 * gradient[0, 0, 0]) + np.maximum(0, 0.4 * gradient[1, 0, 0])) / 2
    result = relevance(Attending(), grid, target)
    assert result.shape == (1, 2)
    assert result[0, 0] == pytest.approx(expected)
    assert result[0, 1] == pytest.approx((0.5 * 2 * 0.7 + 0.1 * 4 * 0.7) / 2)
    assert (relevance(Attending(), grid, -target) == 0).all()


def test_a_method_that_the_tower_does_not_have_is_named():
    with pytest.raises(ContraltoError, match="relevance needs a tower that pools by attention"):
        relevance(Mean(), np.ones((2, 1, 2)), np.ones(2))
    with pytest.raises(ContraltoError, match="gradcam needs a tower that ends in a map"):
        gradcam(Attending(), np.ones((2, 2)), np.ones(2))
