"""The part of a picture that a tower sees, against a picture whose pixels tell where they come from."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from PIL import Image
from support.small_models import CONTRACTS

from contralto.image.seen import seen
from contralto.image.transform import resized

SPEC = dataclasses.replace(CONTRACTS["vit + causal"].image, size=(64, 64), interpolation="bilinear")


@pytest.mark.parametrize("size", [(400, 200), (150, 333), (64, 64), (1000, 64)])
@pytest.mark.parametrize(
    "rule",
    [{}, {"resize": "squash"}, {"resize": "squash", "resized": (80, 72)}, {"size": (32, 64)}, {"resized": (96, 96)}],
)
def test_the_borders_of_what_is_seen(size: tuple[int, int], rule: dict[str, object]) -> None:
    spec = dataclasses.replace(SPEC, **rule)
    ramp = np.zeros((size[1], size[0], 3), np.uint8)
    ramp[..., 0] = np.linspace(0, 255, size[0])[None]  # red tells the column
    ramp[..., 1] = np.linspace(0, 255, size[1])[:, None]  # green tells the row
    small = resized(Image.fromarray(ramp), spec).astype(float) / 255
    x0, y0, x1, y1 = seen(spec, size)
    height, width = spec.size
    columns, rows = small[..., 0].mean(0) * (size[0] - 1) + 0.5, small[..., 1].mean(1) * (size[1] - 1) + 0.5
    across, down = (x1 - x0) / width, (y1 - y0) / height
    middle_x, middle_y = x0 + (np.arange(width) + 0.5) * across, y0 + (np.arange(height) + 0.5) * down
    inner = slice(8, -8)  # at the border of the picture the filter has pixels on one side only
    assert np.abs(columns - middle_x)[inner].max() < max(2.0, 0.01 * size[0])
    assert np.abs(rows - middle_y)[inner].max() < max(2.0, 0.01 * size[1])
    assert min(x0, y0) >= -0.5
    assert (x1 <= size[0] + 0.5, y1 <= size[1] + 0.5) == (True, True)


def test_a_wide_picture_loses_its_sides() -> None:
    assert seen(SPEC, (400, 200)) == (100, 0, 300, 200)
