"""OWLv2's preparation against scipy, and against transformers' processor."""

from __future__ import annotations

import dataclasses
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from support.small_models import DETECTORS

from contralto import contract
from contralto.image import pad
from contralto.image.transform import pixels

ndimage = pytest.importorskip("scipy.ndimage")


def noise(width: int, height: int, seed: int = 0) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8))


def plain(image: Image.Image, side: int) -> np.ndarray:
    """(3, side, side) in float64, by scipy on the padded picture."""
    shades = np.asarray(image) / 255
    longest = max(image.size)
    square = np.zeros((longest, longest, 3))
    square[: image.height, : image.width] = shades
    sigma = max(0.0, (longest / side - 1) / 2)
    smooth = ndimage.gaussian_filter(square, (sigma, sigma, 0), mode="mirror")
    zoom = (side / longest, side / longest, 1)
    resized = ndimage.zoom(smooth, zoom, order=1, mode="mirror", grid_mode=True)
    return np.clip(resized, square.min(), square.max()).transpose(2, 0, 1)


def padded(image: Image.Image, side: int) -> np.ndarray:
    return pad.padded(image, np.full((3, side, side), np.nan, np.float32))


@given(width=st.integers(1, 90), height=st.integers(1, 90), side=st.integers(2, 40), seed=st.integers(0, 9))
@settings(max_examples=60, deadline=None)
def test_equal_to_scipy(width: int, height: int, side: int, seed: int) -> None:
    image = noise(width, height, seed)
    np.testing.assert_allclose(padded(image, side), plain(image, side), atol=1e-6)


@pytest.mark.parametrize(("width", "height"), [(400, 5), (5, 400), (200, 200)])
def test_a_picture_much_larger_than_its_target(width: int, height: int) -> None:
    image = noise(width, height)
    np.testing.assert_allclose(padded(image, 12), plain(image, 12), atol=1e-6)


@pytest.mark.parametrize("chunk", [1, 500])
def test_columns_are_read_in_chunks(monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    image = noise(70, 40)
    whole = padded(image, 32)
    monkeypatch.setattr(pad, "CHUNK_PIXELS", chunk)
    np.testing.assert_allclose(padded(image, 32), whole, atol=1e-7)


def test_what_is_padded_is_black_and_a_plain_picture_stays_plain() -> None:
    shades = padded(Image.new("RGB", (64, 32), (255, 51, 0)), 32)
    assert (shades[:, 20:] == 0).all()
    np.testing.assert_allclose(shades[:, :12].transpose(1, 2, 0), np.broadcast_to([1, 0.2, 0], (12, 32, 3)), atol=1e-6)
    assert shades.max() <= 1


def test_a_large_picture_is_never_in_floating_point_as_a_whole() -> None:
    image = noise(1500, 1000)  # padded, in float64: 54 MB
    out = np.empty((3, 96, 96), np.float32)
    tracemalloc.start()
    try:
        pad.padded(image, out)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 12e6


def stated(side: int) -> contract.Image:
    tower = DETECTORS["owlv2"].image.tower
    rules = {"resize": "pad", "interpolation": "bilinear", "convert": "first"}
    mean, std = (0.4, 0.5, 0.6), (0.2, 0.3, 0.4)
    return contract.Image(tower, (side, side), mean, std, **rules)  # type: ignore[arg-type]


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "P"])
def test_pixels_are_normalised_after_the_padding(mode: str) -> None:
    image, spec = noise(50, 30).convert(mode), stated(24)
    mean, std = (np.array(values)[:, None, None] for values in (spec.mean, spec.std))
    expected = (plain(image.convert("RGB"), 24) - mean) / std
    np.testing.assert_allclose(pixels(image, spec), expected, atol=1e-5)


def test_a_turn_comes_before_the_padding() -> None:
    image, spec, turn = noise(50, 30), stated(24), Image.Transpose.ROTATE_90
    assert (pixels(image, spec, turn=turn) == pixels(image.transpose(turn), spec)).all()
    out = np.empty((3, 24, 24), np.float32)
    assert pixels(image, spec, out) is out


@pytest.mark.parametrize("size", [(100, 60), (61, 99), (40, 40), (300, 20)])
def test_pixels_are_those_of_transformers(size: tuple[int, int]) -> None:
    pytest.importorskip("transformers")
    from transformers.models.owlv2.image_processing_pil_owlv2 import Owlv2ImageProcessorPil

    processor = Owlv2ImageProcessorPil(size={"height": 48, "width": 48})
    spec = dataclasses.replace(stated(48), mean=tuple(processor.image_mean), std=tuple(processor.image_std))
    expected = np.asarray(processor(noise(*size)).pixel_values[0])
    np.testing.assert_allclose(pixels(noise(*size), spec), expected, atol=1e-5)
