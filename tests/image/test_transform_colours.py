"""The conversion to RGB: after the crop as in OpenAI's code, or before the resize as in transformers."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from support.noise_pictures import MEAN, MODES, STD, noise, spec_of
from support.plain_pixels import normalised, plain_resize, plain_resized

from contralto.data.augment import Augment
from contralto.image import transform
from contralto.image.decode import decode

FIRST = spec_of(96, convert="first")
ALL = [*MODES, "HSV", "P with alphas", "I;16"]


def picture(mode, size=(288, 192)):
    if mode == "I;16":
        return Image.fromarray(np.random.default_rng(0).integers(0, 65536, size[::-1], dtype=np.uint16))
    image = noise(mode.split()[0], size)
    if mode == "P with alphas":
        image.info["transparency"] = bytes(range(256))
    return image


@pytest.mark.parametrize("mode", ALL)
@pytest.mark.parametrize("resample", ["bicubic", "bilinear"])
@pytest.mark.parametrize("alpha", ["white", "drop"])
def test_first_is_the_plain_pipeline_on_rgb(mode, resample, alpha):
    decoded = decode(picture(mode, (301, 207)), alpha=alpha)
    bare = decoded.copy()
    bare.info.pop("transparency", None)
    plain = plain_resize(bare.convert("RGB"), 96, transform.FILTERS[resample])
    ours = transform.pixels(decoded, spec_of(96, convert="first", interpolation=resample))
    assert np.array_equal(ours, normalised(plain))


@given(
    width=st.integers(1, 400),
    height=st.integers(1, 400),
    n=st.integers(1, 100),
    mode=st.sampled_from(MODES),
    squash=st.booleans(),
    turn=st.sampled_from([None, *Image.Transpose]),
)
@settings(max_examples=150, deadline=None)
def test_first_for_any_shape_and_turn(width, height, n, mode, squash, turn):
    image = decode(noise(mode, (width, height), seed=width), alpha="drop")
    upright = (image if turn is None else image.transpose(turn)).convert("RGB")
    rules = {"resize": "squash", "resized": (n + 3, n)} if squash else {}
    ours = transform.resized(image, spec_of(n, convert="first", **rules), turn)
    resample = transform.FILTERS["bicubic"]
    plain = plain_resized(upright, (n + 3, n), (n, n), resample) if squash else plain_resize(upright, n)
    assert np.array_equal(ours, np.asarray(plain))


@pytest.mark.parametrize("mode", ALL)
@pytest.mark.parametrize("kind", ["CLIP", "Siglip"])
def test_first_is_what_transformers_does(mode, kind):
    transformers = pytest.importorskip("transformers")
    given = {"shortest_edge": 96} if kind == "CLIP" else {"height": 96, "width": 96}
    rules = {"image_mean": MEAN, "image_std": STD, "size": given, "crop_size": 96}
    theirs = getattr(transformers, f"{kind}ImageProcessorPil")(**rules)
    spec = FIRST if kind == "CLIP" else spec_of(96, convert="first", resize="squash")
    image = picture(mode)
    given = decode(image) if mode == "I;16" else image  # Pillow clips 16 bits to white, see `decode`
    wanted = theirs(images=given, return_tensors="np")["pixel_values"][0]
    assert np.abs(transform.pixels(decode(image), spec) - wanted).max() < 2e-6  # transformers divides in another order


@pytest.mark.parametrize("mode", ["P", "1", "CMYK", "HSV"])
def test_the_two_orders_differ_where_a_mode_is_resized_otherwise(mode):
    image = decode(picture(mode))
    first, last = (transform.resized(image, spec_of(96, convert=order)) for order in ("first", "last"))
    assert np.abs(first.astype(int) - last).mean() > (5 if mode != "CMYK" else 0.05)


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_the_two_orders_are_the_same_bits_for_photographs(mode):
    image = picture(mode)
    first, last = (transform.pixels(image, spec_of(96, convert=order)) for order in ("first", "last"))
    assert np.array_equal(first, last)


@pytest.mark.parametrize("mode", ALL)
def test_the_picture_is_not_changed(mode):
    image = decode(picture(mode), alpha="drop")
    before = image.mode, image.tobytes(), dict(image.info)
    for order in ("first", "last"):
        transform.resized(image, spec_of(96, convert=order))
        assert before == (image.mode, image.tobytes(), dict(image.info))


def test_a_long_thin_palette_is_resized_once_it_is_rgb():
    image = noise("P", (1, 20_000))
    ours = transform.resized(image, spec_of(16, convert="first"))
    assert np.array_equal(ours, np.asarray(plain_resize(image.convert("RGB"), 16)))


@pytest.mark.parametrize("mode", ["P", "1", "CMYK", "RGBA"])
def test_training_crops_in_the_colours_that_the_contract_states(mode):
    image = decode(picture(mode), alpha="drop")
    bare = image.convert("RGB")
    last = dataclasses.replace(FIRST, convert="last")
    made = {}
    for name, decoded, spec in (("first", image, FIRST), ("last", image, last), ("rgb", bare, last)):
        small = Augment()(decoded, spec, np.random.default_rng(1))
        made[name] = transform.pixels(small, spec)
    assert np.array_equal(made["first"], made["rgb"])
    assert not np.array_equal(made["last"], made["rgb"])
