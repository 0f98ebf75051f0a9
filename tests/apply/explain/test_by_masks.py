"""RISE against the formula of the paper, with the masks written out."""

from __future__ import annotations

import numpy as np

from contralto.apply.explain.by_masks import CELLS, mask, rise


def test_it_is_the_formula_less_the_mean_score():
    size, samples, seed = (20, 26), 37, 5
    pixels = np.random.default_rng(0).normal(size=(3, *size)).astype(np.float32)
    weights = np.random.default_rng(1).normal(size=(3, *size))
    random = np.random.default_rng(seed)
    masks = [mask(random, *size) for _ in range(samples)]
    scores = [float(np.sin((pixels * one.astype(np.float32) * weights).sum())) for one in masks]
    mean = sum(scores) / samples
    expected = sum((score - mean) * one for score, one in zip(scores, masks, strict=True)) / (samples * 0.5)
    told = []

    def score(several):
        return np.sin((several * weights).sum((1, 2, 3)))

    result = rise(score, pixels, samples, seed, 10, lambda done, total: told.append((done, total)))
    np.testing.assert_allclose(result, expected, atol=1e-6)
    assert told == [(10, 37), (20, 37), (30, 37), (37, 37)]


def test_a_mask_is_bilinear_between_cells_of_0_and_1():
    """Enlarged by hand: the value at a pixel is made of the four cells around it."""
    height, width = 30, 41
    for seed in range(3):
        random = np.random.default_rng(seed)
        result = mask(random, height, width)
        again = np.random.default_rng(seed)
        coarse = (again.random((CELLS, CELLS)) < 0.5).astype(float)
        cell = (5, 6)  # 30 / 7 and 41 / 7, rounded up
        top, left = int(again.integers(0, 5)), int(again.integers(0, 6))
        for y in range(0, height, 7):
            for x in range(0, width, 9):
                v = min(max((y + top + 0.5) * CELLS / (8 * cell[0]) - 0.5, 0), CELLS - 1)
                u = min(max((x + left + 0.5) * CELLS / (8 * cell[1]) - 0.5, 0), CELLS - 1)
                near = np.maximum(0, 1 - np.abs(np.arange(CELLS) - v))[:, None]
                near = near * np.maximum(0, 1 - np.abs(np.arange(CELLS) - u))
                assert abs(result[y, x] - (coarse * near).sum()) < 1e-9


def test_the_place_that_counts_is_the_peak():
    pixels = np.ones((3, 28, 28), np.float32)
    result = rise(lambda several: several[:, 0, 6, 20].astype(float), pixels, 400, 0, 64, lambda *_: None)
    row, column = divmod(int(result.argmax()), 28)
    assert abs(row - 6) <= 3
    assert abs(column - 20) <= 3
