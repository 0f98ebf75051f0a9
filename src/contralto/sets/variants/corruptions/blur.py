"""Blur: defocus, frosted glass, camera motion, zoom."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image, ImageFilter

from contralto.sets.variants.corruptions.convolve import convolve, streak
from contralto.sets.variants.corruptions.pixel_arrays import Pixels, to_image, to_pixels

POINTS_PER_PIXEL = 8  # per side; they sample the edge of a disc


def defocus(pixels: Pixels, random: np.random.Generator, radius: float, softness: float) -> Pixels:
    """Convolves with a disc whose edge is softened by a Gaussian of `softness` pixels."""
    reach = math.ceil(radius + 3 * softness)
    across = np.arange(-reach, reach + 1, dtype=np.float64)
    points = (np.arange(len(across) * POINTS_PER_PIXEL) + 0.5) / POINTS_PER_PIXEL - reach - 0.5
    inside = (points[:, None] ** 2 + points[None] ** 2) <= radius**2
    disc = inside.reshape(len(across), POINTS_PER_PIXEL, len(across), POINTS_PER_PIXEL).mean((1, 3))
    soft = np.exp(-((across[:, None] - across[None]) ** 2) / (2 * softness**2))
    kernel = soft @ disc @ soft
    return convolve(pixels, kernel / kernel.sum())


def glass(pixels: Pixels, random: np.random.Generator, sigma: float, reach: int, rounds: int) -> Pixels:
    """Blurs, replaces each pixel `rounds` times by a neighbour at most `reach` away, and blurs again."""
    soft = ImageFilter.GaussianBlur(sigma)
    blurred = np.asarray(to_image(pixels).filter(soft))
    height, width = blurred.shape[:2]
    rows, columns = np.arange(height)[:, None], np.arange(width)[None]
    for _ in range(rounds):
        down, right = random.integers(-reach, reach + 1, (2, height, width), dtype=np.int16)
        blurred = blurred[np.clip(rows + down, 0, height - 1), np.clip(columns + right, 0, width - 1)]
    return to_pixels(Image.fromarray(blurred).filter(soft))


def motion(pixels: Pixels, random: np.random.Generator, radius: float, sigma: float) -> Pixels:
    """Every point leaves a fading trail in a random direction within 45 degrees of the horizontal."""
    return convolve(pixels, streak(radius, sigma, random.uniform(-45, 45)))


def zoom(pixels: Pixels, random: np.random.Generator, max_factor: float, step: float) -> Pixels:
    """The mean of the picture and of copies enlarged around its centre by 1, 1 + step, ... up to `max_factor`."""
    image = to_image(pixels)
    width, height = image.size
    factors = 1 + step * np.arange(round((max_factor - 1) / step) + 1)
    total = pixels.copy()
    for factor in factors:
        x, y = width / 2 * (1 - 1 / factor), height / 2 * (1 - 1 / factor)
        total += to_pixels(image.resize(image.size, Image.Resampling.BILINEAR, box=(x, y, width - x, height - y)))
    return total / np.float32(len(factors) + 1)
