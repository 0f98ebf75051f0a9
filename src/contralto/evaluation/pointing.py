"""The pointing game (Zhang et al. 2016, arXiv 1608.00507): does the peak of a label's map lie on a thing of the label?

A detector has no maps: the centre of its best box points. If several places share the peak, all must lie on the thing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from contralto.apply.detect.box import Box
from contralto.encoder import Clip
from contralto.search.relevance import NOUNS
from contralto.sets.data_set import TrueBox
from contralto.zeroshot.classifier import Templates

Places = NDArray[np.float64]
"""(K, 2): x and y in pixels of the upright picture."""


def map_pointer(clip: Clip, labels: Sequence[str], templates: Templates) -> Callable[[Image.Image], list[Places]]:
    """From an upright picture to the peak of each label's map: the cosine of each cell with the label's text, less the
    mean with unrelated texts, as a cell's cosine alone is high for any text."""
    rows = clip.encode_labels(list(labels), templates)
    contrast = (rows - clip.encode_labels([*NOUNS], templates).mean(axis=0)).T

    def point(picture: Image.Image) -> list[Places]:
        maps = clip.cells(picture) @ contrast
        x0, y0, x1, y1 = clip.grids.area(picture.size)
        cell = np.array([(x1 - x0) / maps.shape[1], (y1 - y0) / maps.shape[0]])
        peaks = (np.argwhere(maps[..., label] == maps[..., label].max()) for label in range(len(labels)))
        return [(x0, y0) + (peak[:, ::-1] + 0.5) * cell for peak in peaks]

    return point


def box_centres(boxes: Sequence[Box], label: str) -> Places:
    """The centre of the best box of the label; several if they score alike, (0, 2) without one."""
    own = [one for one in boxes if one.label == label]
    best = max((one.score for one in own), default=0.0)
    corners = np.array([one.box for one in own if one.score == best], float).reshape(-1, 4)
    centres: Places = (corners[:, :2] + corners[:, 2:]) / 2
    return centres


def points_at(places: Places, things: Sequence[TrueBox]) -> bool:
    """Whether there is a place, and each lies on one of the things."""
    corners = np.array([one.box for one in things], float).reshape(-1, 4)
    inside = np.all((places[:, None] >= corners[:, :2]) & (places[:, None] < corners[:, 2:]), axis=2)
    return bool(len(places) and np.any(inside, axis=1).all())


def covered(things: Sequence[TrueBox], size: tuple[int, int]) -> float:
    """The share of a picture of this (width, height) that the boxes cover: the chance of a random place."""
    x, y = (np.arange(side) + 0.5 for side in size)
    mask = np.zeros((len(y), len(x)), bool)
    for x0, y0, x1, y1 in (one.box for one in things):
        mask |= ((y >= y0) & (y < y1))[:, None] & ((x >= x0) & (x < x1))
    return float(mask.mean())
