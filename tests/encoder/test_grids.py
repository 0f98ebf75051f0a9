"""Where the grid lies on the picture."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.small_models import CONTRACTS, random_arrays

from contralto.encoder.grids import Grids
from contralto.engine import start
from contralto.weights.native import read, write


def grids(name: str, folder: Path) -> Grids:
    write(folder, CONTRACTS[name], random_arrays(CONTRACTS[name]))
    return Grids(read(folder), start(read(folder)))


def test_pixels_that_fill_no_cell_are_not_covered(tmp_path: Path) -> None:
    siglip = grids("siglip", tmp_path)  # 33 x 20 pixels in cells of 8
    assert siglip.places == (4, 2)
    x0, y0, x1, y1 = siglip.area((200, 330))
    full = CONTRACTS["siglip"].image
    assert full.size == (33, 20)
    assert x1 - x0 == pytest.approx(200 * 16 / 20)
    assert (y1 - y0) / (x1 - x0) == pytest.approx(32 / 16)
    assert (x0, y0) == (0, 0)


def test_a_map_that_was_padded_covers_the_whole_picture(tmp_path: Path) -> None:
    lite = grids("efficientnet + bert, mean", tmp_path)  # 37 x 50 pixels, in cells of 8, padded
    assert lite.places == (5, 7)
    x0, y0, x1, y1 = lite.area((50, 37))
    assert (x0, y0, x1, y1) == (0, 0, 50, 37)
