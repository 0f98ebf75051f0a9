"""`contralto bench`: every figure is there, in the fields that are promised, and what it recommends was measured."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

import contralto
from contralto.encoder import bench
from contralto.engine import peak


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "peaks", lambda: peak.peaks(((16, 64, 128),), runs=1))
    monkeypatch.setattr(bench, "BENCH_ROUNDS", 1)
    monkeypatch.setattr(bench, "CAMERA_SIZE", (400, 300))


def test_every_figure_is_told(cli, tiny_model) -> None:
    figures = cli("bench", "--model", tiny_model, "--json").objects
    assert all(set(one) == {"what", "value", "unit", "peak", "fraction", "peers"} for one in figures)
    assert all(one["value"] > 0 for one in figures)
    names = [one["what"] for one in figures]
    assert names[:1] == ["matrix products, fp32"]
    assert {"pictures, fp32", "pictures, int8", "texts, fp32", "texts, int8", "texts to tokens"} <= set(names)
    batches = {one["what"]: one for one in figures if one["what"].startswith("pictures, batch")}
    assert list(batches) == [f"pictures, batch {size}" for size in bench.BATCH_SIZES]
    assert all(one["peers"]["PyTorch, fp32"] > 0 for one in batches.values())
    assert names[-1].startswith("recommended: openvino, ")
    best = batches[f"pictures, batch {names[-1].rpartition(' ')[2]}"]
    assert best["value"] == figures[-1]["value"]
    assert best["value"] >= 0.95 * max(one["value"] for one in batches.values()) - 0.01


def test_people_read_a_table(cli, tiny_model) -> None:
    done = cli("bench", "--model", tiny_model)
    assert "pictures, batch 32" in done.out
    assert "recommended: openvino" in done.out.splitlines()[-1]


def test_int8_is_fitted_to_pictures_of_ones_own(cli, tiny_model, tmp_path) -> None:
    own = tmp_path / "own"
    own.mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (16, 40, 40, 3), np.uint8)
    for number, pixels in enumerate(noise):
        Image.fromarray(pixels).save(own / f"{number}.png")
    contralto.load(tiny_model).engine_report()
    before = cli("info", tiny_model, "--json").objects[0]["engine"]["measured"]
    assert cli("bench", own, "--model", tiny_model, "--json").code == 0
    after = cli("info", tiny_model, "--json").objects[0]["engine"]["measured"]

    def cosines(measured: list[dict]) -> dict[str, float]:
        return {one["precision"]: one["cosine"] for one in measured if one["tower"] == "image"}

    assert cosines(before)["int8"] != cosines(after)["int8"]
    (own / "15.png").unlink()
    few = cli("bench", own, "--model", tiny_model)
    assert few.code == 1
    assert "calibrating takes at least 16 pictures, got 15" in few.err


def test_a_picture_that_is_not_there_is_no_reason_to_draw_others(cli, tiny_model, tmp_path) -> None:
    done = cli("bench", tmp_path / "missing.jpg", "--model", tiny_model)
    assert done.code == 1
    assert "missing.jpg: no such file" in done.err
    assert done.out == ""
