"""Boxes on pictures: their edges are where the numbers say, and captions are readable and within the picture."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageColor

from contralto.apply.detect.box import Box
from contralto.apply.detect.draw import COLOURS, caption, draw

GREY = (128, 128, 128)


def changed(picture, drawn):
    """The box of what was drawn, and the number of pixels."""
    where = np.any(np.asarray(picture) != np.asarray(drawn), axis=-1)
    rows, columns = np.nonzero(where)
    return (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1), int(where.sum())


def test_edges_have_the_colour_of_the_label_and_the_picture_is_unchanged():
    picture = Image.new("RGB", (400, 300), GREY)
    drawn = draw(picture, [Box("cat", 0.8, (100, 120, 300, 250))], ["dog", "cat"])
    assert np.unique(np.asarray(picture)) == [128]
    colour = ImageColor.getrgb(COLOURS[1])
    assert drawn.getpixel((100, 200)) == drawn.getpixel((299, 200)) == drawn.getpixel((200, 249)) == colour
    assert drawn.getpixel((200, 200)) == GREY
    (x0, y0, x1, y1), _ = changed(picture, drawn)
    assert (x0, x1, y1) == (100, pytest.approx(301, abs=1), pytest.approx(251, abs=1))
    assert 120 - 300 / 10 < y0 < 120, "the caption stands above the box"


def test_a_label_has_one_colour_in_all_pictures():
    picture = Image.new("RGB", (200, 200), GREY)
    box = (50, 60, 150, 150)
    alone = draw(picture, [Box("dog", 0.5, box)], ["cat", "dog"]).getpixel((100, 149))
    both = draw(picture, [Box("cat", 0.9, (0, 100, 20, 120)), Box("dog", 0.5, box)], ["cat", "dog"])
    assert alone == both.getpixel((100, 149))


def test_lines_and_captions_grow_with_the_picture():
    shares = []
    for side in (500, 2000):
        picture = Image.new("RGB", (side, side), GREY)
        _, count = changed(picture, draw(picture, [Box("cat", 0.5, (side / 4, side / 4, side / 2, side / 2))]))
        shares.append(count / side**2)
    assert shares[0] == pytest.approx(shares[1], rel=0.3)


@pytest.mark.parametrize("size", [(1, 1), (5, 400), (400, 5), (300, 300)])
@pytest.mark.parametrize("label", ["", "x" * 500, "two\nlines", "猫", "\udce9", None])
def test_any_box_and_label_can_be_drawn(size, label):
    boxes = [Box(label, 0.5, (0, 0, *size)), Box(label, 0.25, (0.2, 0.3, 0.4, 0.5))]
    assert draw(Image.new("RGB", size, GREY), boxes).size == size


def test_captions():
    assert caption(Box("red\ncar", 0.876, (0, 0, 1, 1))) == r"red\ncar 0.88"
    assert caption(Box(None, 0.5, (0, 0, 1, 1))) == "0.50"
    assert len(caption(Box("x" * 99, 0.5, (0, 0, 1, 1)))) == 45
