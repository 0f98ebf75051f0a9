"""The pipeline against the plain twin: Pillow's resize and crop, and torch's float operations, as in OpenAI's code."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from support.noise_pictures import MODES, noise, spec_of
from support.plain_pixels import normalised, plain_resize, plain_resized

from contralto.contract import preset
from contralto.image import transform
from contralto.image.decode import decode

SHAPES = {
    "landscape": (500, 375),
    "portrait": (333, 500),
    "odd margins": (641, 480),
    "square": (400, 400),
    "exact": (224, 224),
    "one over": (225, 224),
    "tiny": (3, 2),
    "one pixel": (1, 1),
    "thin": (20, 900),
    "wide": (1100, 11),
}


def assert_same_bits(ours, plain):
    assert ours.dtype == np.float32
    assert ours.shape == plain.shape
    assert np.array_equal(ours.view(np.uint32), np.ascontiguousarray(plain).view(np.uint32))


@pytest.mark.parametrize("n", [224, 288, 336])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("mode", ["RGB", "L", "P", "RGBA"])
def test_equal_to_the_plain_pipeline(mode, shape, n):
    image = noise(mode, SHAPES[shape])
    before = image.tobytes()
    ours = transform.pixels(decode(image, alpha="drop"), spec_of(n))
    assert_same_bits(ours, normalised(plain_resize(image, n)))
    assert image.tobytes() == before


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("resample", ["bicubic", "bilinear"])
def test_every_mode(mode, resample):
    image = noise(mode, (301, 207))
    ours = transform.resized(decode(image, alpha="drop"), spec_of(96, interpolation=resample))
    assert np.array_equal(ours, np.asarray(plain_resize(image, 96, transform.FILTERS[resample])))


def test_palette_with_transparency():
    image = noise("P", (90, 61))
    image.info["transparency"] = bytes(range(256))
    dropped = transform.resized(decode(image, alpha="drop"), spec_of(64))
    bare = image.copy()
    del bare.info["transparency"]
    assert np.array_equal(dropped, np.asarray(plain_resize(bare, 64)))
    palette = np.array(image.getpalette()).reshape(256, 3)
    index = np.asarray(image)
    opacity = index[..., None].astype(int)  # palette index i has alpha i
    white = np.floor((palette[index] * opacity + 255 * (255 - opacity)) / 255 + 0.5).astype(np.uint8)
    assert np.array_equal(
        transform.resized(decode(image), spec_of(64)), np.asarray(plain_resize(Image.fromarray(white), 64))
    )
    assert image.info["transparency"] == bytes(range(256))


@given(
    width=st.integers(1, 400),
    height=st.integers(1, 400),
    n=st.integers(1, 100),
    mode=st.sampled_from(MODES),
    resample=st.sampled_from(["bicubic", "bilinear"]),
)
@settings(max_examples=150, deadline=None)
def test_any_shape(width, height, n, mode, resample):
    image = noise(mode, (width, height), seed=width)
    ours = transform.resized(decode(image, alpha="drop"), spec_of(n, interpolation=resample))
    assert np.array_equal(ours, np.asarray(plain_resize(image, n, transform.FILTERS[resample])))


def test_all_values_are_normalised_as_torch_does():
    ramp = np.arange(256, dtype=np.uint8).reshape(16, 16)
    image = Image.fromarray(np.stack([ramp, ramp, ramp], axis=-1))
    assert_same_bits(transform.pixels(image, spec_of(16)), normalised(image))


@pytest.mark.parametrize(("margin", "left"), [(1, 0), (2, 1), (3, 2), (4, 2), (5, 2), (7, 4)])
def test_half_a_pixel_of_margin_rounds_to_even(margin, left):
    columns = np.arange(16 + margin, dtype=np.uint8)
    picture = Image.fromarray(np.broadcast_to(columns, (16, 16 + margin)).copy())
    assert transform.resized(picture, spec_of(16))[0, :, 0].tolist() == list(range(left, left + 16))


def test_squash_ignores_the_shape():
    image = noise("RGB", (123, 45))
    ours = transform.resized(image, spec_of(32, 48, resize="squash", interpolation="bilinear"))
    assert np.array_equal(ours, np.asarray(image.resize((48, 32), Image.Resampling.BILINEAR)))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("resample", ["bicubic", "bilinear"])
def test_squashed_and_cropped(mode, shape, resample):
    image = noise(mode, SHAPES[shape])
    spec = spec_of(97, 60, resize="squash", interpolation=resample, resized=(120, 75))
    ours = transform.pixels(decode(image, alpha="drop"), spec)
    plain = plain_resized(image, (120, 75), (97, 60), transform.FILTERS[resample])
    assert_same_bits(ours, normalised(plain))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("resample", ["bicubic", "bilinear"])
def test_covered_and_cropped(shape, resample):
    """The shorter side becomes 120, the crop keeps 97. The margins are halved once, so no two roundings add up."""
    image = noise("RGB", SHAPES[shape])
    ours = transform.resized(image, spec_of(97, interpolation=resample, resized=(120, 120)))
    short, long = sorted(image.size)
    other = int(120 * long / short)
    full = (other, 120) if image.width <= image.height else (120, other)
    assert np.array_equal(ours, np.asarray(plain_resized(image, full, (97, 97), transform.FILTERS[resample])))


def test_align_equals_transformers():
    """Against its Pillow processor, with the settings of the published ALIGN. The pictures are RGB, as it expects."""
    from transformers.models.efficientnet.image_processing_pil_efficientnet import EfficientNetImageProcessorPil

    bilinear, half = Image.Resampling.BILINEAR, 1 / 127.5
    theirs = EfficientNetImageProcessorPil(
        do_center_crop=True,
        rescale_factor=half,
        rescale_offset=True,
        do_normalize=False,
        include_top=False,
        resample=bilinear,
    )
    spec = preset("align-base").image
    for shape in ((640, 480), (333, 500), (90, 100), (20, 900), (346, 346)):
        image = noise("RGB", shape)
        expected = theirs(images=image, return_tensors="np")["pixel_values"][0]
        assert_same_bits(transform.pixels(image, spec), expected)


@given(width=st.integers(1, 300), height=st.integers(1, 300), to=st.tuples(st.integers(1, 64), st.integers(1, 64)))
@settings(max_examples=100, deadline=None)
def test_a_target_of_any_shape_is_covered(width, height, to):
    full = transform.covering_size((width, height), to)
    assert full[0] >= to[0]
    assert full[1] >= to[1]
    assert full[0] == to[0] or full[1] == to[1]
    assert abs(full[0] / full[1] / (width / height) - 1) <= 1 / min(full)
    ours = transform.resized(noise("RGB", (width, height)), spec_of(to[1], to[0]))
    assert ours.shape == (to[1], to[0], 3)


def test_a_batch_is_its_rows():
    images = [noise("RGB", (40, 30)), noise("L", (30, 50)), noise("P", (9, 9))]
    rows = transform.batch(images, spec_of(24))
    assert rows.shape == (3, 3, 24, 24)
    for image, row in zip(images, rows, strict=True):
        assert_same_bits(row, normalised(plain_resize(image, 24)))
    assert transform.batch([], spec_of(24)).shape == (0, 3, 24, 24)


def test_out_is_filled_and_returned():
    out = np.full((3, 24, 24), np.nan, np.float32)
    image = noise("RGB", (40, 30))
    assert transform.pixels(image, spec_of(24), out=out) is out
    assert_same_bits(out, normalised(plain_resize(image, 24)))
