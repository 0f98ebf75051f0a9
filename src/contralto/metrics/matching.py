"""Detected boxes matched with true ones: which are right, at several limits of overlap. Its plain twin, one box at a
time, is in tests/metrics/test_detection.py.

The rule of Pascal VOC and COCO: within a picture and a class, the box with the highest score chooses first; it takes
the free true box that it overlaps most, if that is enough. A box that reaches only a crowd is neither right nor wrong.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from contralto.metrics.overlap import Boxes, areas, intersections, iou

Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]


class OwnedBoxes(NamedTuple):
    """N boxes: boxes float64 (N, 4), owners int64 (N,), the picture of each, and classes int64 (N,)."""

    boxes: Boxes
    owners: Integers
    classes: Integers


class Matches(NamedTuple):
    """places int64 (M,): the detected boxes that count. For T limits, hits and ignored bool (T, M): those that are
    right, and those that are neither right nor wrong."""

    places: Integers
    hits: Flags
    ignored: Flags

    def at_first_limit(self) -> Matches:
        """The same for the first of the limits alone."""
        return Matches(self.places, self.hits[:1], self.ignored[:1])


def match(
    detected: OwnedBoxes,
    scores: NDArray[np.float64],
    true: OwnedBoxes,
    crowd: Flags,
    limits: NDArray[np.float64],
    top: int | None = None,
) -> Matches:
    """The matches of detected (N) with true boxes (M) at limits (T,) of the overlap.

    scores (N,). crowd (M,): boxes around many things of the class, as COCO marks them: of the detected box, the share
    inside counts. top: only so many boxes of a picture and class count, the best. Of equal scores the box that overlaps
    the true ones less chooses first, so that neither order nor luck helps.
    """
    key, true_key = _keys(detected, true)
    order, true_order = _order(key, -scores), _order(true_key, *true.boxes.T[::-1])
    starts, known = np.flatnonzero(np.diff(key[order], prepend=-1)), true_key[true_order]
    ends = np.append(starts, len(order))[1:]
    lows, highs = (np.searchsorted(known, key[order[starts]], side) for side in ("left", "right"))
    hits, ignored = (np.zeros((len(limits), len(order)), bool) for _ in range(2))
    for group in np.flatnonzero(lows < highs).tolist():
        start, end = int(starts[group]), int(ends[group])
        own, theirs = order[start:end], true_order[lows[group] : highs[group]]
        overlaps = _overlaps(detected.boxes[own], true.boxes[theirs], crowd[theirs])
        ranked = np.lexsort((*detected.boxes[own].T[::-1], overlaps.max(axis=1), -scores[own]))
        order[start:end] = own[ranked]
        chosen = slice(start, end if top is None else min(end, start + top))
        _choose(overlaps[ranked[:top]], crowd[theirs], limits, hits[:, chosen], ignored[:, chosen])
    counts = np.arange(len(order)) - np.repeat(starts, ends - starts) < (top or len(order))
    return Matches(order[counts], hits[:, counts], ignored[:, counts])


def _choose(
    overlaps: NDArray[np.float64], crowd: Flags, limits: NDArray[np.float64], hits: Flags, ignored: Flags
) -> None:
    """Fills hits and ignored (T, D) for the D boxes of a picture and class, best first; overlaps (D, G)."""
    taken = np.zeros((len(limits), len(crowd)), bool)
    for place in np.flatnonzero(overlaps.max(axis=1) >= limits.min()):
        fits = (overlaps[place] >= limits[:, None]) & ~taken
        free = fits & ~crowd
        best, hit = np.where(free, overlaps[place], -1).argmax(axis=1), free.any(axis=1)
        taken[hit, best[hit]] = True
        hits[:, place], ignored[:, place] = hit, fits.any(axis=1) & ~hit


def _overlaps(boxes: Boxes, true: Boxes, crowd: Flags) -> NDArray[np.float64]:
    overlaps = iou(boxes, true)
    if crowd.any():
        area = areas(boxes)[:, None]
        share = intersections(boxes, true[crowd])
        overlaps[:, crowd] = np.divide(share, area, out=np.zeros_like(share), where=area > 0)
    return overlaps


def _keys(detected: OwnedBoxes, true: OwnedBoxes) -> tuple[Integers, Integers]:
    """A number for each picture and class, of each detected (N,) and each true box (M,)."""
    classes = int(max(detected.classes.max(initial=0), true.classes.max(initial=0))) + 1
    return detected.owners * classes + detected.classes, true.owners * classes + true.classes


def _order(key: Integers, *rest: NDArray[np.float64]) -> Integers:
    """The places (N,) by key, then by the last of `rest` first."""
    return np.lexsort((*rest, key)).astype(np.int64)
