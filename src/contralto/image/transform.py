"""The exact CLIP preprocessing: resize, centre crop, RGB, scale to [0, 1], normalise.

The result is bit for bit the reference's with Pillow. `resample` resizes most pictures with compiled code, Pillow the
rest.

The contract states the order, since it matters. OpenAI's code resizes a picture in its own mode and converts it to RGB
after the crop (convert "last"). So palette and 1-bit pictures are resized without interpolation (Pillow does not mix
palette indices), RGBA and LA with colours weighted by alpha, which is then dropped, and CMYK before its conversion.
transformers' code converts to RGB before the resize (convert "first"). `decode` lists the modes that arrive here.

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
from contralto.image.pad import padded

FILTERS = {"bicubic": Image.Resampling.BICUBIC, "bilinear": Image.Resampling.BILINEAR}

# Up to this size (64 MiB), or that of its source, a resized picture and the intermediate of the two passes are computed
# in full. Of a larger one, only the crop is computed.
PLAIN_PIXELS = 2**24


def pixels(
    image: Image.Image,
    spec: contract.Image,
    out: NDArray[np.float32] | None = None,
    turn: Image.Transpose | None = None,
) -> NDArray[np.float32]:
    """float32 (3, H, W): ((uint8 / 255) - mean) / std, each step in float32, as the reference's tensors do it.

    image: as returned by `decode`; any 8-bit mode of Pillow. It is not modified.
    out: an array of that shape to fill and return, such as one element of a batch.
    turn: puts the picture upright, for a picture from `decode_unturned`.
    Raises ImageError for a palette picture that is too long and thin to resize in bounded memory (see `window`).
    """
    if out is None:
        out = np.empty((3, *spec.size), np.float32)
    if spec.resize == "pad":
        upright = _rgb(image if turn is None else image.transpose(turn))
        return _standardise(padded(upright, out), spec)
    return normalise(resized(image, spec, turn), spec, out)


def normalise(picture: NDArray[np.uint8], spec: contract.Image, out: NDArray[np.float32]) -> NDArray[np.float32]:
    """Fills and returns `out`, (3, H, W): the last step of `pixels`, for a picture (H, W, 3) at the tower's size."""
    return _standardise(np.divide(picture.transpose(2, 0, 1), np.float32(255), out=out), spec)


def _standardise(out: NDArray[np.float32], spec: contract.Image) -> NDArray[np.float32]:
    """Shades in 0..1 less the mean, by the deviation, in place."""
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
    """uint8 (H, W, 3): the picture, turned upright, at the tower's size. May be read-only."""
    image = in_colours(image, spec)
    full, method = full_size(resample.turned(image.size, turn), spec), FILTERS[spec.interpolation]
    height, width = spec.size
    left, top = crop_offset(full[0], width), crop_offset(full[1], height)
    box = (left, top, left + width, top + height)
    small = resample.resize_box(image, full, method, box, turn)
    if small is None:
        upright = image if turn is None else image.transpose(turn)
        small = _by_pillow(upright, full, method, box, spec.resize)
    return np.asarray(_rgb(small))


def in_colours(image: Image.Image, spec: contract.Image) -> Image.Image:
    """The picture in the mode for the resize, by the contract. Grey is kept, since the order does not change its bits.
    Without a conversion, no copy is made."""
    return _rgb(image) if spec.convert == "first" and image.mode != "L" else image


def _by_pillow(
    image: Image.Image, full: tuple[int, int], method: Image.Resampling, box: window.Box, rule: str
) -> Image.Image:
    """`image.resize(full, method).crop(box)`, in bounded memory."""
    max_pixels = max(PLAIN_PIXELS, image.width * image.height)
    if rule == "shortest" and full[0] * full[1] > max_pixels:
        return window.enlarge(image, full, method, box)
    if image.height > full[1] and full[0] * image.height > max_pixels:
        return window.resize_height_first(image, full, method).crop(box)
    return image.resize(full, method).crop(box)


def full_size(size: tuple[int, int], spec: contract.Image) -> tuple[int, int]:
    """(width, height) after the resize and before the crop, for a picture of that size."""
    height, width = spec.resized or spec.size
    return covering_size(size, (width, height)) if spec.resize == "shortest" else (width, height)


def covering_size(size: tuple[int, int], target: tuple[int, int]) -> tuple[int, int]:
    """The smallest (width, height) with the picture's aspect ratio that covers the target. For a square target this is
    the reference's rule: the shorter side is n, the longer side floor(n * long / short)."""
    (width, height), (to_width, to_height) = size, target
    if to_width * height >= to_height * width:
        return to_width, int(to_width * height / width)
    return int(to_height * width / height), to_height


def crop_offset(full: int, part: int) -> int:
    """Offset of the crop: half the margin, rounded half to even."""
    return round((full - part) / 2)


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode == "RGB":
        return image
    if "transparency" in image.info:  # alpha is dropped here; Pillow would warn
        image = image.copy()
        del image.info["transparency"]
    return image.convert("RGB")
