"""Reads a picture through overlapping windows, so that small things cover several cells of the tower's grid.

`map_of_windows` in tests/apply/detect/test_windows.py is the plain twin of the sum over windows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from contralto.embeddings import Embeddings
from contralto.encoder import Clip
from contralto.encoder.stream import windows as batches
from contralto.image.seen import Area

Numbers = NDArray[np.float64]
Evidence = Callable[[Embeddings], NDArray[Any]]
"""Unit rows (..., E) of places -> how much each place speaks for each label, (..., L)."""

LEVELS: Final = (0.43, 0.28)  # sides of the windows, as shares of the picture's shorter side
STEP: Final = 0.5  # of a window's side
CELLS: Final = 20  # of a map, along the shorter side
LONGEST: Final = 4.0  # a picture that is longer counts as so many times as long as wide
AT_ONCE: Final = 32  # windows; bounds memory
LEAST: Final = 0.01  # weight of a cell at the border of a window, where the tower has seen only one side of the place


def picture_maps(clip: Clip, picture: Image.Image, evidence: Evidence) -> Numbers:
    """The maps (rows, columns, L) of a picture: the mean over `LEVELS` of what each place says.

    Within a level, windows overlap, and a place counts the more the nearer it is to the middle of its window. Memory
    depends on the sides of the map, and on the tower, but not on the picture's size.
    """
    source = _reduced(picture, max(clip.contract.image.size))
    levels = [_level(clip, picture.size, source, share, evidence) for share in LEVELS]
    mean: Numbers = np.mean(levels, axis=0)
    return mean


def map_shape(size: tuple[int, int]) -> tuple[int, int]:
    """(rows, columns) of the maps of a picture of (width, height)."""
    width, height = size
    cell = _side(size) / CELLS
    return max(1, round(height / cell)), max(1, round(width / cell))


def window_boxes(size: tuple[int, int], share: float) -> list[Area]:
    """The windows of one level: they cover a picture of (width, height), row by row."""
    width, height = size
    side = share * _side(size)
    across, down = min(side, width), min(side, height)
    return [(x, y, x + across, y + down) for y in _starts(height, down) for x in _starts(width, across)]


def _side(size: tuple[int, int]) -> float:
    """The shorter side of a picture, or more if the picture is very long."""
    return max(min(size), max(size) / LONGEST)


def _starts(length: float, side: float) -> list[float]:
    count = math.ceil((length - side) / (STEP * side) - 1e-6) + 1
    return [(length - side) * i / max(1, count - 1) for i in range(count)]


def _reduced(picture: Image.Image, side: int) -> Image.Image:
    """The picture, made smaller once if its smallest windows are larger than the tower's side."""
    factor = side / (min(LEVELS) * _side(picture.size))
    if factor >= 1:
        return picture
    size = (max(1, round(picture.width * factor)), max(1, round(picture.height * factor)))
    return picture.resize(size, Image.Resampling.BICUBIC)


def _level(clip: Clip, size: tuple[int, int], source: Image.Image, share: float, evidence: Evidence) -> Numbers:
    """The maps (rows, columns, L) that the windows of one level give."""
    rows, columns = map_shape(size)
    seen = clip.grids.area(_tower_size(clip))
    total, weight = None, np.zeros((rows, columns, 1))
    for box, cells in _windows(clip, size, source, share, evidence):
        part = _part(box, seen, _tower_size(clip))
        down, row_weight = _spread(rows, size[1] / rows, (box[1], box[3]), (part[1], part[3]), cells.shape[0])
        across, column_weight = _spread(
            columns, size[0] / columns, (box[0], box[2]), (part[0], part[2]), cells.shape[1]
        )
        here = row_weight[:, None, None] * column_weight[None, :, None]
        at = np.ix_(row_weight > 0, column_weight > 0)
        spread = np.einsum("rh,hwl,cw->rcl", down[row_weight > 0], cells, across[column_weight > 0], optimize=True)
        total = np.zeros((rows, columns, cells.shape[-1])) if total is None else total
        total[at] += here[at] * spread
        weight[at] += here[at]
    assert total is not None
    return total / weight


def _windows(
    clip: Clip, size: tuple[int, int], source: Image.Image, share: float, evidence: Evidence
) -> Iterator[tuple[Area, Numbers]]:
    """Each window of one level with the evidence (h, w, L) of its cells."""
    x_scale, y_scale = source.width / size[0], source.height / size[1]
    for some in batches(window_boxes(size, share), AT_ONCE):
        crops = [
            source.resize(
                _tower_size(clip),
                Image.Resampling.BICUBIC,
                box=(x0 * x_scale, y0 * y_scale, min(x1 * x_scale, source.width), min(y1 * y_scale, source.height)),
            )
            for x0, y0, x1, y1 in some
        ]
        yield from zip(some, evidence(clip.cells(crops)).astype(np.float64), strict=True)


def _tower_size(clip: Clip) -> tuple[int, int]:
    height, width = clip.contract.image.size
    return width, height


def _part(box: Area, seen: Area, size: tuple[int, int]) -> Area:
    """What the tower sees of a window that was resized to `size`."""
    x0, y0, x1, y1 = box
    across, down = (x1 - x0) / size[0], (y1 - y0) / size[1]
    return x0 + seen[0] * across, y0 + seen[1] * down, x0 + seen[2] * across, y0 + seen[3] * down


def _spread(
    count: int, cell: float, window: tuple[float, float], part: tuple[float, float], cells: int
) -> tuple[Numbers, Numbers]:
    """One axis: (count, cells) of linear interpolation from the cells of a window to the map's, and weights (count,).

    window, part: start and end of the window, and of the part that the tower sees; the rest gets the nearest cell. The
    weight falls from the middle to both ends, and is 0 for cells of the map that the window does not touch.
    """
    centres = (np.arange(count) + 0.5) * cell
    place = (np.clip(centres, part[0], part[1]) - part[0]) / (part[1] - part[0])
    position = np.clip(place * cells - 0.5, 0, cells - 1)
    matrix: Numbers = np.maximum(0, 1 - np.abs(position[:, None] - np.arange(cells)))
    touched = (centres + cell / 2 > window[0]) & (centres - cell / 2 < window[1])
    weight: Numbers = np.where(touched, np.maximum(np.minimum(place, 1 - place), LEAST), 0)
    return matrix, weight
