"""Digital corruptions: contrast, elastic transform, pixelation, JPEG."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from contralto.sets.variants.corruptions.convolve import field
from contralto.sets.variants.corruptions.pixel_arrays import Pixels, interpolate, to_image, to_pixels


def contrast(pixels: Pixels, random: np.random.Generator, kept: float) -> Pixels:
    """Reduces the distance of each channel from its mean. kept: share of the distance that remains."""
    mean = pixels.mean((0, 1), dtype=np.float64).astype(np.float32)
    flatter: Pixels = (pixels - mean) * np.float32(kept) + mean
    return flatter


def elastic(pixels: Pixels, random: np.random.Generator, push: float, sigma: float, jitter: float) -> Pixels:
    """Applies a random affine map, then moves every pixel by a smooth random field.

    jitter: largest shift, in pixels, of the three points that define the affine map. push: factor of the field, which
    is uniform noise in -1..1, smoothed by a Gaussian of `sigma`.
    """
    shape = pixels.shape[0], pixels.shape[1]
    middle, arm = np.array(shape) / 2, min(shape) / 3
    before = middle + arm * np.array([[1, 1], [1, -1], [-1, -1]])
    after = before + random.uniform(-jitter, jitter, (3, 2))
    affine = np.linalg.solve(np.hstack([after, np.ones((3, 1))]), before)  # (3, 2): where a pixel comes from
    y, x = (axis.astype(np.float32) for axis in np.mgrid[: shape[0], : shape[1]])
    for place in (y, x):
        # the deviation of uniform noise in -1..1 is the root of 1/3
        place += push / 3**0.5 * field(shape, random, lambda cycles: np.exp(-2 * (np.pi * sigma * cycles) ** 2))
    rows, columns = (y * a + x * b + c for a, b, c in affine.T.astype(np.float32))
    return interpolate(pixels, rows, columns)


def pixelate(pixels: Pixels, random: np.random.Generator, share: float) -> Pixels:
    """Reduces the picture to `share` of its sides by averaging, and enlarges it again by repetition."""
    image = to_image(pixels)
    small = image.resize((max(1, int(image.width * share)), max(1, int(image.height * share))), Image.Resampling.BOX)
    return to_pixels(small.resize(image.size, Image.Resampling.NEAREST))


def jpeg(pixels: Pixels, random: np.random.Generator, quality: int) -> Pixels:
    """Encodes and decodes the picture as JPEG of this quality."""
    file = io.BytesIO()
    to_image(pixels).save(file, "JPEG", quality=quality)
    return to_pixels(Image.open(file).convert("RGB"))
