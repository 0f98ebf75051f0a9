"""The picture of a map: honest colours, one scale, nothing where nothing is."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from contralto.apply.explain import METHODS, Explanation
from contralto.apply.map_pictures import FLOOR_OF_ALL_CELLS, FLOORS, LONGEST_SIDE, colours, drawn, full_strength

SIZE = (400, 300)
GREY = Image.new("RGB", SIZE, (120, 120, 120))


def explanation(grid, method="cells", seen=(0, 0, 400, 300)):
    return Explanation(np.asarray(grid, np.float32), seen, seen, SIZE, 0.2, method, [])


def photo(image):
    """The part above the legend."""
    return np.asarray(image)[: SIZE[1]].astype(int)


def test_lightness_grows_all_the_way_from_black_to_white():
    table = colours(np.linspace(0, 1, 101))
    assert (np.diff(table @ (0.299, 0.587, 0.114)) > 0).all()
    np.testing.assert_array_equal(table[[0, -1]], [[0, 0, 0], [255, 255, 255]])


def test_the_scale_is_the_largest_of_the_texts_and_never_below_the_floor():
    weak, strong = explanation([[0.0, 0.01]]), explanation([[-3.0, 0.4]])
    assert full_strength([weak, strong]) == pytest.approx(0.4)
    assert full_strength([weak]) == FLOORS["cells"]
    assert full_strength([explanation(np.zeros((2, 5)), "gradcam")]) == FLOOR_OF_ALL_CELLS / 10


@pytest.mark.parametrize("method", METHODS)
def test_what_does_not_speak_for_the_text_is_not_coloured(method):
    flat = drawn(GREY, explanation([[0.0, -0.2], [-1.0, 0.0]], method), 0.2)
    assert len(np.unique(photo(flat).reshape(-1, 3), axis=0)) == 1
    assert flat.height > SIZE[1]


def test_strong_places_are_lighter_and_the_peak_has_a_ring():
    pixels = photo(drawn(GREY, explanation([[0.2, 0.0, 0.0, 0.0]]), 0.2))
    assert pixels[10, 5].sum() > 600
    assert np.ptp(pixels[10, 399]) == 0
    assert (pixels[150, 50 - 7] == 255).all() or (pixels[150, 50 - 6] == 255).all()


def test_what_was_not_seen_is_hatched_and_dark():
    pixels = photo(drawn(GREY, explanation([[0.0]], seen=(50, 0, 350, 300)), 0.2))
    outside, inside = pixels[:, :50].reshape(-1, 3), pixels[:, 50:350].reshape(-1, 3)
    assert len(np.unique(outside, axis=0)) == 2
    assert len(np.unique(inside, axis=0)) == 1
    assert outside.mean() < inside.mean()


def test_a_huge_picture_is_reduced_and_a_small_one_enlarged():
    one = Explanation(np.ones((2, 2), np.float32), (0, 0, 4000, 40), (0, 0, 4000, 40), (4000, 40), 0.1, "cells", [])
    assert drawn(Image.new("RGB", (4000, 40)), one, 1.0).width == LONGEST_SIDE
    assert drawn(Image.new("RGB", (100, 1)), one, 1.0).width == 320
    thin = Explanation(np.ones((2, 2), np.float32), (0, 0, 1, 9000), (0, 0, 1, 9000), (1, 9000), 0.1, "cells", [])
    assert drawn(Image.new("RGB", (1, 9000)), thin, 1.0).height <= LONGEST_SIDE + 100
