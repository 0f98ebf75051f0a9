"""Maps against one pixel at a time, and cases by hand."""

from __future__ import annotations

import math
import tracemalloc

import numpy as np
import pytest

from contralto.apply.maps import centre, enlarged, resampled


def plain(grid, area, size):
    """One pixel at a time: the four cells around it, weighted by their distance."""
    (rows, columns), (x0, y0, x1, y1), (width, height) = grid.shape, area, size
    result = np.zeros((height, width))
    for y in range(height):
        for x in range(width):
            if not (x0 <= x + 0.5 <= x1 and y0 <= y + 0.5 <= y1):
                continue
            u = min(max((x + 0.5 - x0) / (x1 - x0) * columns - 0.5, 0), columns - 1)
            v = min(max((y + 0.5 - y0) / (y1 - y0) * rows - 0.5, 0), rows - 1)
            for r in range(rows):
                for c in range(columns):
                    result[y, x] += grid[r, c] * max(0, 1 - abs(u - c)) * max(0, 1 - abs(v - r))
    return result


@pytest.mark.parametrize(
    ("places", "area", "size"),
    [
        ((3, 4), (0, 0, 40, 30), (40, 30)),
        ((2, 2), (7.3, 0, 28.6, 21), (36, 21)),
        ((7, 7), (0, 2.5, 3, 5.5), (3, 9)),
        ((1, 5), (0, 0, 11, 80), (11, 80)),
        ((2, 3), (-4.5, -3, 20, 18), (16, 15)),
    ],
)
def test_a_map_is_bilinear_inside_the_area_and_zero_outside(places, area, size):
    grid = np.random.default_rng(0).normal(size=places)
    result = enlarged(grid, area, size)
    assert result.dtype == np.float32
    assert result.shape == size[::-1]
    np.testing.assert_allclose(result, plain(grid, area, size), atol=1e-6)


def test_a_map_by_hand():
    np.testing.assert_allclose(enlarged(np.array([[0.0, 4.0]]), (1, 0, 5, 1), (6, 1)), [[0, 0, 1, 3, 4, 0]])


def test_an_area_without_a_pixel_gives_zeros():
    assert not enlarged(np.ones((2, 2)), (3.6, 0, 3.9, 4), (8, 4)).any()


def test_a_map_of_many_pixels_takes_little_more_than_itself():
    tracemalloc.start()
    try:
        result = enlarged(np.ones((7, 7)), (0, 0, 2000, 1500), (2000, 1500))
        assert tracemalloc.get_traced_memory()[1] < 1.25 * result.nbytes
    finally:
        tracemalloc.stop()


def test_the_centre_of_a_cell_is_a_pixel_of_the_picture():
    assert centre((0, 0), (2, 2), (10, 0, 50, 40), (60, 40)) == (20, 10)
    assert centre((1, 1), (2, 2), (10, 0, 50, 40), (60, 40)) == (40, 30)
    assert centre((6, 6), (7, 7), (0, 0, 2, 1), (2, 1)) == (1, 0)


def test_a_grid_with_other_places_agrees_with_the_map_of_that_size():
    grid = np.random.default_rng(1).normal(size=(3, 5))
    finer = resampled(grid, (7, 12))
    np.testing.assert_allclose(finer, enlarged(grid, (0, 0, 12, 7), (12, 7)), atol=1e-6)
    assert math.isclose(finer[0, 0], grid[0, 0])
