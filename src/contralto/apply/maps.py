"""From a grid of numbers, one for each place, to a map of the picture's size.

The plain twin of `enlarged` is in tests/apply/test_maps.py: one pixel at a time.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from contralto.image.seen import Area

ROWS_AT_ONCE: Final = 64  # of the map: the temporaries stay small beside a map of 12 megapixels


def enlarged(grid: NDArray[np.floating[Any]], area: Area, size: tuple[int, int]) -> NDArray[np.float32]:
    """A grid (rows, columns) over `area` of an upright picture of size (width, height) -> float32 (height, width).

    Bilinear between the centres of the cells, constant beyond the outermost ones, 0 for pixels whose centre lies
    outside of the area. It needs little memory beside the result.
    """
    width, height = size
    enlarged = np.zeros((height, width), np.float32)
    x, left = _neighbours(grid.shape[1], area[0], area[2], width)
    y, top = _neighbours(grid.shape[0], area[1], area[3], height)
    across = _mixed(grid.astype(np.float32), x, axis=1)
    for start in range(0, len(y[0]), ROWS_AT_ONCE):
        part = slice(start, start + ROWS_AT_ONCE)
        some = _mixed(across, (y[0][part], y[1][part], y[2][part]), axis=0)
        enlarged[top + start : top + start + len(some), left : left + some.shape[1]] = some
    return enlarged


def centre(cell: tuple[int, int], places: tuple[int, int], area: Area, size: tuple[int, int]) -> tuple[int, int]:
    """The pixel (x, y) at the centre of a cell (row, column) of a grid over `area`."""
    (row, column), (rows, columns), (x0, y0, x1, y1) = cell, places, area
    x, y = x0 + (x1 - x0) * (column + 0.5) / columns, y0 + (y1 - y0) * (row + 0.5) / rows
    return min(int(x), size[0] - 1), min(int(y), size[1] - 1)


def resampled(grid: NDArray[np.float64], places: tuple[int, int]) -> NDArray[np.float64]:
    """A grid with other numbers of rows and columns over the same area, bilinear as `enlarged`."""
    down, across = (_neighbours(n, 0, m, m)[0] for n, m in zip(grid.shape, places, strict=True))
    mixed: NDArray[np.float64] = _mixed(_mixed(grid, across, axis=1), down, axis=0)
    return mixed


Neighbours = tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64]]
"""For each pixel: the cell before it, the cell after it, and the share of the latter."""


def _neighbours(cells: int, start: float, end: float, pixels: int) -> tuple[Neighbours, int]:
    """Along one axis: the neighbours of the pixels inside start..end, and the first of these pixels."""
    centres = np.arange(pixels) + 0.5
    inside = np.flatnonzero((centres >= start) & (centres <= end))
    place = np.clip((centres[inside] - start) * cells / (end - start) - 0.5, 0, cells - 1)
    before = place.astype(np.intp)
    return (before, np.minimum(before + 1, cells - 1), place - before), int(inside[0]) if len(inside) else 0


def _mixed(values: NDArray[Any], neighbours: Neighbours, axis: int) -> NDArray[Any]:
    """The values between two cells each, in their own type: columns for axis 1, rows for axis 0."""
    before, after, share = neighbours
    weight = share.astype(values.dtype)
    first = values.take(before, axis)
    mixed: NDArray[Any] = first + (values.take(after, axis) - first) * (weight[:, None] if axis == 0 else weight)
    return mixed
