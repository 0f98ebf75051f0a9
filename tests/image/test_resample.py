"""The compiled resize against Pillow's, with and without AVX2: the same bits, or None if Pillow has to do it."""

import io
import subprocess
import sys
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image
from support.noise_pictures import noise, spec_of
from support.plain_pixels import normalised, plain_resize

from contralto.image import _resample, resample, transform  # tests need the extension, hence a C compiler
from contralto.image.decode import decode, decode_unturned
from contralto.image.resize_weights import resize_weights

BICUBIC, BILINEAR = Image.Resampling.BICUBIC, Image.Resampling.BILINEAR
TAKEN = ["L", "RGB", "CMYK", "YCbCr"]
LEVELS = [False, True] if _resample.AVX2 else [False]


def without_or_with(avx2):
    return mock.patch.object(_resample, "AVX2", avx2)


def assert_equal_to_pillow(image, full, box, method, avx2):
    with without_or_with(avx2):
        ours = resample.resize_box(image, full, method, box)
    assert ours is not None
    plain = image.resize(full, method).crop(box)
    assert (ours.mode, ours.size) == (plain.mode, plain.size)
    assert ours.tobytes() == plain.tobytes()


def extreme(mode, size, cell):
    """Squares of 0 and 255, on which the cubic kernel overshoots most."""
    rows, columns = np.indices(size[::-1]) // cell
    grey = Image.fromarray(((rows + columns) % 2 * 255).astype(np.uint8))
    return grey if mode == "L" else Image.merge(mode, [grey] * len(Image.new(mode, (1, 1)).getbands()))


def middle(full, size):
    """The box of at most `size` in the middle of `full`."""
    width, height = min(full[0], size[0]), min(full[1], size[1])
    left, top = (full[0] - width) // 2, (full[1] - height) // 2
    return left, top, left + width, top + height


@given(data=st.data(), mode=st.sampled_from(TAKEN), method=st.sampled_from([BICUBIC, BILINEAR]))
@settings(max_examples=300, deadline=None)
def test_any_picture_to_any_size(data, mode, method):
    image_size = data.draw(st.tuples(st.integers(32, 400), st.integers(32, 400)))
    full = data.draw(st.tuples(st.integers(1, 500), st.integers(1, 500)))
    left, top = data.draw(st.integers(0, full[0] - 1)), data.draw(st.integers(0, full[1] - 1))
    right, bottom = data.draw(st.integers(left + 1, full[0])), data.draw(st.integers(top + 1, full[1]))
    cell = data.draw(st.integers(0, 9))
    image = extreme(mode, image_size, cell) if cell else noise(mode, image_size, seed=full[0])
    box = (left, top, right, bottom)
    for avx2 in LEVELS:
        with without_or_with(avx2):
            ours = resample.resize_box(image, full, method, box)
        if ours is not None:
            assert ours.tobytes() == image.resize(full, method).crop(box).tobytes()


@given(
    mode=st.sampled_from(TAKEN),
    size=st.tuples(st.integers(32, 300), st.integers(32, 300)),
    shrink=st.integers(1, 6),
    enlarge=st.floats(1, 4),
    method=st.sampled_from([BICUBIC, BILINEAR]),
    seed=st.integers(0, 99),
)
@settings(max_examples=100, deadline=None)
def test_every_shape_of_ordinary_pictures_is_taken(mode, size, shrink, enlarge, method, seed):
    """Both sides are scaled alike, as in CLIP, for every aspect ratio up to 2:1."""
    size = (max(size), min(max(size), 2 * min(size)))
    full = tuple(max(int(side * enlarge / shrink), 4) for side in size)
    if full != size:
        for avx2 in LEVELS:
            assert_equal_to_pillow(noise(mode, size, seed), full, middle(full, (41, 37)), method, avx2)


@pytest.mark.parametrize("avx2", LEVELS)
@pytest.mark.parametrize("n", [7, 33, 224, 288, 336])
@pytest.mark.parametrize("size", [(1200, 900), (900, 1200), (501, 333), (240, 250), (61, 97)])
def test_the_sizes_of_towers(size, n, avx2):
    full = transform.covering_size(size, (n, n))
    box = middle(full, (n, n))
    for method in (BICUBIC, BILINEAR):
        assert_equal_to_pillow(noise("RGB", size), full, box, method, avx2)
        assert_equal_to_pillow(extreme("L", size, 3), full, box, method, avx2)


@pytest.mark.parametrize("avx2", LEVELS)
@pytest.mark.parametrize("mode", TAKEN)
def test_many_strips(mode, avx2):
    image = noise(mode, (2000, 1100))
    full = transform.covering_size(image.size, (64, 64))
    assert_equal_to_pillow(image, full, middle(full, (64, 64)), BICUBIC, avx2)


@pytest.mark.parametrize("avx2", LEVELS)
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK", "YCbCr"])
def test_equal_to_the_plain_pipeline(mode, avx2):
    image = noise(mode, (640, 427))
    before = image.tobytes()
    with without_or_with(avx2):
        ours = transform.pixels(image, spec_of(224))
    assert np.array_equal(ours.view(np.uint32), normalised(plain_resize(image, 224)).view(np.uint32))
    assert image.tobytes() == before


@pytest.mark.parametrize("turn", resample.TURN_EFFECTS)
@given(
    size=st.tuples(st.integers(40, 150), st.integers(40, 150)),
    mode=st.sampled_from(TAKEN),
    enlarge=st.booleans(),
    seed=st.integers(0, 99),
)
@settings(max_examples=25, deadline=None)
def test_turned_in_passing(turn, size, mode, enlarge, seed):
    image = noise(mode, size, seed)
    upright = image if turn is None else image.transpose(turn)
    assert resample.turned(size, turn) == upright.size
    full = tuple(side + 31 if enlarge else side // 3 for side in upright.size)
    left, top, _, bottom = middle(full, (53, 29))
    box = (left, top, full[0] - 1, bottom)  # not in the middle, so that a wrong mirroring is detected
    for avx2 in LEVELS:
        with without_or_with(avx2):
            ours = resample.resize_box(image, full, BICUBIC, box, turn)
        if ours is not None:
            assert ours.tobytes() == upright.resize(full, BICUBIC).crop(box).tobytes()


@pytest.mark.parametrize("avx2", LEVELS)
@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("turn", resample.TURN_EFFECTS)
def test_large_ones_are_turned_in_passing(turn, mode, avx2):
    image = noise(mode, (1001, 1203))
    upright = image if turn is None else image.transpose(turn)
    full = transform.covering_size(upright.size, (64, 64))
    box = middle(full, (64, 64))
    with without_or_with(avx2):
        ours = resample.resize_box(image, full, BILINEAR, box, turn)
    assert ours.tobytes() == upright.resize(full, BILINEAR).crop(box).tobytes()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("mode", ["RGB", "L", "P", "RGBA"])
def test_a_file_is_turned_by_the_transform_as_by_the_decoder(mode, orientation):
    file, exif = io.BytesIO(), Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    noise(mode, (301, 220)).save(file, "PNG", exif=exif)
    image, turn = decode_unturned(file.getvalue())
    assert image.size == (301, 220)
    expected = normalised(plain_resize(decode(file.getvalue()), 64))
    assert np.array_equal(transform.pixels(image, spec_of(64), turn=turn).view(np.uint32), expected.view(np.uint32))


@given(length=st.integers(1, 3000), size=st.integers(1, 3000), method=st.sampled_from([BICUBIC, BILINEAR]))
@settings(max_examples=200, deadline=None)
def test_no_sum_overflows(length, size, method):
    """The compiled code relies on this: the absolute products of bytes and weights add up to less than 2^31."""
    weights = resize_weights(length, size, 0, min(size, 300), method).weights
    assert 255 * np.abs(weights).sum(axis=1).max() < 255 * 1.5 * 2**22 < 2**31


def test_left_to_pillow():
    half, box = (50, 40), (0, 0, 50, 40)
    for mode in ("P", "1", "RGBA", "LA"):
        assert resample.resize_box(noise(mode, (100, 80)), half, BICUBIC, box) is None
    image = noise("RGB", (100, 80))
    assert resample.resize_box(image, image.size, BICUBIC, box) is None  # a copy
    assert resample.resize_box(image, (99, 40), BICUBIC, box) is None  # Pillow 13 resizes its height first
    assert (
        resample.resize_box(noise("RGB", (1, 300)), (224, 67_200), BICUBIC, (0, 0, 224, 224)) is None
    )  # fewer than the lanes
    assert resample.resize_box(noise("L", (100_000, 40)), half, BICUBIC, box) is None  # too many weights


def test_the_same_without_the_extension(monkeypatch):
    image = noise("RGB", (300, 200))
    compiled = transform.pixels(image, spec_of(64))
    monkeypatch.setattr(resample, "compiled", None)
    assert resample.resize_box(image, (96, 64), BICUBIC, (16, 0, 80, 64)) is None
    assert np.array_equal(transform.pixels(image, spec_of(64)), compiled)


def test_imported_without_the_extension():
    script = """
import sys
sys.modules["contralto.image._resample"] = None
from contralto.image import resample
assert resample.compiled is None
"""
    assert subprocess.run([sys.executable, "-c", script]).returncode == 0


def test_threads_do_not_disturb_each_other():
    images = [noise("RGB", (500 + 9 * i, 400), seed=i) for i in range(12)]
    expected = [np.asarray(plain_resize(image, 96)) for image in images]
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda image: transform.resized(image, spec_of(96)), images * 4))
    assert all(map(np.array_equal, results, expected * 4))


def test_no_second_copy_of_the_picture():
    image = Image.new("RGB", (4000, 3000))
    tracemalloc.start()
    try:
        transform.resized(image, spec_of(224))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 6 * 2**20  # the intermediate has 224 x 3000 pixels of 4 bytes; the picture takes 48 MB


@pytest.mark.parametrize("avx2", LEVELS)
@pytest.mark.parametrize("standing", [False, True])
@pytest.mark.parametrize("channels", [1, 2, 4])
@pytest.mark.parametrize("line_count", [1, 3, 4, 11, 75])
def test_a_pass_is_what_it_says(line_count, channels, standing, avx2):
    rng = np.random.default_rng(line_count)
    outputs, lanes, line_bytes = 5, 16, 40
    lines = rng.integers(0, 256, (line_count, line_bytes), dtype=np.uint8)
    starts = rng.integers(0, (line_bytes - lanes) // channels + 1, outputs, dtype=np.int32) * channels
    weights = rng.integers(-(2**18), 2**19, (outputs, lanes // channels), dtype=np.int32).repeat(channels, axis=1)
    out = np.zeros((outputs, 2 * line_count, channels), np.uint8)
    given_lines = lines.reshape(line_count, -1, channels).swapaxes(0, 1).copy() if standing else lines
    _resample.resample(given_lines, starts, weights, out[:, ::2], standing, avx2)
    inputs = lines[:, starts[:, None] + np.arange(lanes)].astype(np.int64) * weights  # (line_count, outputs, lanes)
    sums = inputs.reshape(line_count, outputs, -1, channels).sum(axis=2)
    assert np.array_equal(out[:, ::2], np.clip((sums + 2**21) >> 22, 0, 255).swapaxes(0, 1))
    assert not out[:, 1::2].any()


def test_a_pass_refuses_what_would_leave_its_buffers():
    lines, starts, weights = np.zeros((4, 32), np.uint8), np.zeros(3, np.int32), np.zeros((3, 8), np.int32)
    out = np.zeros((3, 4, 4), np.uint8)
    _resample.resample(lines, starts, weights, out, False, False)
    for wrong in (
        (lines, starts - 1, weights, out),
        (lines, starts + 28, weights, out),
        (lines, starts + 1, weights, out),
        (lines, starts[:2], weights, out),
        (lines, starts, weights[:, :7].copy(), out),
        (lines, starts, weights[:2], out),
        (lines, starts.astype(np.int64), weights, out),
        (lines.reshape(-1)[:-1], starts, weights, out),
        (lines[:0], starts, weights, out),
        (lines, starts, weights, out[:, :0]),
        (lines, starts, weights, out[:, :, :3]),
        (lines, starts, weights, out[:, :, ::2]),
        (lines, starts, weights, out[0]),
    ):
        with pytest.raises(ValueError, match=r"lines|starts|out"):
            _resample.resample(*wrong, False, False)
    with pytest.raises(ValueError, match="contiguous"):
        _resample.resample(lines[:, ::2], starts, weights, out, False, False)
    with pytest.raises(TypeError):
        _resample.resample("lines", starts, weights, out, False, False)
