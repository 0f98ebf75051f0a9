"""What every tower states of itself: the width of its features, and the side of its cells."""

from __future__ import annotations

import pytest

from contralto.architecture import ResNet
from contralto.contract import preset, presets
from contralto.weights.names import expected


@pytest.mark.parametrize("name", presets())
def test_features_is_the_width_that_a_tower_gives_to_its_head(name: str) -> None:
    contract = preset(name)
    shapes = expected(contract)
    for part, tower in (("image", contract.image.tower), ("text", contract.text.tower)):
        maps = [shapes[n] for n in (f"{part}.head.linear.weight", f"{part}.head.up.weight") if n in shapes]
        if isinstance(tower, ResNet):
            maps = [shapes["image.pool.q.weight"]]
        assert {inputs for _, inputs in maps} <= {tower.features}
        assert maps or tower.features == contract.embedding


@pytest.mark.parametrize("name", presets())
def test_cell_is_the_side_of_the_cells_that_have_positions(name: str) -> None:
    contract = preset(name)
    shapes, (height, width) = expected(contract), contract.image.size
    tower = contract.image.tower
    for positions in ("image.positions", "image.pool.positions"):
        if positions in shapes:
            without_cell = shapes[positions][0] - (height // tower.cell) * (width // tower.cell)
            assert without_cell in (0, 1)  # the position of a class token, or of the mean


@pytest.mark.parametrize(
    ("name", "cell"),
    [("nano", 32), ("align-base", 32), ("convnext_base", 32), ("MobileCLIP-S2", 32), ("MobileCLIP2-S3", 64)],
)
def test_cell_of_a_convolutional_tower_is_the_product_of_its_strides(name: str, cell: int) -> None:
    assert preset(name).image.tower.cell == cell
