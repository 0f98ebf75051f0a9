"""Occlusion against a plain loop over the places."""

from __future__ import annotations

import numpy as np
import pytest

from contralto.apply.explain.by_occlusion import STEPS, occlusion


@pytest.mark.parametrize(("size", "batch"), [((32, 32), 8), ((37, 50), 64), ((16, 24), 1)])
def test_it_is_the_mean_loss_of_the_squares_that_cover_a_place(size, batch):
    random = np.random.default_rng(0)
    pixels = random.normal(size=(3, *size)).astype(np.float32)
    weights = random.normal(size=(3, *size))
    counts = []

    def score(several):
        counts.append(len(several))
        return np.array([np.tanh((one * weights).sum() / 50) for one in several])

    expected = np.zeros((8, 8))
    for i in range(8):
        for j in range(8):
            losses = []
            for row in range(7):
                for column in range(7):
                    if row <= i <= row + 1 and column <= j <= column + 1:
                        painted = pixels.copy()
                        top, bottom = round(row * size[0] / 8), round((row + 2) * size[0] / 8)
                        left, right = round(column * size[1] / 8), round((column + 2) * size[1] / 8)
                        painted[:, top:bottom, left:right] = 0
                        losses.append((score(pixels[None]) - score(painted[None]))[0])
            expected[i, j] = np.mean(losses)
    counts.clear()
    np.testing.assert_allclose(occlusion(score, pixels, batch), expected, atol=1e-12)
    assert sum(counts) == (STEPS - 1) ** 2 + 1
    assert max(counts) <= batch


def test_only_a_place_that_counts_is_marked():
    pixels = np.ones((3, 32, 32), np.float32)
    result = occlusion(lambda several: several[:, 0, 10, 21].astype(float), pixels, 16)
    row, column = 10 * 8 // 32, 21 * 8 // 32
    assert result[row, column] == result.max() == 1
    assert not result[:, : column - 1].any()
