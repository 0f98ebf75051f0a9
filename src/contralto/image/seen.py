"""Which part of a picture a tower sees: `shortest` with a crop cuts off the sides."""

from __future__ import annotations

from contralto import contract
from contralto.image.transform import crop_offset, full_size

Area = tuple[float, float, float, float]
"""x0, y0, x1, y1 in pixels of the upright picture."""


def seen(spec: contract.Image, size: tuple[int, int]) -> Area:
    """The part that the tower sees of an upright picture of this (width, height)."""
    full, (height, width) = full_size(size, spec), spec.size
    left, top = crop_offset(full[0], width), crop_offset(full[1], height)
    across, down = size[0] / full[0], size[1] / full[1]
    return left * across, top * down, (left + width) * across, (top + height) * down
