"""`explain` on real models: nano, and a small random one with a class token."""

from __future__ import annotations

import dataclasses
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from contralto.apply import picture
from contralto.apply.explain import METHODS, by_occlusion, explain, explain_texts
from contralto.cli.demo import drawing
from contralto.embeddings import unit
from contralto.encoder.grids import Grids
from contralto.errors import ContraltoError, ImageError, TextError

HOUSE, BOAT = "a house", "a sailing boat"


@pytest.fixture(scope="module")
def sheet():
    """A house on the left, a boat on the right."""
    both = Image.new("RGB", (768, 384))
    both.paste(drawing.house(), (0, 0))
    both.paste(drawing.boat(), (384, 0))
    return both.resize((400, 400))


@pytest.mark.parametrize("method", ["auto", "gradcam", "cells", "occlusion"])
def test_the_peak_is_in_the_right_half(nano, sheet, method):
    house, boat = (explain(nano, sheet, text, method=method) for text in (HOUSE, BOAT))
    assert house.peak[0] < 200 < boat.peak[0]
    assert house.map.shape == (400, 400)
    assert house.map.dtype == np.float32
    assert house.method == ("cells" if method == "auto" else method)


@pytest.mark.parametrize("method", ["gradcam", "cells"])
def test_against_flips_the_sides(nano, sheet, method):
    one = explain(nano, sheet, HOUSE, against=BOAT, method=method)
    other = explain(nano, sheet, BOAT, against=HOUSE, method=method)
    np.testing.assert_allclose(one.grid, -other.grid, atol=1e-5)
    assert one.map[:, :200].mean() > 0 > one.map[:, 200:].mean()


def test_the_cosine_and_the_words_are_those_of_the_clip(nano, sheet):
    one = explain(nano, sheet, "a red house")
    texts = ["a red house", "red house", "a house", "a red"]
    cosines = nano.similarity(sheet, texts)[0]
    assert one.cosine == pytest.approx(cosines[0], abs=1e-4)
    assert [word for word, _ in one.words] == ["a", "red", "house"]
    np.testing.assert_allclose([effect for _, effect in one.words], cosines[0] - cosines[1:], atol=2e-4)
    assert explain(nano, sheet, "").words == []


def test_several_texts_are_explained_as_each_alone(nano, sheet):
    texts = ["a red circle", "a blue square"]
    for against in (None, "a star"):
        together = explain_texts(nano, sheet, texts, against=against)
        for text, one in zip(texts, together, strict=True):
            alone = explain(nano, sheet, text, against=against)
            assert np.allclose(one.grid, alone.grid, atol=1e-6)
            assert one.cosine == pytest.approx(alone.cosine, abs=1e-6)


def test_only_the_part_that_was_seen_has_a_map(nano, sheet):
    wide = Image.new("RGB", (600, 300), "white")
    wide.paste(sheet.resize((300, 300)), (150, 0))
    one = explain(nano, wide, HOUSE)
    assert one.seen == pytest.approx((150, 0, 450, 300))
    assert not one.map[:, :150].any()
    assert not one.map[:, 450:].any()
    assert one.map[:, 150:450].any()


def test_relevance_is_that_of_a_class_token(token_clip):
    image = Image.fromarray(np.random.default_rng(0).integers(0, 255, (60, 48, 3), np.uint8))
    one = explain(token_clip, image, "a cat")
    finish, text = token_clip.grids.finish, token_clip.encode_text("a cat").astype(np.float64)
    grid = token_clip.grids.of(token_clip.preprocess(image))[0].astype(np.float64)
    embedding = finish.embed(grid)
    row = embedding / np.linalg.norm(embedding)
    read = finish.attention(grid, (text - row * (row @ text)) / np.linalg.norm(embedding))
    assert one.method == "relevance"
    np.testing.assert_allclose(one.grid, np.maximum(0, read.weights * read.gradient).mean(0), rtol=1e-4)
    against = explain(token_clip, image, "a cat", against="a dog")
    assert not np.allclose(against.grid, one.grid)


def test_occlusion_is_that_of_the_engine(token_clip):
    image = Image.fromarray(np.random.default_rng(1).integers(0, 255, (48, 48, 3), np.uint8))
    one = explain(token_clip, image, "a cat", method="occlusion")
    text, pixels = token_clip.encode_text("a cat").astype(np.float64), token_clip.preprocess(image)[0]
    expected = by_occlusion.occlusion(lambda several: token_clip.encode_pixels(several) @ text, pixels, 5)
    np.testing.assert_allclose(one.grid, expected, atol=1e-5)
    assert one.grid.shape == (8, 8)


def test_rise_depends_on_its_seed_alone(token_clip):
    image = Image.fromarray(np.random.default_rng(2).integers(0, 255, (48, 48, 3), np.uint8))
    maps = [explain(token_clip, image, "a cat", method="rise", samples=20, seed=seed).grid for seed in (0, 0, 1)]
    np.testing.assert_allclose(maps[0], maps[1], atol=1e-7)
    assert not np.allclose(maps[0], maps[2])
    assert maps[0].shape == (48, 48)


@pytest.mark.parametrize("method", METHODS)
def test_every_method_has_a_check(nano, token_clip, sheet, method):
    clip, image = (token_clip, sheet.resize((48, 48))) if method != "gradcam" else (nano, sheet)
    one = explain(clip, image, HOUSE, method=method, check=True, samples=10)
    assert -1 <= one.sanity < 0.999
    assert explain(clip, image, HOUSE, method=method, samples=10).sanity is None


def test_nothing_that_speaks_for_the_text_has_no_peak(nano, sheet):
    one = explain(nano, sheet, HOUSE)
    assert dataclasses.replace(one, grid=np.zeros((7, 7), np.float32)).peak is None


def test_a_detector_is_sent_to_detect():
    clip = SimpleNamespace(contract=SimpleNamespace(detector=object(), name="owl"))
    with pytest.raises(ContraltoError, match="owl is a detector: ask it what is where with contralto detect"):
        explain(clip, "a.jpg", "a cat")


class Adapted:
    """A Clip with an adapter behind its pictures."""

    def __init__(self, clip):
        self.clip, self.contract = clip, clip.contract
        self.grids = Grids(clip.checkpoint, clip.grids._engine, self.change)

    def change(self, rows):
        return unit(rows + np.float32([0.1] * rows.shape[1]))

    def __getattr__(self, name):
        return getattr(self.clip, name)


def test_a_gradient_does_not_pass_an_adapter(token_clip, sheet):
    clip = Adapted(token_clip)
    with pytest.raises(ContraltoError, match="relevance does not see the adapter"):
        explain(clip, sheet, HOUSE, method="relevance")
    one = explain(clip, sheet, HOUSE)
    assert one.method == "cells"
    changed = clip.change(token_clip.encode_image(sheet)[None])[0]
    assert one.cosine == pytest.approx(float(changed @ token_clip.encode_text(HOUSE)), abs=1e-4)


def test_wrong_arguments_are_one_line(nano, sheet):
    for arguments, message in (
        ({"method": "rollout"}, "method must be one of auto, relevance"),
        ({"samples": 0}, "samples must be a whole number of at least 1"),
        ({"seed": -1}, "seed must be a whole number of at least 0"),
        ({"check": 1}, "check must be True or False"),
        ({"against": 3}, "against must be a string"),
    ):
        with pytest.raises(ContraltoError, match=message):
            explain(nano, sheet, HOUSE, **arguments)
    with pytest.raises(ContraltoError, match="explain takes one picture"):
        explain(nano, [sheet], HOUSE)
    with pytest.raises(ContraltoError, match="explain takes one picture"):
        explain(nano, np.ones(512, np.float32), HOUSE)
    with pytest.raises(ContraltoError, match="text must be a string"):
        explain(nano, sheet, [HOUSE])
    with pytest.raises(ImageError, match=r"nowhere\.jpg"):
        explain(nano, "nowhere.jpg", HOUSE)
    with pytest.raises(TextError):
        explain(nano, sheet, "word " * 300)


def test_a_picture_beyond_the_memory_is_an_error_of_the_picture(nano, monkeypatch):
    def fail(*given, **options):
        raise MemoryError

    monkeypatch.setattr(picture, "decode", fail)
    with pytest.raises(ImageError, match=r"a\.jpg: needs more memory"):
        explain(nano, "a.jpg", HOUSE)


def test_no_torch_is_needed():
    import subprocess

    code = (
        "import sys, numpy as np, contralto; from contralto.apply.explain import explain;"
        "explain(contralto.load('nano'), np.zeros((30, 40, 3), np.uint8), 'a cat');"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
