"""The boxes of drawn things, checked by the pixels; and which names are asked for."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from contralto.sets.drawn import drawn_set, location, paint
from contralto.sets.drawn.shapes import FAMILIES, NAMED_SHAPES
from contralto.sets.open import open_set
from contralto.sets.variants.randomness import generator

NAMES = list(NAMED_SHAPES)


def scenes(count):
    return [location.location(index, generator("test", index)) for index in range(count)]


def test_a_box_is_that_of_the_pixels_that_the_shape_changes(monkeypatch):
    monkeypatch.setattr(paint, "_draw_shadows", lambda image, casting: None)
    for scene in scenes(24):
        whole = paint.paint_scene(scene).astype(int)
        for place, true in enumerate(location.true_boxes(scene)):
            parts = tuple(part for i, part in enumerate(scene.parts) if i != place)
            rows, columns = np.nonzero((whole != paint.paint_scene(replace(scene, parts=parts))).any(axis=2))
            x0, y0, x1, y1 = true.box
            painted = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])
            assert (painted[:2] >= np.floor([x0, y0])).all()
            assert (painted[2:] <= np.ceil([x1, y1])).all()
            assert np.abs(painted - true.box).max() <= 1
            assert NAMES[true.label] == scene.parts[place].shape


def test_the_box_of_a_known_square():
    square = paint.DrawnShape("square", "red", 0.5, 0.5, 0.25)
    half = 0.25 / 2**0.5 * 224
    assert paint.painted_box(square) == pytest.approx((112 - half, 112 - half, 112 + half, 112 + half), abs=0.75)


def test_sizes_are_varied_and_boxes_lie_inside_without_overlap():
    sides = []
    for scene in scenes(150):
        boxes = [one.box for one in location.true_boxes(scene)]
        assert 2 <= len(boxes) <= 4
        for i, (x0, y0, x1, y1) in enumerate(boxes):
            assert 0 <= x0 < x1 <= 224
            assert 0 <= y0 < y1 <= 224
            sides.append(max(x1 - x0, y1 - y0))
            for other in boxes[:i]:
                lower, upper = np.maximum((x0, y0), other[:2]), np.minimum((x1, y1), other[2:])
                assert np.prod(np.clip(upper - lower, 0, None)) < 0.1 * (x1 - x0) * (y1 - y0)
    assert min(sides) < 224 / 8
    assert max(sides) > 224 / 2.5
    assert np.std(np.log(sides)) > 0.3


def test_names_are_asked_for_if_they_are_clearly_there_or_clearly_not():
    families = [set(family) for family in FAMILIES]
    asked_absent = Counter()
    for item in drawn_set("drawn_boxes", 30).items:
        shown, left_out = {NAMES[one.label] for one in item.boxes}, {NAMES[label] for label in item.ignored}
        assert len(shown) == len(item.boxes)
        assert not shown & left_out
        for name in set(NAMES) - shown:
            close = any(name in family and family & shown for family in families)
            assert (name in left_out) == close
            asked_absent[name] += not close
    assert min(asked_absent[name] for name in NAMES) > 0


def test_the_set_opens_by_name_and_draws_the_same_pictures():
    data = open_set("drawn_boxes")
    assert (data.task, data.metric, len(data.items)) == ("boxes", "ap50", 200)
    assert [one.name for one in data.classes] == NAMES
    again = drawn_set("drawn_boxes", 3)
    assert np.array_equal(data.items[2].picture, again.items[2].picture)
    assert data.items[2].boxes == again.items[2].boxes
    assert data.items[0].boxes != drawn_set("drawn_boxes", 1, seed=1).items[0].boxes
