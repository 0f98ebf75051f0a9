"""The model that ships places what is there, and gives nothing for what is not, at the default threshold."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw

import contralto
from contralto.apply.detect.run import detect
from contralto.metrics.overlap import iou

CIRCLE, SQUARE = (30, 40, 130, 140), (200, 120, 290, 210)
PAPER, RED, GREEN = (225, 220, 205), (200, 30, 30), (40, 140, 60)


@pytest.fixture(scope="module")
def clip():
    return contralto.load("nano", engine="openvino", precision="fp32")


@pytest.fixture(scope="module")
def picture():
    drawn = Image.new("RGB", (320, 240), PAPER)
    ImageDraw.Draw(drawn).ellipse(CIRCLE, fill=RED)
    ImageDraw.Draw(drawn).rectangle(SQUARE, fill=GREEN)
    return drawn


def overlap(box, truth):
    return iou(np.array([box.box]), np.array([truth], np.float64))[0, 0]


def test_a_drawn_thing_is_placed_and_an_absent_one_is_not(clip, picture):
    boxes = detect(clip, picture, ["red circle", "dog"])
    assert [box.label for box in boxes] == ["red circle"]
    assert overlap(boxes[0], CIRCLE) > 0.5


def test_a_thing_like_one_in_another_picture_is_placed(clip, picture):
    example = Image.new("RGB", (100, 100), PAPER)
    ImageDraw.Draw(example).ellipse((15, 15, 85, 85), fill=RED)
    boxes = detect(clip, picture, like=example)
    assert len(boxes) == 1
    assert overlap(boxes[0], CIRCLE) > 0.5
