"""Where the cells of a picture are like a text, more than like unrelated nouns and more than the rest of the picture.

A grid of 7 x 7 is coarse, and each of its cells sees most of the picture. So four windows of 0.6 of the sides, one at
each corner, are looked at too: five encodes in all. In the pointing game of benchmarks/explain.py, nano's share in
the right quarter grows from 0.80 to 0.85, its peaks from 0.96 to 0.98; on sheets that are cut unevenly they grow from
0.77 to 0.83 and from 0.93 to 0.95. The size was chosen on other pictures. Nine windows of 0.5 added little.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from contralto.apply.maps import enlarged
from contralto.image.seen import Area, seen
from contralto.image.transform import pixels
from contralto.search.relevance import NOUNS

if TYPE_CHECKING:
    from contralto.encoder import Clip
    from contralto.encoder.finish import Finish

Float64 = NDArray[np.float64]

WINDOW: Final = 0.6  # of the part that the tower sees
FINER: Final = 2  # cells of the result for each cell of the tower's grid, in each direction


class View(NamedTuple):
    """The grid of a picture or of a window, float64, and the part of the upright picture that it covers."""

    grid: Float64
    area: Area


def windows(clip: Clip, image: Image.Image) -> list[View]:
    """The four windows of an upright picture, in one batch."""
    spec, boxes = clip.contract.image, list(_boxes(seen(clip.contract.image, image.size)))
    crops = [image.crop(box) for box in boxes]
    grids = clip.grids.of(np.stack([pixels(crop, spec) for crop in crops]))
    areas = [_moved(clip.grids.area(crop.size), box) for crop, box in zip(crops, boxes, strict=True)]
    return [View(grid.astype(np.float64), area) for grid, area in zip(grids, areas, strict=True)]


def background(clip: Clip) -> Float64:
    """(d,): the mean embedding of unrelated nouns. All texts are like all pictures to some degree; it is that part."""
    nouns: Float64 = clip.encode_labels([*NOUNS], None).astype(np.float64).mean(0)
    return nouns


def cells(clip: Clip, finish: Finish, views: list[View], target: Float64) -> Float64:
    """(2 h, 2 w) over the area of the first view, which is the whole: the products of the cells' rows with the target
    (d,), less their mean over the picture. Where several views overlap, their mean counts.

    target: a text less the background, or less another text.
    """
    x0, y0, x1, y1 = views[0].area
    rows, columns = (FINER * n for n in finish.places)
    total, covering = np.zeros((rows, columns)), np.zeros((rows, columns))
    for grid, area in views:
        across, down = columns / (x1 - x0), rows / (y1 - y0)
        fine = ((area[0] - x0) * across, (area[1] - y0) * down, (area[2] - x0) * across, (area[3] - y0) * down)
        cosines = clip.grids.unit_cells(finish, grid, finish.ways[0]).astype(np.float64) @ target
        total += enlarged(cosines, fine, (columns, rows))
        covering += enlarged(np.ones_like(cosines), fine, (columns, rows))
    mean = total / np.maximum(covering, 1)
    centred: Float64 = mean - mean.mean()
    return centred


def _boxes(area: Area) -> Iterator[tuple[int, int, int, int]]:
    """The windows in whole pixels: at least one pixel wide and high."""
    x0, y0, x1, y1 = (round(edge) for edge in area)
    width, height = max(1, round((x1 - x0) * WINDOW)), max(1, round((y1 - y0) * WINDOW))
    for top in (y0, y1 - height):
        for left in (x0, x1 - width):
            yield left, top, left + width, top + height


def _moved(area: Area, box: tuple[int, int, int, int]) -> Area:
    left, top = box[:2]
    return area[0] + left, area[1] + top, area[2] + left, area[3] + top
