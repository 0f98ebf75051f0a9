"""int8: what levels lose, what outliers do to them, and that a map which they would spoil is left alone."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from support.small_models import CONTRACTS, ids, pixels, random_arrays

from contralto.architecture import CausalText, ViT
from contralto.engine.graph.layers import SMOOTH, STEP
from contralto.engine.openvino import OpenVINO
from contralto.engine.quantise import levels, quantised
from contralto.weights.checkpoint import SCALE, Checkpoint
from contralto.weights.native import read, write

WIDE = CONTRACTS["vit + causal"].replace(
    image=dataclasses.replace(CONTRACTS["vit + causal"].image, tower=ViT(64, 3, 4, 8, 256, "quickgelu")),
    text=dataclasses.replace(CONTRACTS["vit + causal"].text, tower=CausalText(50, 64, 3, 4, 256, "gelu")),
)
SIDES = ("image", "text")


def batch(side: str, seed: int = 0) -> np.ndarray:
    """Half of what there is, by the seed."""
    return (pixels(WIDE, 48) if side == "image" else ids(WIDE, 48))[seed::2]


def written(folder: Path, **changed: np.ndarray) -> Checkpoint:
    write(folder, WIDE, random_arrays(WIDE) | changed)
    return read(folder)


def cosine(engine: OpenVINO, other: OpenVINO, side: str, seed: int = 1) -> float:
    """The lowest of any row, on what nothing was fitted to."""
    rows = [getattr(one, side)(batch(side, seed)) for one in (engine, other)]
    one, two = (each / np.linalg.norm(each, axis=1, keepdims=True) for each in rows)
    return float((one * two).sum(axis=1).min())


def planted(folder: Path) -> Checkpoint:
    """Three channels a hundred times larger than the others between the norm and its maps, as trained towers have
    them: what the norm multiplies, the maps divide, so that fp32 gives the rows it gave before."""
    arrays = random_arrays(WIDE)
    for n in range(3):
        for side in SIDES:
            name = f"{side}.blocks.{n}"
            for norm, maps in (("norm1", ("attention.q", "attention.k", "attention.v")), ("norm2", ("mlp.up",))):
                for field in ("weight", "bias"):
                    arrays[f"{name}.{norm}.{field}"] = _times(arrays[f"{name}.{norm}.{field}"], 100)
                for one in maps:
                    arrays[f"{name}.{one}.weight"] = _times(arrays[f"{name}.{one}.weight"], 1 / 100)
    write(folder, WIDE, arrays)
    return read(folder)


def _times(array: np.ndarray, factor: float) -> np.ndarray:
    array = array.copy()
    array[..., [5, 17, 40]] *= factor
    return array


@pytest.mark.parametrize("side", SIDES)
def test_rows_in_int8_are_near(tmp_path: Path, side: str) -> None:
    model = written(tmp_path)
    found = levels(model, side, [batch(side)])
    int8 = quantised(model, found, most_noise=1)
    assert all(int8.stored(f"{name}.weight").dtype == "I8" for one in found for name in one.weights)
    assert 0.99 < cosine(OpenVINO(int8, "int8"), OpenVINO(model), side) < 0.9999999  # another precision indeed


@pytest.mark.parametrize("side", SIDES)
def test_a_step_for_all_is_ruined_by_outliers_and_ours_is_not(tmp_path: Path, side: str, monkeypatch) -> None:
    model = planted(tmp_path / "planted")
    exact = OpenVINO(model)
    assert cosine(exact, OpenVINO(written(tmp_path / "plain")), side) > 0.99999
    smoothed = quantised(model, levels(model, side, [batch(side)]), most_noise=1)
    monkeypatch.setattr("contralto.engine.quantise.SHARES", (0.0,))
    plain = quantised(model, levels(model, side, [batch(side)]), most_noise=1)
    assert cosine(OpenVINO(smoothed, "int8"), exact, side) > 0.99
    assert cosine(OpenVINO(plain, "int8"), exact, side) < 0.98


def test_what_int8_would_spoil_stays_in_float(tmp_path: Path, monkeypatch) -> None:
    model = planted(tmp_path)
    monkeypatch.setattr("contralto.engine.quantise.SHARES", (0.0,))
    found = levels(model, "text", [batch("text")])
    noisy = [name for one in found if one.noise > 1e-3 for name in one.weights]
    kept = quantised(model, found, most_noise=1e-3)
    assert {"text.blocks.0.attention.q", "text.blocks.0.attention.v", "text.blocks.1.mlp.up"} <= set(noisy)
    assert all(kept.stored(f"{name}.weight").dtype == "F32" for name in noisy)
    assert cosine(OpenVINO(kept, "int8"), OpenVINO(model), "text") > 0.995


def test_the_levels_are_those_of_the_definition(tmp_path: Path) -> None:
    """One map, by hand: weight = numbers * scale / smooth, and the noise is that of the products of levels."""
    model = written(tmp_path)
    one = next(one for one in levels(model, "image", [batch("image")]) if "image.blocks.0.mlp.up" in one.weights)
    stored = quantised(model, [one], most_noise=1).tensors
    name = "image.blocks.0.mlp.up.weight"
    assert stored[name + STEP].array.tolist() == [one.step, one.zero]
    weight = stored[name].array * stored[name + SCALE].array[:, None] / stored[name + SMOOTH].array
    half = stored[name + SCALE].array[:, None] / stored[name + SMOOTH].array / 2
    assert (np.abs(weight - model[name]) <= half * 1.001).all()
    assert 0 <= one.zero <= 255
    assert 0 < one.noise < 0.01


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("name", CONTRACTS)
def test_every_tower_goes_through(checkpoint, name: str, side: str) -> None:
    """Towers of 16 channels have nothing to average, so they are only near; in company and each item alone."""
    model = checkpoint(name)
    given = pixels(model.contract) if side == "image" else ids(model.contract)
    engine = OpenVINO(quantised(model, levels(model, side, [given]), most_noise=1), "int8")
    wanted = getattr(OpenVINO(model), side)(given)
    for size in (len(given), 1):
        rows = np.concatenate([getattr(engine, side)(given[i : i + size]) for i in range(0, len(given), size)])
        lengths = np.linalg.norm(rows, axis=1) * np.linalg.norm(wanted, axis=1)
        assert ((rows * wanted).sum(axis=1) / lengths).min() > 0.95
