"""Detection with any CLIP, by regions: which box holds most of what the picture has for a label, and little else.

A CLIP knows what is in a picture, and was not trained to say where. Boxes are found in three steps:

1. Square windows of two sizes, which overlap by half, go through the picture tower (`contralto.apply.detect.windows`).
   Each place of each window has a row in the joint space. Its cosine with a label counts in deviations above its
   cosines with common nouns, because texts share a direction; averaged, this is the label's map of the picture.
2. The median of the map is the ground, and only what is above it counts. Evidence above 1 is never ground: the thing
   may fill the picture. A place that fits another label as well counts less. The best box is the one with the largest
   product of two numbers: the share of the map that lies within it, which is small for a part of the thing, and the
   mean of the map within it, which is small for a box that holds more than the thing. What lies in this box is taken
   out of the map, and the next box is looked for.
3. The score grows with both numbers; 0.5 is the cut that gave the best F1.

The embeddings of whole windows or crops say less about the place: a box twice as large has nearly the same one.
benchmarks/regions.py compares the two on collages. All constants were chosen with nano, on collages of other pictures
than those that are measured. Limits: things below a fifth of the picture's shorter side get boxes that are too large,
things of one label that touch get one box, and a query by picture does not place a thing that fills most of a picture.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import numpy as np
from PIL import Image

from contralto.apply.detect.box import Box
from contralto.apply.detect.suppress import suppress
from contralto.apply.detect.tight import Numbers, TightBox, tight_boxes
from contralto.apply.detect.windows import picture_maps
from contralto.embeddings import Embeddings
from contralto.encoder import Clip
from contralto.search.relevance import NOUNS

SHARE_OF_OTHERS: Final = 0.25  # of another label's evidence for a place, taken off this label's
HALF_SHARE: Final = 0.5  # the share of a map at which its factor in the score is 1/2
MOST: Final = 10  # boxes of a label
LEAST_DEVIATION: Final = 1e-6  # of cosines; rows that all nouns fit alike
THRESHOLD: Final = 0.5
SUPPRESSION: Final = 0.5


class Cut(NamedTuple):
    """ground: the highest evidence that can be ground. Strength becomes a score: 0.5 at `middle`, where it grows by
    `slope` / 4 for each unit."""

    ground: float
    middle: float
    slope: float

    def score(self, strength: float) -> float:
        """In 0..1."""
        return float(1 / (1 + np.exp(-self.slope * (strength - self.middle))))


BY_LABEL: Final = Cut(1.0, 0.85, 4.0)
BY_PICTURE: Final = Cut(math.inf, 1.8, 2.7)  # pictures are alike: their cosines are above those with nouns everywhere


def detector(
    clip: Clip,
    queries: Embeddings,
    labels: Sequence[str | None],
    *,
    threshold: float = THRESHOLD,
    nms: float = SUPPRESSION,
    top: int = 100,
) -> Callable[[Image.Image], list[Box]]:
    """From an upright RGB picture to its boxes, best first.

    queries (Q, E): unit rows of `Clip.encode_labels`, or of a picture. labels: one a query, None for a picture. A box
    is given if its score, in 0..1, is above `threshold`. nms: of two boxes of one label whose IoU is above it, the
    better one stays. top: at most so many boxes.
    """
    nouns = clip.encode_labels([*NOUNS], None)

    def evidence(rows: Embeddings) -> Numbers:
        background = (rows @ nouns.T).astype(np.float64)
        deviation = np.maximum(background.std(-1, keepdims=True), LEAST_DEVIATION)
        above: Numbers = ((rows @ queries.T) - background.mean(-1, keepdims=True)) / deviation
        return above

    def find(picture: Image.Image) -> list[Box]:
        maps = _less_others(picture_maps(clip, picture, evidence))
        boxes = [
            box
            for i, label in enumerate(labels)
            for box in _of_label(maps[..., i], label, picture.size, threshold, nms)
        ]
        return sorted(boxes, key=lambda box: -box.score)[:top]

    return find


def _less_others(maps: Numbers) -> Numbers:
    """Maps (rows, columns, L) less a part of the best other label's evidence for the place."""
    if maps.shape[-1] == 1:
        return maps
    order = np.sort(maps, axis=-1)
    others = np.where(maps == order[..., -1:], order[..., -2:-1], order[..., -1:])
    less: Numbers = maps - SHARE_OF_OTHERS * np.maximum(others, 0)
    return less


def _of_label(one: Numbers, label: str | None, size: tuple[int, int], threshold: float, nms: float) -> list[Box]:
    """The boxes of one label's map (rows, columns)."""
    rows, columns = one.shape
    across, down = size[0] / columns, size[1] / rows
    cut = BY_PICTURE if label is None else BY_LABEL
    boxes = []
    ground = min(float(np.median(one)), cut.ground)
    for tight in tight_boxes(np.maximum(one - ground, 0), MOST):
        x0, y0, x1, y1 = tight.box
        score = cut.score(strength(tight))
        if score > threshold:
            boxes.append(Box(label, score, (x0 * across, y0 * down, x1 * across, y1 * down)))
    if not boxes:
        return []
    kept = suppress(np.array([box.box for box in boxes]), np.array([box.score for box in boxes]), nms)
    return [boxes[i] for i in kept]


def strength(tight: TightBox) -> float:
    """How much a box stands out, at least 0. The share counts for less the larger it is, so that each of several things
    of one label can be strong."""
    return tight.mean * tight.share / (tight.share + HALF_SHARE)
