"""int8: what rounding to codes loses, what outliers do to it, and that layers with too much noise stay in float."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from support.small_models import CONTRACTS, ids, pixels, random_arrays

from contralto.architecture import CausalText, ViT
from contralto.engine.graph.layers import ACTIVATION_SCALE, SMOOTHING
from contralto.engine.openvino import OpenVINO
from contralto.engine.quantise import calibrate, quantise
from contralto.weights.checkpoint import SCALE, Checkpoint
from contralto.weights.native import read, write

WIDE = CONTRACTS["vit + causal"].replace(
    image=dataclasses.replace(CONTRACTS["vit + causal"].image, tower=ViT(64, 3, 4, 8, 256, "quickgelu")),
    text=dataclasses.replace(CONTRACTS["vit + causal"].text, tower=CausalText(50, 64, 3, 4, 256, "gelu")),
)
TOWERS = ("image", "text")


def batch(tower: str, seed: int = 0) -> np.ndarray:
    """Half of what there is, by the seed."""
    return (pixels(WIDE, 48) if tower == "image" else ids(WIDE, 48))[seed::2]


def written(folder: Path, **changed: np.ndarray) -> Checkpoint:
    write(folder, WIDE, random_arrays(WIDE) | changed)
    return read(folder)


def cosine(engine: OpenVINO, other: OpenVINO, tower: str, seed: int = 1) -> float:
    """The lowest of any item, on items that nothing was calibrated on."""
    rows = [getattr(one, tower)(batch(tower, seed)) for one in (engine, other)]
    one, two = (each / np.linalg.norm(each, axis=1, keepdims=True) for each in rows)
    return float((one * two).sum(axis=1).min())


def planted(folder: Path) -> Checkpoint:
    """Three channels between a norm and its linear layers are a hundred times larger than the others, as if trained.

    The norm multiplies them, the layers divide, so fp32 gives the same embeddings as before.
    """
    arrays = random_arrays(WIDE)
    for n in range(3):
        for tower in TOWERS:
            name = f"{tower}.blocks.{n}"
            for norm, layers in (("norm1", ("attention.q", "attention.k", "attention.v")), ("norm2", ("mlp.up",))):
                for field in ("weight", "bias"):
                    arrays[f"{name}.{norm}.{field}"] = _times(arrays[f"{name}.{norm}.{field}"], 100)
                for one in layers:
                    arrays[f"{name}.{one}.weight"] = _times(arrays[f"{name}.{one}.weight"], 1 / 100)
    write(folder, WIDE, arrays)
    return read(folder)


def _times(array: np.ndarray, factor: float) -> np.ndarray:
    array = array.copy()
    array[..., [5, 17, 40]] *= factor
    return array


@pytest.mark.parametrize("tower", TOWERS)
def test_rows_in_int8_are_near(tmp_path: Path, tower: str) -> None:
    model = written(tmp_path)
    quantisations = calibrate(model, tower, [batch(tower)])
    int8 = quantise(model, quantisations, max_noise=1)
    assert all(int8.stored(f"{name}.weight").dtype == "I8" for one in quantisations for name in one.weights)
    assert 0.99 < cosine(OpenVINO(int8, "int8"), OpenVINO(model), tower) < 0.9999999  # another precision indeed


@pytest.mark.parametrize("tower", TOWERS)
def test_one_scale_for_all_is_ruined_by_outliers_and_ours_is_not(tmp_path: Path, tower: str, monkeypatch) -> None:
    model = planted(tmp_path / "planted")
    exact = OpenVINO(model)
    assert cosine(exact, OpenVINO(written(tmp_path / "plain")), tower) > 0.99999
    smoothed = quantise(model, calibrate(model, tower, [batch(tower)]), max_noise=1)
    monkeypatch.setattr("contralto.engine.quantise.SMOOTHING_SHARES", (0.0,))
    plain = quantise(model, calibrate(model, tower, [batch(tower)]), max_noise=1)
    assert cosine(OpenVINO(smoothed, "int8"), exact, tower) > 0.99
    assert cosine(OpenVINO(plain, "int8"), exact, tower) < 0.98


def test_what_int8_would_spoil_stays_in_float(tmp_path: Path, monkeypatch) -> None:
    model = planted(tmp_path)
    monkeypatch.setattr("contralto.engine.quantise.SMOOTHING_SHARES", (0.0,))
    quantisations = calibrate(model, "text", [batch("text")])
    noisy = [name for one in quantisations if one.noise > 1e-3 for name in one.weights]
    kept = quantise(model, quantisations, max_noise=1e-3)
    assert {"text.blocks.0.attention.q", "text.blocks.0.attention.v", "text.blocks.1.mlp.up"} <= set(noisy)
    assert all(kept.stored(f"{name}.weight").dtype == "F32" for name in noisy)
    assert cosine(OpenVINO(kept, "int8"), OpenVINO(model), "text") > 0.995


def test_the_codes_follow_the_definition(tmp_path: Path) -> None:
    """One layer, by hand: weight = codes * scale / smoothing."""
    model = written(tmp_path)
    one = next(one for one in calibrate(model, "image", [batch("image")]) if "image.blocks.0.mlp.up" in one.weights)
    stored = quantise(model, [one], max_noise=1).tensors
    name = "image.blocks.0.mlp.up.weight"
    assert stored[name + ACTIVATION_SCALE].array.tolist() == [one.scale, one.zero_point]
    weight = stored[name].array * stored[name + SCALE].array[:, None] / stored[name + SMOOTHING].array
    half = stored[name + SCALE].array[:, None] / stored[name + SMOOTHING].array / 2
    assert (np.abs(weight - model[name]) <= half * 1.001).all()
    assert 0 <= one.zero_point <= 255
    assert 0 < one.noise < 0.01


@pytest.mark.parametrize("tower", TOWERS)
@pytest.mark.parametrize("name", CONTRACTS)
def test_every_tower_goes_through(checkpoint, name: str, tower: str) -> None:
    """Towers of 16 channels have nothing to average, so they are only near; in company and each item alone."""
    model = checkpoint(name)
    given = pixels(model.contract) if tower == "image" else ids(model.contract)
    engine = OpenVINO(quantise(model, calibrate(model, tower, [given]), max_noise=1), "int8")
    wanted = getattr(OpenVINO(model), tower)(given)
    for size in (len(given), 1):
        rows = np.concatenate([getattr(engine, tower)(given[i : i + size]) for i in range(0, len(given), size)])
        lengths = np.linalg.norm(rows, axis=1) * np.linalg.norm(wanted, axis=1)
        assert ((rows * wanted).sum(axis=1) / lengths).min() > 0.95
