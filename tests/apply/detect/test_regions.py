"""Boxes of regions: with a tower that sees colours, and with nano on drawn things."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from support.colour_cells import ColourCells, scene

from contralto.apply.detect import regions
from contralto.apply.detect.tight import TightBox
from contralto.metrics.overlap import iou

RED, BLUE = (30, 20, 90, 80), (120, 70, 180, 110)


@pytest.fixture(scope="module")
def find():
    """Boxes of a picture for labels, by the fake model; everything with a score above 0.2."""
    clip = ColourCells()

    def run(picture, labels, **options):
        queries = clip.encode_labels(labels)
        return regions.detector(clip, queries, labels, **{"threshold": 0.2, **options})(picture)

    return run


def overlap(box, truth):
    return iou(np.array([box.box]), np.array([truth], np.float64))[0, 0]


def best(boxes, label):
    return next(box for box in boxes if box.label == label)


def test_each_thing_gets_the_box_of_its_label(find):
    boxes = find(scene((200, 120), ("red", RED), ("blue", BLUE)), ["red", "blue"])
    assert overlap(best(boxes, "red"), RED) > 0.6
    assert overlap(best(boxes, "blue"), BLUE) > 0.6
    assert [box.score for box in boxes] == sorted((box.score for box in boxes), reverse=True)
    assert all(box.objectness is None and 0 <= box.score <= 1 for box in boxes)


def test_two_things_of_a_label_get_two_boxes(find):
    boxes = find(scene((200, 120), ("red", RED), ("red", BLUE)), ["red"])
    assert sorted(round(max(overlap(box, RED), overlap(box, BLUE)), 1) >= 0.5 for box in boxes[:2]) == [True, True]
    assert overlap(boxes[0], RED) > 0.5 or overlap(boxes[1], RED) > 0.5


def test_threshold_top_and_nms_choose_among_the_same_boxes(find):
    picture = scene((200, 120), ("red", RED), ("blue", BLUE))
    everything = find(picture, ["red", "blue"], threshold=0, nms=1)
    cut = everything[2].score
    assert find(picture, ["red", "blue"], threshold=cut, nms=1) == everything[:2]
    assert find(picture, ["red", "blue"], threshold=0, nms=1, top=1) == everything[:1]
    alone = find(picture, ["red", "blue"], threshold=0, nms=0)
    assert set(alone) <= set(everything)
    for label in ("red", "blue"):
        mine = [box for box in alone if box.label == label]
        assert all(overlap(a, b.box) == 0 for a in mine for b in mine if a is not b)


def test_a_flat_picture_has_nothing(find):
    flat = Image.new("RGB", (90, 60), (120, 120, 120))
    assert find(flat, ["red", "blue"]) == []
    assert max(box.score for box in find(flat, ["red"], threshold=0)) <= regions.BY_LABEL.score(1e-6)


def test_a_thing_that_fills_the_picture_gets_all_of_it():
    fits = np.full((20, 30), 3.0)
    fits[:, 24:] = -1
    (box, *_) = regions._of_label(fits, "a", (300, 200), 0.5, 0.5)
    assert box.box == (0, 0, 240, 200)
    assert regions._of_label(fits - 2, "a", (300, 200), 0.5, 0.5) == [], "weak evidence is ground"


def test_boxes_lie_within_pictures_of_any_shape(find):
    for size in [(300, 20), (7, 90), (1, 1), (64, 64)]:
        thing = (0, 0, max(1, size[0] // 3), max(1, size[1] // 2))
        for box in find(scene(size, ("red", thing)), ["red"], threshold=0):
            x0, y0, x1, y1 = box.box
            assert 0 <= x0 < x1 <= size[0] + 1e-6
            assert 0 <= y0 < y1 <= size[1] + 1e-6


def test_a_place_that_fits_another_label_counts_less():
    maps = np.array([[[4.0, 2.0, -1.0]]])
    assert regions._less_others(maps)[0, 0].tolist() == [4 - 0.25 * 2, 2 - 0.25 * 4, -1 - 0.25 * 4]
    assert regions._less_others(maps[..., 2:]).tolist() == [[[-1.0]]]
    assert regions._less_others(np.array([[[1.0, -2.0]]]))[0, 0].tolist() == [1, -2.25]


def test_strength_grows_with_mean_and_share_and_scores_with_strength():
    assert regions.strength(TightBox((0, 0, 1, 1), 1.0, 3.0)) == pytest.approx(2)
    weak, strong = (regions.strength(TightBox((0, 0, 1, 1), share, 3.0)) for share in (0.2, 0.4))
    assert weak < strong
    for cut in (regions.BY_LABEL, regions.BY_PICTURE):
        assert cut.score(cut.middle) == pytest.approx(0.5)
        assert 0 <= cut.score(0) < cut.score(cut.middle) < cut.score(1e6) <= 1
