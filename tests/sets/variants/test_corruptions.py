import colorsys

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from contralto.errors import DataError
from contralto.sets.data_set import DataSet, Item
from contralto.sets.variants.corruptions import CORRUPTIONS, SEVERITIES, corrupt
from contralto.sets.variants.corruptions.convolve import convolve, field, smooth_size, streak
from contralto.sets.variants.corruptions.pixel_arrays import interpolate

RANDOM = {"gaussian_noise", "shot_noise", "impulse_noise", "glass_blur", "motion_blur", "snow", "frost", "fog",
          "elastic_transform"}  # fmt: skip


def data_set(*pictures):
    return DataSet("set", "test", "classes", "top1", [Item(f"k{i}", p) for i, p in enumerate(pictures)])


def scene(height=224, width=224, seed=0):
    """Smooth patches of colour with some detail."""
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 256, (7, 7, 3), dtype=np.uint8)
    smooth = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
    return np.asarray(smooth).copy()


def corrupted_pixels(picture, name, severity=3):
    return np.asarray(corrupt(data_set(picture), name, severity).items[0].encoder_input())


def apply(name, severity, pixels, seed=0):
    """The corruption itself, on floats."""
    chosen = CORRUPTIONS[name]
    return chosen.apply(np.asarray(pixels, np.float32), np.random.default_rng(seed), *chosen.strengths[severity - 1])


GREY = np.full((200, 200, 3), 0.5, np.float32)


def test_four_kinds_of_three_to_four():
    kinds = [one.kind for one in CORRUPTIONS.values()]
    assert [kinds.count(kind) for kind in ("noise", "blur", "weather", "digital")] == [3, 4, 4, 4]


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_pictures_depend_on_key_and_severity_alone(name):
    pictures = [scene(224, 250), scene(224, 250)]
    forth = [item.encoder_input() for item in corrupt(data_set(*pictures), name, 4).items]
    back = [item.encoder_input() for item in reversed(corrupt(data_set(*pictures), name, 4).items)][::-1]
    assert [one.tobytes() for one in forth] == [one.tobytes() for one in back]
    assert all((one.mode, one.size) == ("RGB", (250, 224)) for one in forth)
    assert (forth[0].tobytes() != forth[1].tobytes()) == (name in RANDOM)
    seen = [corrupted_pixels(pictures[0], name, severity).tobytes() for severity in SEVERITIES]
    assert len({pictures[0].tobytes(), *seen}) == 6
    assert len({corrupt(data_set(*pictures), name, s).items[0].digest() for s in SEVERITIES}) == 5


@pytest.mark.parametrize(
    "name", [name for name in CORRUPTIONS if name not in ("elastic_transform", "snow", "frost", "fog")]
)
def test_a_higher_severity_is_further_from_the_picture(name):
    picture = scene()
    loss = [np.abs(corrupted_pixels(picture, name, severity) - picture.astype(float)).mean() for severity in (1, 3, 5)]
    assert 0.3 < loss[0] < loss[1] < loss[2]


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_any_size_is_brought_to_224(name):
    for height, width in ((1, 1), (3, 6), (400, 300)):
        result = corrupted_pixels(scene(height, width), name, 5)
        assert min(result.shape[:2]) == 224
        assert result.shape[0] / result.shape[1] == pytest.approx(height / width, rel=0.02)


def test_a_long_picture_is_brought_to_a_million_pixels():
    result = corrupted_pixels(scene(10, 4000), "jpeg_compression", 5)
    assert result.shape[0] == round(10 * (2**20 / 40000) ** 0.5)
    assert result.shape[0] * result.shape[1] == pytest.approx(2**20, rel=0.01)


def test_noise_is_as_strong_as_said():
    assert (apply("gaussian_noise", 3, GREY) - GREY).std() == pytest.approx(0.18, rel=0.01)
    for value in (0.2, 0.8):
        counted = apply("shot_noise", 2, np.full_like(GREY, value))
        assert counted.mean() == pytest.approx(value, rel=0.01)
        assert counted.var() == pytest.approx(value / 25, rel=0.03)
        assert np.allclose(counted * 25, np.rint(counted * 25), atol=1e-4)
    struck = apply("impulse_noise", 5, GREY)
    assert [(struck == value).mean() for value in (0, 0.5, 1)] == pytest.approx([0.135, 0.73, 0.135], abs=0.005)


def test_a_point_out_of_focus_is_a_disc():
    point = np.zeros((61, 61, 3), np.float32)
    point[30, 30] = 1
    y, x = np.mgrid[-30:31, -30:31]
    distance = np.hypot(y, x)
    spread = apply("defocus_blur", 5, point)[:, :, 0]
    assert spread.sum() == pytest.approx(1, abs=1e-5)
    assert np.allclose(spread[distance < 8], 1 / (np.pi * 100), rtol=0.02)
    assert np.abs(spread[distance > 12.5]).max() < 1e-6


def test_motion_leaves_a_trail_on_one_side():
    kernel = streak(15, 8, 30)
    middle = len(kernel) // 2
    y, x = np.mgrid[-middle : middle + 1, -middle : middle + 1]
    assert kernel.shape[0] % 2 == 1
    assert kernel.sum() == pytest.approx(1)
    turn = np.radians(30)
    across = (kernel * (y * np.cos(turn) + x * np.sin(turn))).sum()
    along = (kernel * (x * np.cos(turn) - y * np.sin(turn))).sum()
    steps = np.arange(0, 30.5, 0.5)
    weights = np.exp(-(steps**2) / 128)
    assert across == pytest.approx(0, abs=1e-4)
    assert along == pytest.approx((weights * steps).sum() / weights.sum(), rel=1e-3)


@pytest.mark.parametrize("shape", [(31, 47), (40, 22, 3)])
def test_convolution_is_scipys(shape):
    random = np.random.default_rng(1)
    pixels, kernel = random.random(shape).astype(np.float32), random.random((7, 11))
    weights = kernel if len(shape) == 2 else kernel[:, :, None]
    assert np.allclose(
        convolve(pixels, kernel), ndimage.convolve(pixels.astype(float), weights, mode="reflect"), rtol=1e-5
    )


def test_lengths_of_transforms():
    smooth = sorted(2**a * 3**b * 5**c for a in range(11) for b in range(7) for c in range(5))
    for least in range(1, 600):
        assert smooth_size(least) == min(n for n in smooth if n >= least)


def test_a_field_has_the_spectrum_asked_for():
    sigma = 3.0
    smooth = field((240, 300), np.random.default_rng(0), lambda cycles: np.exp(-2 * (np.pi * sigma * cycles) ** 2))
    assert smooth.std() == pytest.approx(1 / (2 * np.pi**0.5 * sigma), rel=0.05)  # of white noise, smoothed
    neighbours = (smooth[:, 1:] * smooth[:, :-1]).mean() / smooth.var()
    assert neighbours == pytest.approx(np.exp(-1 / (4 * sigma**2)), rel=0.01)


def test_places_between_pixels_are_scipys():
    random = np.random.default_rng(2)
    pixels = random.random((13, 17, 3)).astype(np.float32)
    y, x = random.uniform(-20, 40, (2, 30, 30)).astype(np.float32)
    result = interpolate(pixels, y, x)
    for channel in range(3):
        expected = ndimage.map_coordinates(pixels[:, :, channel].astype(float), [y, x], order=1, mode="reflect")
        assert np.allclose(result[:, :, channel], expected, atol=1e-4)


def test_glass_takes_pixels_from_near_by():
    """Of a ramp, so smooth that the blurs do nothing, no value moves by more than the reach times the rounds."""
    ramp = np.broadcast_to(np.arange(200, dtype=np.float32)[None, :, None] / 255, (50, 200, 3))
    moved = (apply("glass_blur", 5, ramp) - ramp)[:, 20:-20] * 255
    assert 1 < np.abs(moved).max() <= 4 * 2
    assert abs(moved.mean()) < 0.3


def test_zoom_keeps_the_middle_and_smears_outwards():
    picture = np.zeros((101, 101, 3), np.float32)
    picture[50, 50] = picture[50, 80] = 1
    blurred = apply("zoom_blur", 5, picture)[:, :, 0]
    row = blurred[50]
    assert row[50] > 0.5
    assert (row[80:91] > 0).all()
    assert row[70:78].max() == 0
    assert np.allclose(apply("zoom_blur", 2, GREY), GREY, atol=1 / 255)


def test_brightness_raises_the_value_alone():
    random = np.random.default_rng(3)
    colours = random.random((1, 50, 3)).astype(np.float32)
    brighter = apply("brightness", 2, colours)
    for before, after in zip(colours[0].tolist(), brighter[0].tolist(), strict=True):
        hue, saturation, value = colorsys.rgb_to_hsv(*before)
        assert after == pytest.approx(colorsys.hsv_to_rgb(hue, saturation, min(1, value + 0.2)), abs=1e-4)
    assert apply("brightness", 5, np.zeros((2, 2, 3))) == pytest.approx(0.5)


def test_contrast_keeps_the_mean():
    pixels = scene().astype(np.float32) / 255
    flat = apply("contrast", 4, pixels)
    assert flat.mean((0, 1)) == pytest.approx(pixels.mean((0, 1)), abs=1e-4)
    assert flat.std((0, 1)) == pytest.approx(0.1 * pixels.std((0, 1)), rel=1e-3)


def test_fog_and_frost_and_snow_lie_over_the_picture():
    dark = np.full((224, 224, 3), 0.2, np.float32)
    fogged = apply("fog", 5, dark)
    assert fogged.max() <= 0.2 + 1e-6  # the brightest point stays as bright
    snowed, frosted = apply("snow", 3, dark), apply("frost", 3, dark)
    assert snowed.min() >= 0.2 - 1e-6
    assert snowed.max() > 0.9
    assert (frosted[:, :, 2] > frosted[:, :, 0]).all()  # ice is a little blue
    assert frosted.std() > 0.05


def test_elastic_moves_but_invents_nothing():
    pixels = scene().astype(np.float32) / 255
    for severity in SEVERITIES:
        warped = apply("elastic_transform", severity, pixels)
        assert warped.min() >= pixels.min() - 1e-5
        assert warped.max() <= pixels.max() + 1e-5
        assert np.allclose(apply("elastic_transform", severity, GREY), GREY)


def test_pixelate_makes_blocks():
    result = corrupted_pixels(scene(), "pixelate", 5)
    blocks = result.reshape(56, 4, 56, 4, 3)
    assert (blocks == blocks[:, :1, :, :1]).all()
    assert np.allclose(result[::4, ::4], scene().reshape(56, 4, 56, 4, 3).mean((1, 3)), atol=1)


def test_jpeg_is_of_that_quality(tmp_path):
    Image.fromarray(scene()).save(tmp_path / "x.jpg", quality=7)
    assert np.array_equal(corrupted_pixels(scene(), "jpeg_compression", 5), np.asarray(Image.open(tmp_path / "x.jpg")))


@pytest.mark.parametrize(
    ("name", "severity", "said"), [("rain", 3, "gaussian_noise"), ("fog", 0, "1 to 5"), ("fog", 6, "1 to 5")]
)
def test_what_there_is_not(name, severity, said):
    with pytest.raises(DataError, match=said):
        corrupt(data_set(scene()), name, severity)
