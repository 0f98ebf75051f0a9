"""The exact CLIP preprocessing: resize, centre crop, RGB, scale to [0, 1], normalise. Bit for bit the reference's by
Pillow, whichever way a picture is resized: by `resample` where its compiled code takes it, else by Pillow.

The order matters, and the contract states it. OpenAI's code resizes a picture in its own mode and turns it to RGB only
after the crop (convert "last"); hence palette and 1-bit pictures are resized without interpolation (Pillow does not mix
palette indices), RGBA and LA with colours weighted by alpha, which is then dropped, and CMYK before its conversion.
transformers' code turns it to RGB before it resizes (convert "first"). `decode` says which modes arrive here.

Sources: Radford et al. 2021 with the reference code's `_transform`; transformers 5.23, `PilBackend`; sizes and offsets
as torchvision computes them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from contralto import contract
from contralto.image import resample, window

FILTERS = {"bicubic": Image.Resampling.BICUBIC, "bilinear": Image.Resampling.BILINEAR}

# A resized picture up to this size (64 MiB), or to its source's, is made whole, and so is what lies between the two
# passes of resizing; a larger one only where the crop is.
PLAIN_PIXELS = 2**24


def pixels(
    image: Image.Image,
    spec: contract.Image,
    out: NDArray[np.float32] | None = None,
    turn: Image.Transpose | None = None,
) -> NDArray[np.float32]:
    """float32 (3, H, W): ((uint8 / 255) - mean) / std, each step in float32, as the reference's tensors do it.

    image: as `decode` returns it; any of Pillow's 8-bit modes. It is not changed.
    out: an array of that shape to be filled and returned, such as a row of a batch.
    turn: what puts the picture upright, where that was left to us (`decode.stored`).
    Raises ImageError for a palette picture too long and thin to be resized in bounded memory (see `window`).
    """
    if out is None:
        out = np.empty((3, *spec.size), np.float32)
    np.divide(resized(image, spec, turn).transpose(2, 0, 1), np.float32(255), out=out)
    out -= np.asarray(spec.mean, np.float32)[:, None, None]
    out /= np.asarray(spec.std, np.float32)[:, None, None]
    return out


def batch(images: Sequence[Image.Image], spec: contract.Image) -> NDArray[np.float32]:
    """float32 (N, 3, H, W): `pixels` of each picture, in one array."""
    out = np.empty((len(images), 3, *spec.size), np.float32)
    for image, row in zip(images, out, strict=True):
        pixels(image, spec, out=row)
    return out


def resized(image: Image.Image, spec: contract.Image, turn: Image.Transpose | None = None) -> NDArray[np.uint8]:
    """uint8 (H, W, 3): the picture, turned, at the tower's size. May be read-only."""
    image = in_colours(image, spec)
    full, method = _full_size(resample.turned(image.size, turn), spec), FILTERS[spec.interpolation]
    height, width = spec.size
    left, top = _centred(full[0], width), _centred(full[1], height)
    box = (left, top, left + width, top + height)
    small = resample.part(image, full, method, box, turn)
    if small is None:
        upright = image if turn is None else image.transpose(turn)
        small = _by_pillow(upright, full, method, box, spec.resize)
    return np.asarray(_rgb(small))


def in_colours(image: Image.Image, spec: contract.Image) -> Image.Image:
    """The picture in the mode in which the contract has it resized. Grey stays as it is, since it gives the same bits
    before as after; a copy is made only of what changes."""
    return _rgb(image) if spec.convert == "first" and image.mode != "L" else image


def _by_pillow(
    image: Image.Image, full: tuple[int, int], method: Image.Resampling, box: window.Box, rule: str
) -> Image.Image:
    """`image.resize(full, method).crop(box)`, in bounded memory."""
    most = max(PLAIN_PIXELS, image.width * image.height)
    if rule == "shortest" and full[0] * full[1] > most:
        return window.enlarge(image, full, method, box)
    if image.height > full[1] and full[0] * image.height > most:
        return window.flatten(image, full, method).crop(box)
    return image.resize(full, method).crop(box)


def _full_size(size: tuple[int, int], spec: contract.Image) -> tuple[int, int]:
    """The (width, height) to which a picture of that size is resized before the crop."""
    height, width = spec.resized or spec.size
    return _covering(size, (width, height)) if spec.resize == "shortest" else (width, height)


def _covering(size: tuple[int, int], target: tuple[int, int]) -> tuple[int, int]:
    """The smallest (width, height) of the picture's shape that covers the target. For a square one this is the
    reference's rule: the shorter side is n, the longer one floor(n * long / short)."""
    (width, height), (to_width, to_height) = size, target
    if to_width * height >= to_height * width:
        return to_width, int(to_width * height / width)
    return int(to_height * width / height), to_height


def _centred(full: int, part: int) -> int:
    """Where the crop starts: half the margin, a half rounded to even."""
    return round((full - part) / 2)


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode == "RGB":
        return image
    if "transparency" in image.info:  # alpha is dropped here, and Pillow would warn of it
        image = image.copy()
        del image.info["transparency"]
    return image.convert("RGB")
