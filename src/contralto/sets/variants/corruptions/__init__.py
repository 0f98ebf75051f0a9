"""Fifteen corruptions of four kinds at five severities, after Hendrycks & Dietterich 2019 (ImageNet-C).

They follow the paper's definitions and published strengths. A picture is first resized to a shorter side of 224 pixels,
for which these strengths are defined: so grain, flakes and blur have the same size in all pictures, and time and memory
are bounded. All randomness is a function of (item's key, corruption, severity, version); results are bit-identical if
NumPy and Pillow give identical bits. Frost is drawn by code, not cut from photographs; fog is drawn by its spectrum;
the pixel shuffle of the glass corruption and the elastic fields use our own random draws. So **results differ in detail
from ImageNet-C.**

Read noise.py, blur.py, weather.py (with ice.py), digital.py; convolve.py and pixel_arrays.py serve them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from PIL import Image

from contralto.errors import DataError
from contralto.sets.data_set import DataSet, PictureChange
from contralto.sets.variants.corruptions import blur, digital, noise, weather
from contralto.sets.variants.corruptions.pixel_arrays import Pixels, to_image, to_pixels
from contralto.sets.variants.lazy_items import change_picture, map_items
from contralto.sets.variants.randomness import generator

CORRUPTIONS_VERSION = 1
CORRUPTION_SIDE = 224
MAX_CORRUPTED_PIXELS = 2**20  # a very long picture is reduced further
SEVERITIES = (1, 2, 3, 4, 5)


@dataclass(frozen=True)
class Corruption:
    """apply: (pixels float32 (H, W, 3) in 0..1, generator, *strength) -> the same, values outside 0..1 allowed.
    strengths: the arguments at severities 1 to 5."""

    kind: Literal["noise", "blur", "weather", "digital"]
    apply: Callable[..., Pixels]
    strengths: tuple[tuple[Any, ...], ...]


CORRUPTIONS = {
    "gaussian_noise": Corruption("noise", noise.gaussian, ((0.08,), (0.12,), (0.18,), (0.26,), (0.38,))),
    "shot_noise": Corruption("noise", noise.shot, ((60,), (25,), (12,), (5,), (3,))),
    "impulse_noise": Corruption("noise", noise.impulse, ((0.03,), (0.06,), (0.09,), (0.17,), (0.27,))),
    "defocus_blur": Corruption("blur", blur.defocus, ((3, 0.1), (4, 0.5), (6, 0.5), (8, 0.5), (10, 0.5))),
    # one round at severity 1 instead of two: here all pixels move at once, which is stronger than one by one
    "glass_blur": Corruption("blur", blur.glass, ((0.7, 1, 1), (0.9, 2, 1), (1, 2, 3), (1.1, 3, 2), (1.5, 4, 2))),
    "motion_blur": Corruption("blur", blur.motion, ((10, 3), (15, 5), (15, 8), (15, 12), (20, 15))),
    "zoom_blur": Corruption("blur", blur.zoom, ((1.1, 0.01), (1.15, 0.01), (1.2, 0.02), (1.25, 0.02), (1.3, 0.03))),
    "snow": Corruption(
        "weather",
        weather.snow,
        (
            (0.1, 0.3, 3, 0.5, 10, 4, 0.8),
            (0.2, 0.3, 2, 0.5, 12, 4, 0.7),
            (0.55, 0.3, 4, 0.9, 12, 8, 0.7),
            (0.55, 0.3, 4.5, 0.85, 12, 8, 0.65),
            (0.55, 0.3, 2.5, 0.85, 12, 12, 0.55),
        ),
    ),
    "frost": Corruption("weather", weather.frost, ((1, 0.4), (0.8, 0.6), (0.7, 0.7), (0.65, 0.7), (0.6, 0.75))),
    "fog": Corruption("weather", weather.fog, ((1.5, 2), (2, 2), (2.5, 1.7), (2.5, 1.5), (3, 1.4))),
    "brightness": Corruption("weather", weather.brightness, ((0.1,), (0.2,), (0.3,), (0.4,), (0.5,))),
    "contrast": Corruption("digital", digital.contrast, ((0.4,), (0.3,), (0.2,), (0.1,), (0.05,))),
    # as published: the affine jitter of severity 2 is stronger than at higher severities
    "elastic_transform": Corruption(
        "digital", digital.elastic, ((488, 171, 24.4), (488, 19.5, 48.8), (12.2, 2.44, 4.88), (17.1, 2.44, 4.88),
                                     (29.3, 2.44, 4.88))),
    "pixelate": Corruption("digital", digital.pixelate, ((0.6,), (0.5,), (0.4,), (0.3,), (0.25,))),
    "jpeg_compression": Corruption("digital", digital.jpeg, ((25,), (18,), (15,), (10,), (7,))),
}  # fmt: skip


def corrupt(data_set: DataSet, corruption: str, severity: int) -> DataSet:
    """The data set with corrupted pictures. severity: 1 (weak) to 5 (strong). Other splits stay clean.

    Raises DataError.
    """
    if corruption not in CORRUPTIONS:
        raise DataError(f"no corruption is named {corruption!r} (available: {', '.join(CORRUPTIONS)})")
    if severity not in SEVERITIES:
        raise DataError(f"{corruption}: severity is 1 to 5, got {severity}")
    change = PictureChange(
        f"{corruption} {severity} v{CORRUPTIONS_VERSION}", partial(_corrupt, corruption=corruption, severity=severity)
    )
    return map_items(data_set, lambda item: change_picture(item, change))


def _corrupt(picture: Image.Image, key: str, corruption: str, severity: int) -> Image.Image:
    definition = CORRUPTIONS[corruption]
    pixels = to_pixels(_resized(picture))
    random = generator(corruption, severity, CORRUPTIONS_VERSION, key)
    return to_image(definition.apply(pixels, random, *definition.strengths[severity - 1]))


def _resized(picture: Image.Image) -> Image.Image:
    """The picture resized to a shorter side of CORRUPTION_SIDE, or smaller to stay within MAX_CORRUPTED_PIXELS."""
    width, height = picture.size
    scale = min(CORRUPTION_SIDE / min(width, height), (MAX_CORRUPTED_PIXELS / (width * height)) ** 0.5)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return picture if size == picture.size else picture.resize(size, Image.Resampling.BICUBIC)
