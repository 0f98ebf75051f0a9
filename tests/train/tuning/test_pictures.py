"""Pictures: each form gives what the plain way through the whole tower gives."""

import dataclasses

import numpy as np
import pytest
import torch
from support.small_tuning import NET, ColouredScenes, contract, small_clip

from contralto.data.mixture import Mixture, SampleUse
from contralto.errors import ImageError
from contralto.train.tuning.pictures import (
    FittedPictures,
    Kept,
    KnownEmbeddings,
    LockedStart,
    Pixels,
    cropped,
    mirrored,
)

SPEC = contract(NET).image
SOURCE = ColouredScenes(6)
USES = [SampleUse(0, 4, 0), SampleUse(0, 1, 0), SampleUse(0, 4, 1)]


def draw(use):
    return Mixture([(SOURCE, 1.0)], 2).random(use)


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return small_clip(tmp_path_factory.mktemp("net"), contract(NET))


def test_pixels_are_those_of_the_clip(clip):
    pixels = Pixels(FittedPictures(SOURCE, SPEC), SPEC, mirrored(0.0), draw).inputs(USES)
    assert np.array_equal(pixels.numpy(), clip.preprocess([SOURCE[use.item].picture for use in USES]))


@pytest.mark.parametrize("blocks", [1, 2, 3])
@pytest.mark.parametrize("probability", [0.0, 1.0, 0.5])
def test_a_locked_start_ends_in_the_embeddings_of_the_whole_tower(clip, blocks, probability):
    model, fitted = clip.torch(), FittedPictures(SOURCE, SPEC)
    whole = Pixels(fitted, SPEC, mirrored(probability), draw)
    start = LockedStart(model.image, blocks, fitted, SPEC, probability, draw)
    assert start.views == (2 if probability == 0.5 else 1)
    with torch.no_grad():
        expected = whole.embeddings(model, whole.inputs(USES))
        for _ in range(2):  # computed, then kept
            torch.testing.assert_close(start.embeddings(model, start.inputs(USES)), expected, rtol=1e-4, atol=1e-5)


def test_the_mirror_image_is_the_picture_s():
    picture, random = np.arange(24, dtype=np.uint8).reshape(2, 4, 3), np.random.default_rng(0)
    assert np.array_equal(mirrored(1.0)(picture, random), picture[:, ::-1])
    assert np.array_equal(mirrored(0.0)(picture, random), picture)


def test_crops_differ_from_use_to_use_and_not_from_call_to_call():
    form = Pixels(FittedPictures(SOURCE, SPEC), SPEC, cropped(SPEC, (0.5, 1.0), 0.5), draw)
    first = form.inputs(USES)
    assert torch.equal(first, form.inputs(USES))
    assert not torch.equal(first[0], first[2])


def test_a_picture_is_decoded_once_while_there_is_room():
    class Counted(ColouredScenes):
        reads = 0

        def __getitem__(self, index):
            Counted.reads += 1
            return super().__getitem__(index)

    fitted = FittedPictures(Counted(3), SPEC)
    for _ in range(4):
        assert fitted[0].shape == (32, 32, 3)
    assert Counted.reads == 1


def test_what_does_not_fit_is_made_again():
    kept, made = Kept(limit=10), []

    def get(key):
        return kept.get(key, lambda: made.append(key) or key.upper(), lambda value: 4)

    assert [get(key) for key in "abcabc"] == [*"ABCABC"]
    assert made == [*"abcc"]


def test_known_embeddings_are_the_rows():
    rows = np.random.default_rng(0).standard_normal((6, 4))
    form = KnownEmbeddings(rows)
    assert np.array_equal(form.embeddings(None, form.inputs(USES)).numpy(), rows[[4, 1, 4]].astype(np.float32))


def test_a_damaged_picture_is_named():
    class Damaged(ColouredScenes):
        def __getitem__(self, index):
            return dataclasses.replace(super().__getitem__(index), picture=b"no picture", key="broken.jpg")

    with pytest.raises(ImageError, match=r"broken\.jpg"):
        FittedPictures(Damaged(2), SPEC)[1]
