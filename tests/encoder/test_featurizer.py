"""Clip.features: raw features of pictures, whatever engine and precision the Clip has."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

import contralto
from contralto.errors import ImageError


@pytest.fixture(scope="module")
def pictures():
    return np.random.default_rng(0).integers(0, 256, (3, 40, 50, 3), np.uint8)


def test_features_are_not_unit_and_one_picture_gives_one_row(pictures):
    clip = contralto.load("nano")
    rows = clip.features(pictures)
    assert rows.shape == (3, clip.feature_width) == (3, 1280)
    assert rows.dtype == np.float32
    assert (np.abs(np.linalg.norm(rows, axis=1) - 1) > 0.1).all()
    assert np.allclose(clip.features(pictures[1]), rows[1], atol=1e-4)


def test_they_are_fp32_whatever_the_clip_computes_in(pictures):
    plain = contralto.load("nano", precision="fp32").features(pictures)
    for other in (contralto.load("nano", precision="int8"), contralto.load("nano", engine="eager")):
        assert np.abs(other.features(pictures) - plain).max() < 1e-3 * np.abs(plain).max()


def test_a_bad_picture_costs_only_itself(pictures):
    clip = contralto.load("nano")
    rows, failures = clip.features([pictures[0], b"no picture", pictures[1]], on_error="skip")
    assert len(rows) == 2
    assert [failure.index for failure in failures] == [1]
    with pytest.raises(ImageError, match="picture 1"):
        clip.features([pictures[0], b"no picture"])
    streamed = dict(clip.stream_features(iter([Image.fromarray(pictures[0]), b"no picture"])))
    assert np.allclose(streamed[0], rows[0], atol=1e-4)
    assert streamed[1].reason


def test_reproducible_features_do_not_depend_on_what_stands_beside_them(pictures):
    clip = contralto.load("nano", reproducible=True)
    assert np.array_equal(clip.features(pictures)[1], clip.features(pictures[1]))
