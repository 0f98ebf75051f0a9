"""Boxes by the heads of OWL-ViT and OWLv2: what transformers' post-processing gives, for any number of queries.

Source: Minderer et al. 2022 and 2023, as in transformers 5.23. Its models and processors are the twins in
tests/apply/detect/test_owl.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from contralto.apply.detect.box import Box
from contralto.apply.detect.suppress import suppress
from contralto.contract import Contract, Detector
from contralto.encoder import Clip
from contralto.errors import ContraltoError
from contralto.image.transform import pixels
from contralto.metrics.overlap import iou

Numbers = NDArray[np.float64]

THRESHOLD = 0.1  # of the published post-processing
NO_SUPPRESSION = 1.0  # an IoU that no two boxes exceed: the published rule for texts
LIKE_SUPPRESSION = 0.3  # the published rule for a query by picture

BOX_NUMBERS = 4
LENGTH_EPS = 1e-6  # added to the length of a row before the division
PLACE_EPS = 1e-4  # keeps the logit of a place on the border finite
WHOLE = np.array([[0.0, 0.0, 1.0, 1.0]])
NEARLY_BEST = 0.8  # of the best IoU with the whole picture: such boxes hold the thing that a picture shows


def detect_owl(
    clip: Clip,
    images: Sequence[Image.Image],
    queries: NDArray[np.float32],
    labels: Sequence[str | None],
    *,
    threshold: float = THRESHOLD,
    nms: float = NO_SUPPRESSION,
    top: int = 100,
) -> list[list[Box]]:
    """The boxes of each picture, best first. clip: its contract has a `detector`. images: upright, RGB.

    queries (Q, E): rows of `encode_text`, or the row of `picture_query`. labels: one a query, None for a picture. A box
    has the label of its best query only, and is kept if its score is above `threshold`. nms: of two boxes of one label
    whose IoU exceeds it, the better one stays. top: at most so many boxes a picture. Boxes end where the picture ends;
    one that lies outside, in what OWLv2 pads, is dropped. Raises ContraltoError if the model is no detector, or if
    queries and labels do not fit.
    """
    _heads(clip.contract)
    shape = (len(labels), clip.contract.embedding)
    if queries.shape != shape or not len(labels):
        raise ContraltoError(f"queries must be a row of {shape[1]} numbers for each label, got {queries.shape}")
    return [_picture_boxes(clip, image, queries, labels, threshold, nms)[:top] for image in images]


def picture_query(clip: Clip, image: Image.Image) -> NDArray[np.float32]:
    """The query row (1, E) for things like the one that an upright RGB picture shows.

    OWLv2: the row of the cell with the highest objectness. OWL-ViT: of the boxes that cover the whole picture best, the
    row that is least like the mean of all rows. Raises ContraltoError if the model is no detector.
    """
    cells = _cells(clip, image)
    if cells.objectness is not None:
        best = int(cells.objectness.argmax())
    else:
        cover = iou(WHOLE, cells.corners)[0]
        near = np.flatnonzero(cover >= NEARLY_BEST * cover.max())
        best = int(near[(cells.rows[near] @ cells.rows.mean(axis=0)).argmin()])
    return cells.rows[best : best + 1].astype(np.float32)


class DetectedCells(NamedTuple):
    """What the heads say about the L cells of one picture.

    rows (L, E): to be compared with queries. shift, factor (L,): logit = (cosine + shift) * factor. corners (L, 4): x0,
    y0, x1, y1 as shares of the sides of the tower's square. objectness (L,): logits; None for OWL-ViT.
    """

    rows: Numbers
    shift: Numbers
    factor: Numbers
    corners: Numbers
    objectness: Numbers | None

    def logits(self, queries: Numbers) -> Numbers:
        """(L, Q), for queries (Q, E)."""
        cosines = _nearly_unit(self.rows) @ _nearly_unit(queries).T
        logits: Numbers = (cosines + self.shift[:, None]) * self.factor[:, None]
        return logits


def read_cells(raw: NDArray[np.float32], contract: Contract) -> DetectedCells:
    """What the numbers (L, E + 6 or 7) of `Engine.grid` for one picture mean."""
    embedding = contract.embedding
    numbers = raw.astype(np.float64)
    rows, shift, scale = numbers[:, :embedding], numbers[:, embedding], numbers[:, embedding + 1]
    boxes = numbers[:, embedding + 2 : embedding + 2 + BOX_NUMBERS]
    factor = np.where(scale > 0, scale + 1, np.exp(np.minimum(scale, 0)))  # elu(scale) + 1
    cell = contract.image.tower.cell
    corners = _corners(boxes, (contract.image.size[0] // cell, contract.image.size[1] // cell))
    return DetectedCells(rows, shift, factor, corners, numbers[:, -1] if _heads(contract).objectness else None)


def _picture_boxes(
    clip: Clip,
    image: Image.Image,
    queries: NDArray[np.float32],
    labels: Sequence[str | None],
    threshold: float,
    nms: float,
) -> list[Box]:
    cells = _cells(clip, image)
    logits = cells.logits(queries.astype(np.float64))
    label, scores = logits.argmax(axis=1), _sigmoid(logits.max(axis=1))
    kept = np.flatnonzero(scores > threshold)
    kept = np.concatenate(
        [_suppressed(kept[label[kept] == one], cells.corners, scores, nms) for one in set(label[kept])] or [kept]
    )
    kept = kept[np.argsort(-scores[kept], kind="stable")]
    boxes = cells.corners[kept] * _scales(clip.contract, image.size)
    boxes = np.clip(boxes, 0, [*image.size, *image.size])
    objectness = [None] * len(kept) if cells.objectness is None else _sigmoid(cells.objectness[kept]).tolist()
    return [
        Box(labels[which], score, (x0, y0, x1, y1), thing)
        for which, score, (x0, y0, x1, y1), thing in zip(
            label[kept].tolist(), scores[kept].tolist(), boxes.tolist(), objectness, strict=True
        )
        if x0 < x1 and y0 < y1
    ]


def _suppressed(indices: NDArray[np.intp], corners: Numbers, scores: Numbers, limit: float) -> NDArray[np.intp]:
    """Of the boxes with these indices, those that stay. Shares of the square serve: an IoU has no unit."""
    return indices[suppress(corners[indices], scores[indices], limit)] if limit < NO_SUPPRESSION else indices


def _cells(clip: Clip, image: Image.Image) -> DetectedCells:
    """A single picture at a time: at 960 pixels it is 3,601 tokens."""
    _heads(clip.contract)
    prepared = pixels(image, clip.contract.image)[None]
    return read_cells(clip.grids.of(prepared)[0], clip.contract)


def _heads(contract: Contract) -> Detector:
    if contract.detector is None:
        raise ContraltoError(f"{contract.name} is no detector: contralto.detect scores regions with it")
    return contract.detector


def _corners(raw: Numbers, places: tuple[int, int]) -> Numbers:
    """Raw box numbers (L, 4) of a grid of (rows, columns) -> corners (L, 4)."""
    box = _sigmoid(raw + _box_bias(*places))  # centre x and y, width, height
    centre, half = box[:, :2], box[:, 2:] / 2
    return np.concatenate([centre - half, centre + half], axis=1)


def _box_bias(rows: int, columns: int) -> Numbers:
    """(L, 4): a cell's box begins with the cell's size, around the cell's lower right corner.

    In float32, as the models were trained: near the border the logit depends on the rounding.
    """
    y, x = np.divmod(np.arange(rows * columns), columns)
    ones = np.ones(rows * columns)
    places = np.stack([(x + 1) / columns, (y + 1) / rows, ones / columns, ones / rows], axis=1).astype(np.float32)
    eps = np.float32(PLACE_EPS)
    bias: Numbers = (np.log(places + eps) - np.log1p(-places + eps)).astype(np.float64)
    return bias


def _scales(contract: Contract, size: tuple[int, int]) -> list[int]:
    """What a share of the tower's square is in pixels of the picture: x, y, x, y."""
    width, height = (max(size), max(size)) if contract.image.resize == "pad" else size
    return [width, height, width, height]


def _nearly_unit(rows: Numbers) -> Numbers:
    length: Numbers = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / (length + LENGTH_EPS)


def _sigmoid(x: Numbers) -> Numbers:
    """Without overflow."""
    half: Numbers = np.tanh(x / 2)
    return (1 + half) / 2
