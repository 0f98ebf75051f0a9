"""Noise: Gaussian (amplifier), shot (few photons), impulse (dead pixels)."""

from __future__ import annotations

import numpy as np

from contralto.sets.variants.corruptions.pixel_arrays import Pixels


def gaussian(pixels: Pixels, random: np.random.Generator, deviation: float) -> Pixels:
    """Adds normal noise to each value."""
    return pixels + random.standard_normal(pixels.shape, np.float32) * np.float32(deviation)


def shot(pixels: Pixels, random: np.random.Generator, photons: float) -> Pixels:
    """Replaces each value by a Poisson count. photons: the mean count of white."""
    return (random.poisson(pixels * photons) / photons).astype(np.float32)


def impulse(pixels: Pixels, random: np.random.Generator, share: float) -> Pixels:
    """Sets a random share of all values to 0 or 1, with equal probability."""
    drawn = random.random(pixels.shape, np.float32)
    return np.where(drawn < share, np.float32(drawn < share / 2), pixels)
