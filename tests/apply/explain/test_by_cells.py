"""Cells of the whole and of windows on one grid."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from contralto.apply.explain import by_cells
from contralto.apply.explain.by_cells import View, cells
from contralto.encoder.grids import Grids


class Direct:
    """A map whose channels are the joint space already."""

    places, ways = (1, 2), ("plain",)

    def cells(self, grid, how):
        assert how == "plain"
        return grid.transpose(1, 2, 0)


CLIP = SimpleNamespace(grids=Grids(None, None))


def grid(*columns):
    """(2, 1, n): each column is the direction of an angle, of any length."""
    angles = np.radians(np.array(columns, np.float64))
    return 3 * np.stack([np.cos(angles), np.sin(angles)])[:, None]


def test_one_view_is_the_cosine_less_the_mean_on_a_finer_grid():
    result = cells(CLIP, Direct(), [View(grid(0, 90), (0, 0, 40, 20))], np.array([1.0, 0.0]))
    np.testing.assert_allclose(result, [[0.5, 0.25, -0.25, -0.5]] * 2, atol=1e-6)


def test_views_that_overlap_count_as_their_mean():
    whole, left = View(grid(90, 90), (10, 0, 50, 20)), View(grid(0, 0), (10, 0, 30, 20))
    result = cells(CLIP, Direct(), [whole, left], np.array([1.0, 0.0]))
    np.testing.assert_allclose(result, [[0.25, 0.25, -0.25, -0.25]] * 2, atol=1e-6)


def test_the_adapter_sees_unit_rows():
    given = []
    swapped = SimpleNamespace(grids=Grids(None, None, lambda rows: given.append(rows) or rows[:, ::-1]))
    view = View(grid(0, 90), (0, 0, 40, 20))
    result = cells(swapped, Direct(), [view], np.array([1.0, 0.0]))
    np.testing.assert_allclose(result, -cells(CLIP, Direct(), [view], np.array([1.0, 0.0])), atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(given[0], axis=1), 1, atol=1e-6)


@pytest.mark.parametrize("size", [(90, 60), (61, 250), (1, 1), (2, 900)])
def test_windows_cover_what_the_tower_saw_and_nothing_else(nano, size):
    image = Image.fromarray(np.random.default_rng(0).integers(0, 255, (size[1], size[0], 3), np.uint8))
    whole = nano.grids.area(size)
    views = by_cells.windows(nano, image)
    areas = np.array([view.area for view in views])
    assert len(views) == 4
    assert views[0].grid.shape == nano.grids.of(nano.preprocess(image)).shape[1:]
    assert (areas.min(0) >= np.array([whole[0] - 1, whole[1] - 1, 0, 0])).all()
    np.testing.assert_allclose(areas[:, :2].min(0), whole[:2], atol=1)
    np.testing.assert_allclose(areas[:, 2:].max(0), whole[2:], atol=1)
