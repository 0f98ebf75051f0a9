"""`detect`: what it takes, in which order it answers, and which way to detect it chooses."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image
from support.colour_cells import ColourCells, scene

import contralto
from contralto.apply.detect import run
from contralto.apply.detect.owl import detect_owl, picture_query
from contralto.apply.detect.run import detect
from contralto.errors import ContraltoError, ImageError

RED, BLUE = (30, 20, 90, 80), (120, 70, 180, 110)
LABELS = ["red", "blue"]


@pytest.fixture
def clip():
    return ColourCells()


@pytest.fixture
def picture():
    return scene((200, 120), ("red", RED), ("blue", BLUE))


def test_one_picture_gives_a_list_and_a_list_a_list_of_lists(clip, picture):
    one = detect(clip, picture, LABELS, threshold=0.2)
    assert {box.label for box in one} == {"red", "blue"}
    assert detect(clip, [picture], LABELS, threshold=0.2) == [one]
    assert detect(clip, [], LABELS) == []
    assert detect(clip, np.asarray(picture), LABELS, threshold=0.2) == one
    assert detect(clip, np.stack([np.asarray(picture)] * 2), LABELS, threshold=0.2) == [one, one]
    assert detect(clip, iter([picture]), LABELS, threshold=0.2) == [one]


def test_labels_may_have_several_names(clip, picture):
    boxes = detect(clip, picture, {"warm": "red", "cold": ["blue", "green"]}, threshold=0.2)
    assert {box.label for box in boxes} == {"warm", "cold"}


def test_boxes_are_those_of_the_upright_picture(clip, picture):
    file = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees clockwise to see it upright
    picture.transpose(Image.Transpose.ROTATE_90).save(file, "PNG", exif=exif)
    assert detect(clip, file.getvalue(), LABELS, threshold=0.2) == detect(clip, picture, LABELS, threshold=0.2)


def test_like_takes_the_place_of_labels(clip, picture):
    boxes = detect(clip, picture, like=scene((50, 50), ("blue", (0, 0, 50, 50))), threshold=0.2)
    x0, y0, x1, y1 = boxes[0].box
    assert boxes[0].label is None
    assert BLUE[0] - 15 < x0 < x1 < BLUE[2] + 15
    assert BLUE[1] - 15 < y0 < y1 < BLUE[3] + 15


def test_a_bad_picture_raises_or_is_skipped(clip, picture):
    with pytest.raises(ImageError, match="picture 1"):
        detect(clip, [picture, b"no picture"], LABELS)
    lists, failures = detect(clip, [b"no picture", picture], LABELS, on_error="skip", threshold=0.2)
    assert [len(lists), [one.index for one in failures]] == [1, [0]]
    assert detect(clip, b"no picture", LABELS, on_error="skip")[0] == []
    with pytest.raises(ImageError):
        detect(clip, picture, like=b"no picture")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "labels, or a picture"),
        ({"labels": ["a"], "like": Image.new("RGB", (9, 9))}, "labels, or a picture"),
        ({"labels": "red"}, "list of names"),
        ({"labels": []}, "empty"),
        ({"labels": ["a"], "threshold": 1.5}, "threshold must be a number from 0 to 1"),
        ({"labels": ["a"], "nms": -1}, "nms must be"),
        ({"labels": ["a"], "top": 0}, "top must be"),
        ({"labels": ["a"], "on_error": "ignore"}, "on_error"),
        ({"labels": ["a"], "templates": "nothing"}, "no set of templates"),
        ({"like": [Image.new("RGB", (9, 9))] * 2}, "like must be one picture"),
        ({"like": []}, "like must be one picture"),
    ],
)
def test_unusable_arguments_are_an_error_before_any_picture_is_read(clip, given, said):
    with pytest.raises(ContraltoError, match=said):
        detect(clip, iter([b"no picture"]), **given)


def test_a_detector_gets_labels_as_they_are_and_its_own_defaults(clip, picture, monkeypatch):
    asked = []

    def heads(clip, images, queries, labels, **given):
        asked.append((queries, list(labels), given))
        return [[]]

    monkeypatch.setattr(run, "kind", lambda clip: "owl")
    monkeypatch.setattr(run.owl, "detect_owl", heads)
    monkeypatch.setattr(run.owl, "picture_query", lambda clip, image: np.ones((1, 4), np.float32))
    templates = []
    monkeypatch.setattr(
        run.classifier, "build", lambda clip, labels, chosen: templates.append(chosen) or _Built(tuple(labels))
    )
    assert detect(clip, picture, LABELS) == []
    detect(clip, picture, LABELS, templates=["a {}"], threshold=0.4, nms=0.6, top=3)
    detect(clip, picture, like=picture)
    assert templates == [None, ["a {}"]]
    assert [labels for _, labels, _ in asked] == [LABELS, LABELS, [None]]
    assert [given for _, _, given in asked] == [
        {"threshold": 0.1, "nms": 1.0, "top": 100},
        {"threshold": 0.4, "nms": 0.6, "top": 3},
        {"threshold": 0.1, "nms": 0.3, "top": 100},
    ]


@pytest.mark.parametrize("family", ["owlvit", "owlv2"])
def test_a_real_detector_answers_by_its_heads(family, tmp_path):
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    from support.small_owl import owl, picture

    owl(family, tmp_path)
    clip, image, labels = contralto.load(tmp_path), picture(100, 60), ["a cat", "blue sky over the sea"]
    assert run.kind(clip) == "owl"
    assert detect(clip, image, labels) == detect_owl(clip, [image], clip.encode_text(labels), labels)[0]
    (by_picture,) = detect(clip, [image], like=image, threshold=0.2)
    assert by_picture == detect_owl(clip, [image], picture_query(clip, image), [None], threshold=0.2, nms=0.3)[0]


class _Built:
    def __init__(self, labels):
        self.labels, self.embeddings = labels, np.ones((len(labels), 4), np.float32)
