"""Whether two pictures are copies of each other, by their pixels: aligned, then correlated.

A copy may be re-encoded, resized, cropped, squashed, mirrored, grey, brighter or of another contrast. Both pictures
become small squares, which removes shape and size. A grid of boxes at a coarse size gives the mirroring and a first
guess of the crop; Gauss-Newton steps at finer sizes then fit the box (Lucas and Kanade 1981). A box is never rotated,
so two matrix products (rows, columns) sample it. Rotated copies are not recognised.
"""

from __future__ import annotations

import functools
from itertools import product
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from contralto.image.decode import Item as Decodable
from contralto.image.decode import decode

Grey = NDArray[np.float32]

THUMBNAIL_SIDE: Final = 64
COARSE_SIDE: Final = 16
GAUSS_NEWTON_STEPS: Final = {32: 6, 64: 6}
"""Side -> number of steps, coarse to fine."""
CROP_SCALES: Final = (1.0, 0.85, 0.7)
MIN_SHARED_AREA: Final = 0.4  # as a share of the area of either picture
MIN_CONTRAST: Final = 2.0  # standard deviation in grey levels: flatter pictures all look alike


class Placement(NamedTuple):
    """The place of the first picture in the second: x -> left + width x, y -> top + height y, for squares of side 1."""

    left: float
    width: float
    top: float
    height: float


def thumbnail(picture: Decodable, name: str) -> Grey:
    """Grey float32 (64, 64) in 0..255. name: the picture's name in errors. Raises ImageError."""
    image = decode(picture, scaled_to=2 * THUMBNAIL_SIDE, name=name).convert("L")
    small = image.resize((THUMBNAIL_SIDE, THUMBNAIL_SIDE), Image.Resampling.BILINEAR)
    return np.asarray(small, np.float32)


def similarity(first: Grey, second: Grey) -> float:
    """The correlation, at most 1, of the shared part of two thumbnails after the best alignment; 0 without a shared
    part.

    It is the lower of two correlations: of the grey levels, and of the grey levels without their coarse shapes. The
    second is needed because the coarse shapes of two similar objects on white correlate even if the objects differ.
    """
    if min(first.std(), second.std()) < MIN_CONTRAST:
        return 0.0
    second, box = _guess(first, second)
    for size, steps in GAUSS_NEWTON_STEPS.items():
        one, other = _reduced(first, size), _reduced(second, size)
        for _ in range(steps):
            if (fitted := _step(one, other, box)) is None:
                return 0.0
            box = fitted
    sampled, inside = _sampled(second, box)
    if _shared(inside, box) < MIN_SHARED_AREA:
        return 0.0
    return max(0.0, min(_correlation(first, sampled, inside), _correlation(_fine(first), _fine(sampled), inside)))


def _guess(first: Grey, second: Grey) -> tuple[Grey, Placement]:
    """The second picture or its mirror image, and the box of the grid, with the highest correlation."""
    one, other = _reduced(first, COARSE_SIDE), _reduced(second, COARSE_SIDE)
    boxes, (down, across, inside) = _boxes(), _grid()
    both = np.stack([other, other[:, ::-1]])[:, None]
    sampled = (down @ both @ across).reshape(2, len(boxes), -1)  # zero outside the picture
    count = inside.sum(axis=1)
    within = (one.reshape(-1) - inside @ one.reshape(-1)[:, None] / count[:, None]) * inside
    sampled = (sampled - sampled.sum(axis=2, keepdims=True) / count[:, None]) * inside
    spread = np.sqrt((within**2).sum(axis=1) * (sampled**2).sum(axis=2))
    correlation = (within * sampled).sum(axis=2) / np.where(spread > 0, spread, np.inf)
    mirrored, place = np.unravel_index(correlation.argmax(), correlation.shape)
    return (second[:, ::-1] if mirrored else second), boxes[place]


def _step(first: Grey, second: Grey, box: Placement) -> Placement | None:
    """A Gauss-Newton step: the box that is better to first order, with free gain and offset of the grey levels."""
    sampled, inside = _sampled(second, box)
    if _shared(inside, box) < MIN_SHARED_AREA:
        return None
    centre = _centres(len(first))
    down, across = (np.asarray(change, np.float32) for change in np.gradient(sampled, 1 / len(first)))
    across, down = across / box.width, down / box.height
    columns: list[Grey] = [sampled, np.ones_like(sampled), across, across * centre, down, down * centre[:, None]]
    known = np.stack([c[inside] for c in columns]).astype(np.float64)
    gain, _, *moved = np.linalg.lstsq(known @ known.T, known @ first[inside].astype(np.float64), rcond=None)[0]
    if gain <= 0:
        return None
    return Placement(*np.add(box, np.clip(np.divide(moved, gain), -0.1, 0.1)).tolist())


def _sampled(picture: Grey, box: Placement) -> tuple[Grey, NDArray[np.bool_]]:
    """The part of the picture within the box, at the size of the picture, and a mask of where the box is inside it."""
    size = len(picture)
    across, in_width = _taps(box.left + box.width * _centres(size))
    down, in_height = _taps(box.top + box.height * _centres(size))
    return (down @ picture @ across.T).astype(np.float32), in_height[:, None] & in_width


def _taps(places: NDArray[Any]) -> tuple[Grey, NDArray[np.bool_]]:
    """The matrix of linear interpolation at places in 0..1 between as many pixels, and which places are inside."""
    size = len(places)
    distance = np.abs(np.clip(places * size - 0.5, 0, size - 1)[:, None] - np.arange(size))
    return np.maximum(0, 1 - distance).astype(np.float32), (places >= 0) & (places <= 1)


def _centres(size: int) -> Grey:
    return ((np.arange(size) + 0.5) / size).astype(np.float32)


def _shared(inside: NDArray[np.bool_], box: Placement) -> float:
    """The shared area as a share of each picture's area, the smaller of both."""
    share = float(inside.mean())
    return min(share, share * box.width * box.height)


def _correlation(first: Grey, second: Grey, inside: NDArray[np.bool_]) -> float:
    one, other = first[inside], second[inside]
    if len(one) < 2:
        return 0.0
    one, other = one - one.mean(), other - other.mean()
    length = float(np.sqrt((one @ one) * (other @ other)))
    return float(one @ other) / length if length > 0 else 0.0


def _reduced(picture: Grey, size: int) -> Grey:
    part = len(picture) // size
    reduced: Grey = picture.reshape(size, part, size, part).mean(axis=(1, 3), dtype=np.float32)
    return reduced


def _fine(picture: Grey) -> Grey:
    """The picture without coarse shapes: minus the mean of the 9 x 9 pixels around each."""
    blur = _blur()
    return (picture - blur @ picture @ blur.T).astype(np.float32)


@functools.cache
def _blur(radius: int = 4) -> Grey:
    near = np.abs(np.subtract.outer(np.arange(THUMBNAIL_SIDE), np.arange(THUMBNAIL_SIDE))) <= radius
    blur: Grey = (near / near.sum(axis=1, keepdims=True)).astype(np.float32)
    return blur


@functools.cache
def _boxes() -> list[Placement]:
    """Boxes of each width and height, at the edges and in the middle: inside the picture, or around it."""
    inside = [((1 - scale) * place, scale) for scale in CROP_SCALES for place in ((0, 0.5, 1) if scale < 1 else (0,))]
    outside = [(-start / scale, 1 / scale) for start, scale in inside]
    return list(dict.fromkeys(Placement(*x, *y) for axis in (inside, outside) for x, y in product(axis, repeat=2)))


@functools.cache
def _grid() -> tuple[Grey, Grey, Grey]:
    """For each of B boxes the matrices that sample it, zero outside the picture, and (B, 256) where it is inside."""
    places = _centres(COARSE_SIDE)
    downs = [_taps(box.top + box.height * places) for box in _boxes()]
    acrosses = [_taps(box.left + box.width * places) for box in _boxes()]
    inside = [np.outer(rows, columns).reshape(-1) for (_, rows), (_, columns) in zip(downs, acrosses, strict=True)]
    return (
        np.stack([taps * rows[:, None] for taps, rows in downs]),
        np.stack([(taps * columns[:, None]).T for taps, columns in acrosses]),
        np.stack(inside).astype(np.float32),
    )
