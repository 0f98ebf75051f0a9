"""The search for tight boxes against a look at every box, and hand-made maps."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from contralto.apply.detect.tight import tight_boxes


def quality(positive, box):
    x0, y0, x1, y1 = box
    return positive[y0:y1, x0:x1].sum() ** 2 / ((x1 - x0) * (y1 - y0))


def best_of_all(positive):
    """The highest quality that any box of the map has."""
    rows, columns = positive.shape
    across, down = itertools.combinations(range(columns + 1), 2), list(itertools.combinations(range(rows + 1), 2))
    return max(quality(positive, (x0, y0, x1, y1)) for x0, x1 in across for y0, y1 in down)


def blob(rows, columns, box, value=1.0):
    positive = np.zeros((rows, columns))
    x0, y0, x1, y1 = box
    positive[y0:y1, x0:x1] = value
    return positive


@pytest.mark.parametrize("box", [(3, 2, 9, 8), (0, 0, 4, 12), (10, 1, 16, 3), (0, 0, 16, 12), (5, 5, 6, 6)])
def test_a_flat_thing_gets_exactly_its_box(box):
    (only,) = tight_boxes(blob(12, 16, box, 0.7), 5)
    assert only.box == box
    assert (only.share, only.mean) == (pytest.approx(1), pytest.approx(0.7))


def test_two_things_get_a_box_each_the_stronger_first():
    first, second = (1, 1, 6, 6), (9, 5, 14, 11)
    boxes = list(tight_boxes(blob(12, 16, first, 1.0) + blob(12, 16, second, 2.0), 5))
    assert [one.box for one in boxes] == [second, first]
    assert boxes[0].share == pytest.approx(60 / 85)
    assert boxes[1].share == pytest.approx(25 / 85), "of the whole map, not of what is left"


@pytest.mark.parametrize("seed", range(6))
def test_the_search_is_nearly_as_good_as_looking_at_every_box(seed):
    random = np.random.default_rng(seed)
    x, y = random.integers(2, 9, 2)
    near = np.hypot(*(np.indices((12, 14)) - [[[y]], [[x]]])) < random.uniform(2, 4)
    positive = np.where(near, 1.0, 0) + 0.3 * random.random((12, 14))
    best = next(tight_boxes(positive, 1))
    assert quality(positive, best.box) >= 0.98 * best_of_all(positive)


def test_boxes_are_within_the_map_and_the_map_is_unchanged():
    positive = np.random.default_rng(1).random((7, 25))
    before = positive.copy()
    boxes = list(tight_boxes(positive, 8))
    assert 1 <= len(boxes) <= 8
    assert all(0 <= x0 < x1 <= 25 and 0 <= y0 < y1 <= 7 for x0, y0, x1, y1 in (one.box for one in boxes))
    assert np.array_equal(positive, before)


@pytest.mark.parametrize("shape", [(1, 1), (1, 80), (20, 20)])
def test_an_empty_map_has_no_box(shape):
    assert list(tight_boxes(np.zeros(shape), 3)) == []
    assert next(tight_boxes(np.ones(shape), 1)).box == (0, 0, shape[1], shape[0])
