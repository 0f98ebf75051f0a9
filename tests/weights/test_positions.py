"""Positions on another grid, against torch's own resize."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from contralto.architecture import ResNet
from contralto.contract import Contract, Weights, preset
from contralto.errors import ContraltoError
from contralto.weights import positions
from contralto.weights.checkpoint import Checkpoint, StoredTensor
from contralto.weights.names import expected

SIZES = [((7, 7), (8, 8)), ((16, 16), (24, 24)), ((24, 24), (16, 16)), ((7, 9), (3, 20)), ((4, 4), (1, 1)),
         ((1, 1), (5, 5)), ((5, 5), (5, 5))]  # fmt: skip


@pytest.mark.parametrize(("old", "new"), SIZES)
def test_bicubic_is_torchs_with_antialiasing(old: tuple[int, int], new: tuple[int, int]) -> None:
    torch = pytest.importorskip("torch")
    grid = np.random.default_rng(0).standard_normal((*old, 6), np.float32)
    given = torch.tensor(grid).double().permute(2, 0, 1)[None]
    how = {"mode": "bicubic", "antialias": True, "align_corners": False}
    wanted = torch.nn.functional.interpolate(given, size=new, **how)
    ours = positions.bicubic(grid, *new)
    assert ours.dtype == np.float32
    assert np.abs(ours - wanted[0].permute(1, 2, 0).numpy()).max() < 1e-6


def checkpoint(contract: Contract) -> Checkpoint:
    random = np.random.default_rng(1)
    names = expected(contract)
    tensors = {name: StoredTensor("F16", random.standard_normal(names[name]).astype(np.float16)) for name in names}
    return Checkpoint(contract.replace(weights=Weights("x", "0" * 64, "float16")), tensors, [])


def small(**changes: object) -> Contract:
    base = preset("tiny")
    return base.replace(image=dataclasses.replace(base.image, **changes))


def test_a_vits_class_token_keeps_its_row_and_the_rest_is_resized() -> None:
    source = checkpoint(small())
    side, patch = source.contract.image.size[0], source.contract.image.tower.patch  # type: ignore[union-attr]
    resized = positions.resized(source, 2 * side)
    grid, rows = side // patch, source.array("image.positions")
    assert resized.contract.image.size == (2 * side, 2 * side)
    assert resized.array("image.positions").shape == (1 + 4 * grid**2, rows.shape[1])
    assert resized.array("image.positions")[0].tobytes() == rows[0].tobytes()
    wanted = positions.bicubic(rows[1:].reshape(grid, grid, -1), 2 * grid, 2 * grid)
    assert resized.array("image.positions")[1:].tobytes() == wanted.tobytes()
    assert f"positions resized from {side} to {2 * side} pixels" in (resized.contract.provenance.converted_from or "")
    assert all(resized.tensors[name] is source.tensors[name] for name in source if name != "image.positions")


def test_a_resnets_pool_is_resized_too() -> None:
    source = checkpoint(small(tower=ResNet((1, 1, 1, 1), 8, 4), size=(64, 64)))
    resized = positions.resized(source, 96)
    rows = source.array("image.pool.positions")
    wanted = np.concatenate([rows[:1], positions.bicubic(rows[1:].reshape(2, 2, -1), 3, 3).reshape(9, -1)])
    assert resized.array("image.pool.positions").tobytes() == wanted.tobytes()


def test_the_same_size_changes_nothing() -> None:
    source = checkpoint(small())
    assert positions.resized(source, source.contract.image.size[0]) is source


def test_pictures_cut_from_larger_ones_cannot_be_resized() -> None:
    source = checkpoint(small(resized=(64, 64)) if preset("tiny").image.size[0] <= 64 else small(resized=(512, 512)))
    with pytest.raises(ContraltoError, match="cut from larger"):
        positions.resized(source, 16)


def test_a_size_that_the_tower_cannot_take_is_refused() -> None:
    source = checkpoint(small(tower=ResNet((1, 1, 1, 1), 8, 4), size=(64, 64)))
    with pytest.raises(ContraltoError, match="multiple of 32"):
        positions.resized(source, 80)
