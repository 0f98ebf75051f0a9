"""A detected thing."""

from __future__ import annotations

from typing import NamedTuple


class Box(NamedTuple):
    """box: (x0, y0, x1, y1) in pixels of the upright picture, x to the right and y down, inside the picture.

    label: a text of the query; None for a query by picture. score: of the detector's own rule, in 0..1. objectness:
    how much the place looks like any thing at all, in 0..1; None but for OWLv2.
    """

    label: str | None
    score: float
    box: tuple[float, float, float, float]
    objectness: float | None = None
