"""Very long, thin pictures: only the crop is computed, with Pillow's bits."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from PIL import Image
from support.noise_pictures import MODES, noise, spec_of
from support.paths import TESTS
from support.plain_pixels import plain_resize, plain_resized

from contralto.errors import ImageError
from contralto.image import transform, window

RESAMPLE = [Image.Resampling.BICUBIC, Image.Resampling.BILINEAR]


@given(
    width=st.integers(1, 60),
    height=st.integers(1, 60),
    longer=st.integers(1, 40),
    upright=st.booleans(),
    n=st.integers(1, 80),
    mode=st.sampled_from(MODES),
    resample=st.sampled_from(RESAMPLE),
    seed=st.integers(0, 9),
)
@settings(max_examples=300, deadline=None)
def test_equal_to_resize_and_crop(width, height, longer, upright, n, mode, resample, seed):
    size = (width, height * longer) if upright else (width * longer, height)
    full = transform.covering_size(size, (n, n))
    assume(full[0] >= size[0] and full[1] >= size[1] and full != size)
    image = noise(mode, size, seed)
    left, top = transform.crop_offset(full[0], n), transform.crop_offset(full[1], n)
    box = (left, top, left + n, top + n)
    part = window.enlarge(image, full, resample, box)
    whole = image.resize(full, resample).crop(box)
    assert part.mode == whole.mode
    assert part.size == whole.size
    assert part.tobytes() == whole.tobytes()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("size", [(1, 700), (700, 1), (2, 1500), (3, 2000)])
def test_equal_through_the_pipeline(mode, size):
    image = noise(mode, size)
    full = transform.covering_size(size, (224, 224))
    assert full[0] * full[1] > transform.PLAIN_PIXELS
    assert np.array_equal(transform.resized(image, spec_of(224)), np.asarray(plain_resize(image, 224)))


@pytest.mark.parametrize("mode", ["RGB", "P"])
def test_20000_pixels_long(mode):
    """The whole enlargement would take 4 GB. But its horizontal pass alone is one row; and a picture one pixel wide
    gives the transpose of a picture one pixel high."""
    wide = noise(mode, (20_000, 1))
    left = (224 * 20_000 - 224) // 2
    strip = wide.resize((224 * 20_000, 1), Image.Resampling.BICUBIC).crop((left, 0, left + 224, 1))
    expected = np.asarray(strip.resize((224, 224), Image.Resampling.BICUBIC).convert("RGB"))
    assert np.array_equal(transform.resized(wide, spec_of(224)), expected)
    tall = wide.transpose(Image.Transpose.TRANSPOSE)
    assert np.array_equal(transform.resized(tall, spec_of(224)), expected.transpose(1, 0, 2))


@given(
    size=st.tuples(st.integers(1, 40), st.integers(2, 500)),
    wider=st.integers(0, 40),
    lower=st.integers(1, 499),
    mode=st.sampled_from(MODES),
    resample=st.sampled_from(RESAMPLE),
    seed=st.integers(0, 9),
)
@settings(max_examples=200, deadline=None)
def test_flattened_as_pillow_does(size, wider, lower, mode, resample, seed):
    to = (size[0] + wider, max(1, size[1] - lower))
    image = noise(mode, size, seed)
    assert window.resize_height_first(image, to, resample).tobytes() == image.resize(to, resample).tobytes()


@pytest.mark.parametrize("mode", MODES)
def test_tall_ones_are_squashed_through_the_pipeline(mode):
    image = noise(mode, (2, 60_000))
    assert 346 * image.height > transform.PLAIN_PIXELS
    spec = spec_of(289, resize="squash", interpolation="bilinear", resized=(346, 346))
    expected = np.asarray(plain_resized(image, (346, 346), (289, 289)))
    assert np.array_equal(transform.resized(image, spec), expected)


def test_memory_is_bounded():
    script = """
from PIL import Image
from contralto.image import transform, window
from support.noise_pictures import peak_mebibytes, spec_of
for size in [(1, 2_000_000), (2_000_000, 1)]:
    transform.resized(Image.new("RGB", size, "red"), spec_of(289, resize="squash", resized=(346, 346)))
for size, full in [((1, 20_000), (224, 4_480_000)), ((2_000_000, 2), (224_000_000, 224))]:
    middle = (full[0] // 2 - 112, full[1] // 2 - 112, full[0] // 2 + 112, full[1] // 2 + 112)
    window.enlarge(Image.new("RGB", size, "red"), full, Image.Resampling.BICUBIC, middle)
print(peak_mebibytes())
"""
    run = subprocess.run([sys.executable, "-c", script], cwd=TESTS, capture_output=True, text=True, check=True)
    assert int(run.stdout) < 150  # most of it Python and NumPy


def test_a_palette_beyond_all_reason_is_refused():
    with pytest.raises(ImageError, match="too long and thin"):
        transform.resized(Image.new("P", (2_000_000, 1)), spec_of(224))
