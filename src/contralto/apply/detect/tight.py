"""The boxes that hold most of a map and little else.

A box is judged by the product of two numbers: the share of the map within it, which is small for a part of a thing, and
the map's mean within it, which is small for a box that holds more than the thing. With S the sum within the box, this
is S * S / (area * sum of the whole map). No size is preferred, and no threshold is needed. `best_of_all` in
tests/apply/detect/test_tight.py is the plain twin of the search.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
Boxes = NDArray[np.int64]
"""(N, 4): x0, y0, x1, y1 in cells of the map."""

SIDES: Final = (2.0, 3.0, 4.0, 5.0, 6.5, 8.0, 10.0, 12.5, 16.0, 20.0)  # cells; square roots of the areas
SHAPES: Final = (0.63, 0.8, 1.0, 1.25, 1.6)  # square roots of width by height
STEP: Final = 4  # a box moves by the whole part of a fourth of its shorter side
MOST_MOVES: Final = 50


class TightBox(NamedTuple):
    """box: x0, y0, x1, y1 in cells. share: of the whole map. mean: of the map within the box, less what better
    boxes took out."""

    box: tuple[int, int, int, int]
    share: float
    mean: float


def tight_boxes(positive: Numbers, most: int) -> Iterator[TightBox]:
    """At most `most` boxes of a map (rows, columns) without negative numbers, best first.

    Each box is taken out of the map before the next is looked for, so boxes of one thing do not repeat.
    """
    left = positive.copy()
    rows, columns = left.shape
    candidates = _candidates(rows, columns)
    whole = float(positive.sum())
    for _ in range(most):
        sums = _integral(left)
        if sums[-1, -1] <= 0:
            return
        box = _improved(sums, candidates[_quality(sums, candidates).argmax()])
        inside = float(_inside(sums, box[None])[0])
        x0, y0, x1, y1 = (int(edge) for edge in box)
        yield TightBox((x0, y0, x1, y1), inside / whole, inside / ((x1 - x0) * (y1 - y0)))
        left[y0:y1, x0:x1] = 0


def _improved(sums: Numbers, box: NDArray[np.int64]) -> NDArray[np.int64]:
    """The box after moves of single edges by one cell, as long as they make it better."""
    limits = np.array([sums.shape[1] - 1, sums.shape[0] - 1] * 2)
    moves = np.concatenate([np.zeros((1, 4), np.int64), np.eye(4, dtype=np.int64), -np.eye(4, dtype=np.int64)])
    for _ in range(MOST_MOVES):
        moved = np.clip(box + moves, 0, limits)
        moved = np.where(((moved[:, 2] > moved[:, 0]) & (moved[:, 3] > moved[:, 1]))[:, None], moved, box)
        best = int(_quality(sums, moved).argmax())
        if best == 0:
            break
        box = moved[best]
    return box


def _quality(sums: Numbers, boxes: Boxes) -> Numbers:
    """(N,): S * S / area of each box; the sum of the whole map is the same for all."""
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    inside = _inside(sums, boxes)
    return inside * inside / area


def _integral(values: Numbers) -> Numbers:
    """(rows + 1, columns + 1): the sum of all that lies above and to the left of each corner."""
    return np.pad(values.cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))


def _inside(sums: Numbers, boxes: Boxes) -> Numbers:
    """(N,): the sum within each box."""
    x0, y0, x1, y1 = boxes.T
    inside: Numbers = np.maximum(sums[y1, x1] - sums[y0, x1] - sums[y1, x0] + sums[y0, x0], 0)
    return inside


@functools.lru_cache(maxsize=16)
def _candidates(rows: int, columns: int) -> Boxes:
    """Boxes of all sizes, shapes and places on a map; the whole map is one of them."""
    boxes = [(0, 0, columns, rows)]
    for width, height in sorted({(max(1, round(s * f)), max(1, round(s / f))) for s in SIDES for f in SHAPES}):
        step = max(1, min(width, height) // STEP)
        for y in range(0, rows - height + 1, step):
            boxes += [(x, y, x + width, y + height) for x in range(0, columns - width + 1, step)]
    return np.array(boxes, np.int64)
