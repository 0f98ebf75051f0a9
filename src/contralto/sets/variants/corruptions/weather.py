"""Weather: snow, frost, fog, brightness."""

from __future__ import annotations

import numpy as np
from PIL import Image

from contralto.sets.variants.corruptions.convolve import convolve, field, streak
from contralto.sets.variants.corruptions.ice import ferns
from contralto.sets.variants.corruptions.pixel_arrays import Pixels

LUMA = np.array([0.299, 0.587, 0.114], np.float32)
ICE = np.array([0.86, 0.93, 1.0], np.float32)  # slightly blue


def snow(
    pixels: Pixels,
    random: np.random.Generator,
    mean: float,
    deviation: float,
    size: float,
    threshold: float,
    radius: float,
    sigma: float,
    kept: float,
) -> Pixels:
    """Snow: normal noise in blocks of `size` pixels, cut at `threshold` and blurred by motion, over a paler picture.

    kept: share of the original picture in the paler one. The flakes are added twice, the second time rotated by 180
    degrees.
    """
    height, width = pixels.shape[:2]
    small = max(1, round(height / size)), max(1, round(width / size))
    grains = Image.fromarray(random.normal(mean, deviation, small).astype(np.float32))
    flakes = np.array(grains.resize((width, height), Image.Resampling.BILINEAR))
    flakes[flakes < threshold] = 0
    flakes = convolve(np.clip(flakes, 0, 1), streak(radius, sigma, random.uniform(-135, -45)))
    pale = np.maximum(pixels, (pixels @ LUMA * 1.5 + 0.5)[:, :, None])
    fallen: Pixels = kept * pixels + (1 - kept) * pale + (flakes + flakes[::-1, ::-1])[:, :, None]
    return fallen


def frost(pixels: Pixels, random: np.random.Generator, kept: float, strength: float) -> Pixels:
    """kept x picture + strength x frost, which is ice ferns over patches of rime."""
    shape = pixels.shape[0], pixels.shape[1]
    rime = _unit(field(shape, random, lambda cycles: 1 / (cycles + 0.01) ** 1.5))
    ice = np.minimum(0.25 + 0.5 * rime + 0.75 * ferns(shape, random), 1)
    return np.float32(kept) * pixels + np.float32(strength) * ice[:, :, None] * ICE


def fog(pixels: Pixels, random: np.random.Generator, thickness: float, decay: float) -> Pixels:
    """Lays a fractal cloud, at least a third of `thickness`, over the picture; the brightest value stays the same.

    decay: the ratio of the cloud's strength from one octave to the next finer one.
    """
    power = 1 + np.log2(decay)
    cloud = _unit(field((pixels.shape[0], pixels.shape[1]), random, lambda cycles: 1 / (cycles + 0.002) ** power))
    added = np.float32(thickness / 3) * (1 + 2 * cloud[:, :, None])
    brightest = float(pixels.max())
    return (pixels + added) * np.float32(brightest / (brightest + thickness))


def brightness(pixels: Pixels, random: np.random.Generator, added: float) -> Pixels:
    """Raises the value in the HSV colour space; hue and saturation stay."""
    value = pixels.max(2, keepdims=True)
    brighter: Pixels = np.where(value > 0, pixels / np.maximum(value, 1e-6), 1) * np.minimum(value + added, 1)
    return brighter


def _unit(plane: Pixels) -> Pixels:
    low, high = plane.min(), plane.max()
    unit: Pixels = (plane - low) / max(high - low, np.float32(1e-6))
    return unit
