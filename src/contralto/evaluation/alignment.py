"""Whether two pictures are copies of one another, by their pixels: aligned, then correlated.

A copy may be re-encoded, resized, cropped, squashed, mirrored, grey, brighter or of another contrast. Shape and size go
by making both pictures small squares; the mirror and a first guess of the crop are found on a grid of boxes at a
coarse size, and the box is then fitted at finer ones by Gauss-Newton steps (Lucas and Kanade 1981). Boxes have upright
sides, so that sampling one is a product with a matrix a side. A rotated copy is not found.
"""

from __future__ import annotations

from itertools import product
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from contralto.image.decode import Item as Decodable
from contralto.image.decode import decode

Grey = NDArray[np.float32]

SIDE: Final = 64
COARSE: Final = 16
STEPS: Final = {32: 6, 64: 6}
"""Gauss-Newton steps at each size, coarse to fine."""
SCALES: Final = (1.0, 0.85, 0.7)
LEAST_SHARED: Final = 0.4  # of the area of either picture
LEAST_CONTRAST: Final = 2.0  # standard deviation in grey levels: what is flatter looks like any other flat picture


class Box(NamedTuple):
    """Where the first picture lies in the second: x -> left + width x, y -> top + height y, both squares being 1."""

    left: float
    width: float
    top: float
    height: float


def thumbnail(picture: Decodable, name: str) -> Grey:
    """Grey float32 (64, 64) of 0..255. name: how errors call it. Raises ImageError."""
    image = decode(picture, scaled_to=2 * SIDE, name=name).convert("L")
    small = image.resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    return np.asarray(small, np.float32)


def alike(first: Grey, second: Grey) -> float:
    """The correlation, at most 1, of what two thumbnails show of the same after the best alignment; 0 if nothing is.

    It is the lower one of two: of grey levels, and of what is left of them without their coarse forms, as two things of
    one kind on white correlate in those alone.
    """
    if min(first.std(), second.std()) < LEAST_CONTRAST:
        return 0.0
    second, box = _guess(first, second)
    for size, steps in STEPS.items():
        one, other = _reduced(first, size), _reduced(second, size)
        for _ in range(steps):
            if (fitted := _step(one, other, box)) is None:
                return 0.0
            box = fitted
    sampled, there = _sampled(second, box)
    if _shared(there, box) < LEAST_SHARED:
        return 0.0
    return max(0.0, min(_correlation(first, sampled, there), _correlation(_fine(first), _fine(sampled), there)))


def _guess(first: Grey, second: Grey) -> tuple[Grey, Box]:
    """The second picture or its mirror image, and the box of the grid, that correlate best."""
    one, other = _reduced(first, COARSE), _reduced(second, COARSE)
    down, across, there = GRID
    both = np.stack([other, other[:, ::-1]])[:, None]
    sampled = (down @ both @ across).reshape(2, len(BOXES), -1)  # zero outside of there
    count = there.sum(axis=1)
    within = (one.reshape(-1) - there @ one.reshape(-1)[:, None] / count[:, None]) * there
    sampled = (sampled - sampled.sum(axis=2, keepdims=True) / count[:, None]) * there
    spread = np.sqrt((within**2).sum(axis=1) * (sampled**2).sum(axis=2))
    found = (within * sampled).sum(axis=2) / np.where(spread > 0, spread, np.inf)
    mirrored, place = np.unravel_index(found.argmax(), found.shape)
    return (second[:, ::-1] if mirrored else second), BOXES[place]


def _step(first: Grey, second: Grey, box: Box) -> Box | None:
    """A Gauss-Newton step: the box that is better to first order, gain and offset of the grey levels being free."""
    sampled, there = _sampled(second, box)
    if _shared(there, box) < LEAST_SHARED:
        return None
    centre = _centres(len(first))
    down, across = (np.asarray(change, np.float32) for change in np.gradient(sampled, 1 / len(first)))
    across, down = across / box.width, down / box.height
    columns: list[Grey] = [sampled, np.ones_like(sampled), across, across * centre, down, down * centre[:, None]]
    known = np.stack([c[there] for c in columns]).astype(np.float64)
    gain, _, *moved = np.linalg.lstsq(known @ known.T, known @ first[there].astype(np.float64), rcond=None)[0]
    if gain <= 0:
        return None
    return Box(*np.add(box, np.clip(np.divide(moved, gain), -0.1, 0.1)).tolist())


def _sampled(picture: Grey, box: Box) -> tuple[Grey, NDArray[np.bool_]]:
    """picture within the box, as large as before, and where the box does lie in the picture."""
    size = len(picture)
    across, in_width = _taps(box.left + box.width * _centres(size))
    down, in_height = _taps(box.top + box.height * _centres(size))
    return (down @ picture @ across.T).astype(np.float32), in_height[:, None] & in_width


def _taps(places: NDArray[Any]) -> tuple[Grey, NDArray[np.bool_]]:
    """The matrix of linear interpolation at places of 0..1 between as many pixels, and which of them lie within."""
    size = len(places)
    distance = np.abs(np.clip(places * size - 0.5, 0, size - 1)[:, None] - np.arange(size))
    return np.maximum(0, 1 - distance).astype(np.float32), (places >= 0) & (places <= 1)


def _centres(size: int) -> Grey:
    return ((np.arange(size) + 0.5) / size).astype(np.float32)


def _shared(there: NDArray[np.bool_], box: Box) -> float:
    """Of the two pictures' areas, how much is in both, for the one of which it is the smaller part."""
    share = float(there.mean())
    return min(share, share * box.width * box.height)


def _correlation(first: Grey, second: Grey, there: NDArray[np.bool_]) -> float:
    one, other = first[there], second[there]
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
    """Without its coarse forms: less the mean of the 9 x 9 pixels around each."""
    return (picture - BLUR @ picture @ BLUR.T).astype(np.float32)


def _blur(radius: int = 4) -> Grey:
    near = np.abs(np.subtract.outer(np.arange(SIDE), np.arange(SIDE))) <= radius
    blur: Grey = (near / near.sum(axis=1, keepdims=True)).astype(np.float32)
    return blur


BLUR: Final = _blur()


def _boxes() -> list[Box]:
    """Of each width and height, at the edges and the middle; within the picture, or with the picture within them."""
    inside = [((1 - scale) * place, scale) for scale in SCALES for place in ((0, 0.5, 1) if scale < 1 else (0,))]
    outside = [(-start / scale, 1 / scale) for start, scale in inside]
    return list(dict.fromkeys(Box(*x, *y) for axis in (inside, outside) for x, y in product(axis, repeat=2)))


def _grid() -> tuple[Grey, Grey, Grey]:
    """For each box the matrices that sample it, zero outside of the picture, and (B, 256) where it is within."""
    places = _centres(COARSE)
    downs = [_taps(box.top + box.height * places) for box in BOXES]
    acrosses = [_taps(box.left + box.width * places) for box in BOXES]
    there = [np.outer(rows, columns).reshape(-1) for (_, rows), (_, columns) in zip(downs, acrosses, strict=True)]
    return (
        np.stack([taps * rows[:, None] for taps, rows in downs]),
        np.stack([(taps * columns[:, None]).T for taps, columns in acrosses]),
        np.stack(there).astype(np.float32),
    )


BOXES: Final = _boxes()
GRID: Final = _grid()
