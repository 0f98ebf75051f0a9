"""Windows cover the picture, and their sum is a mean that a loop over places gives too."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from support.colour_cells import ColourCells, scene

from contralto.apply.detect import windows
from contralto.apply.detect.windows import CELLS, LEVELS, map_shape, picture_maps, window_boxes

SIZES = [(640, 480), (480, 640), (300, 300), (4000, 40), (3, 900), (1, 1), (33, 7)]


def first_number(rows):
    """The evidence of the fake model: the first number of each row, which is largest where it is red."""
    return rows[..., :1]


def map_of_windows(clip, picture, evidence):
    """Each cell of the map by itself: over the levels, the weighted mean of the windows that it lies in."""
    (rows, columns), (width, height) = map_shape(picture.size), picture.size
    tower = clip.contract.image.size[::-1]
    result = np.zeros((rows, columns))
    for share in LEVELS:
        boxes = window_boxes(picture.size, share)
        crops = [picture.resize(tower, Image.Resampling.BICUBIC, box=box) for box in boxes]
        values = evidence(clip.cells(crops))[..., 0]
        for r, c in np.ndindex(rows, columns):
            x, y = (c + 0.5) * width / columns, (r + 0.5) * height / rows
            total = weight = 0.0
            for (x0, y0, x1, y1), cells in zip(boxes, values, strict=True):
                half_x, half_y = width / columns / 2, height / rows / 2
                if not (x0 - half_x < x < x1 + half_x and y0 - half_y < y < y1 + half_y):
                    continue
                u, v = np.clip((x - x0) / (x1 - x0), 0, 1), np.clip((y - y0) / (y1 - y0), 0, 1)
                near = max(min(u, 1 - u), 0.01) * max(min(v, 1 - v), 0.01)
                across = [np.interp(u * len(row) - 0.5, np.arange(len(row)), row) for row in cells]
                total += near * np.interp(v * len(cells) - 0.5, np.arange(len(cells)), across)
                weight += near
            result[r, c] += total / weight / len(LEVELS)
    return result


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("share", LEVELS)
def test_windows_cover_the_picture_and_stay_in_it(size, share):
    width, height = size
    boxes = np.array(window_boxes(size, share))
    assert (boxes[:, :2] >= 0).all()
    assert (boxes[:, 2:] <= np.array([width, height]) + 1e-6).all()
    assert np.ptp(boxes[:, 2] - boxes[:, 0]) == pytest.approx(0, abs=1e-6)
    for axis, length in ((0, width), (1, height)):
        starts, ends = np.unique(boxes[:, axis].round(6)), np.unique(boxes[:, axis + 2].round(6))
        side = ends[0] - starts[0]
        assert (starts[0], ends[-1]) == (0, pytest.approx(length, abs=1e-5))
        assert (np.diff(starts) <= side / 2 + 1e-5).all(), "neighbours overlap by half at least"
    assert len(boxes) < 400


@pytest.mark.parametrize("size", SIZES)
def test_maps_have_about_square_cells_and_bounded_sides(size):
    rows, columns = map_shape(size)
    assert max(rows, columns) <= 4 * CELLS
    assert min(rows, columns) >= 1
    if max(size) <= 4 * min(size) and min(size) > 1:
        assert min(rows, columns) == CELLS


def test_the_maps_are_those_of_a_loop_over_places():
    clip, picture = ColourCells(), scene((90, 70), ("red", (20, 10, 50, 40)), ("blue", (60, 30, 80, 70)))
    assert np.allclose(picture_maps(clip, picture, first_number)[..., 0], map_of_windows(clip, picture, first_number))


def test_a_picture_of_one_colour_has_a_flat_map():
    maps = picture_maps(ColourCells(), Image.new("RGB", (200, 80), (200, 10, 10)), first_number)
    assert maps.shape == (20, 50, 1)
    assert np.ptp(maps) == pytest.approx(0, abs=1e-6)


def test_what_the_tower_does_not_see_is_left_to_neighbours():
    """A tower that crops the middle: the map must still lie where the thing is."""
    height, width = ColourCells().contract.image.size
    clip = ColourCells(seen=(width / 8, height / 8, width * 7 / 8, height * 7 / 8))
    maps = picture_maps(clip, scene((100, 100), ("red", (40, 20, 80, 60))), first_number)[..., 0]
    rows, columns = np.nonzero(maps > (maps.max() + maps.min()) / 2)
    assert abs((columns.mean() + 0.5) / 20 - 0.6) < 0.03
    assert abs((rows.mean() + 0.5) / 20 - 0.4) < 0.03


@pytest.mark.parametrize("size", SIZES)
def test_pictures_of_any_size_are_read(size):
    maps = picture_maps(ColourCells(), Image.new("RGB", size), first_number)
    assert maps.shape == (*map_shape(size), 1)
    assert np.isfinite(maps).all()


def test_a_large_picture_is_made_smaller_once():
    reduced = windows._reduced(Image.new("RGB", (4000, 3000)), 32)
    assert min(LEVELS) * min(reduced.size) == pytest.approx(32, abs=1)
    assert reduced.width / reduced.height == pytest.approx(4 / 3, rel=0.02)
    small = Image.new("RGB", (110, 100))
    assert windows._reduced(small, 32) is small
