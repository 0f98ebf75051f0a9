"""contralto.soup: a folder with the mean of adaptations, loaded; what has no mean is refused."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import adaptations
from support.fake_engine import write_random

import contralto
from contralto.contract import Contract, preset
from contralto.errors import ContraltoError
from contralto.weights import adaptation

MATRIX = "text.blocks.0.attention.q"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model, two changes of its weights, and two classifiers."""
    folder = tmp_path_factory.mktemp("root")
    write_random(folder / "model", preset("tiny"))
    stated = Contract.read(folder / "model")
    for n in range(2):
        adaptations.write(folder / f"lora{n}", "lora", stated, adaptations.pairs(stated, (MATRIX,), seed=n), "../model")
        tensors = adaptations.classifier_tensors("kernel", stated.embedding, seed=n)
        settings = {"beta": 5.5, "temperature": 1.0 + n, "strength": 10, "seed": n}
        adaptations.write(folder / f"kernel{n}", "kernel", stated, tensors, "../model", settings=settings)
    return folder


def test_the_weights_of_a_soup_are_the_mean(root: Path, tmp_path: Path) -> None:
    folders = [root / "lora0", root / "lora1"]
    soup = contralto.soup(tmp_path / "out" / "soup", folders)
    one, other = (contralto.load(folder) for folder in folders)
    weight = f"{MATRIX}.weight"
    mean = (one.checkpoint[weight].astype(np.float64) + other.checkpoint[weight]) / 2
    assert np.abs(soup.checkpoint[weight] - mean).max() < 1e-6
    described = soup.adaptation.description
    assert described.base.contract == Contract.read(root / "model").hash
    assert (described.classes, described.templates) == (one.adaptation.description.classes, ("a photo of a {}.", "{}"))
    assert described.provenance.startswith("the mean of ")
    assert (described.licence, described.measured) == ("CC0-1.0", {})
    assert described.trained_on == one.adaptation.description.trained_on
    again = contralto.load(tmp_path / "out" / "soup")  # its base is found from the new place
    assert again.contract == soup.contract


def test_the_classifier_of_a_soup_gives_the_mean_of_the_logits(root: Path, tmp_path: Path) -> None:
    folders = [root / "kernel0", root / "kernel1"]
    soup = contralto.soup(tmp_path / "soup", folders)
    rows = adaptations.unit_rows(np.random.default_rng(0), 5, soup.contract.embedding)
    clips = [soup, *(contralto.load(folder) for folder in folders)]
    ours, one, other = (clip.adaptation.classifier(clip).logits(rows) for clip in clips)
    assert np.abs(ours - (one + other) / 2).max() < 1e-5
    assert soup.adaptation.description.settings == {"beta": 5.5, "strength": 10, "temperature": 1.5}


def test_a_soup_of_one_is_itself(root: Path, tmp_path: Path) -> None:
    soup = contralto.soup(tmp_path / "soup", [root / "lora0"])
    before, after = adaptation.read(root / "lora0"), adaptation.read(tmp_path / "soup")
    assert {name: one.array.tobytes() for name, one in before.tensors.items()} == {
        name: one.array.tobytes() for name, one in after.tensors.items()
    }
    assert after.description.replace(base=before.description.base) == before.description
    assert soup.contract.hash == contralto.load(root / "lora0").contract.hash


def changed(root: Path, folder: Path, **changes: Any) -> Path:
    """lora1 with other fields in its description."""
    stored = adaptation.read(root / "lora1")
    adaptation.write(folder, stored.description.replace(**changes), {n: stored.array(n) for n in stored.tensors})
    return folder


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"method": "projection"}, "other methods"),
        ({"base": adaptation.AdaptationBase("elsewhere", "1" * 64, None)}, "other bases"),
        ({"classes": (("cat",), ("cow",))}, "other classes"),
        ({"templates": ("{}",)}, "other templates"),
    ],
)
def test_adaptations_that_differ_have_no_mean(root: Path, tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    other = changed(root, tmp_path / "other", **changes)
    with pytest.raises(ContraltoError, match=f"have {said}, so they have no mean") as caught:
        contralto.soup(tmp_path / "soup", [root / "lora0", other])
    assert str(caught.value).isprintable()
    assert not (tmp_path / "soup").exists()


def test_the_decisive_settings_must_agree(root: Path, tmp_path: Path) -> None:
    stored = adaptation.read(root / "kernel1")
    stated = stored.description.replace(settings={"beta": 2.0})
    adaptation.write(tmp_path / "other", stated, {name: stored.array(name) for name in stored.tensors})
    with pytest.raises(ContraltoError, match="other settings of beta"):
        contralto.soup(tmp_path / "soup", [root / "kernel0", tmp_path / "other"])


@pytest.mark.parametrize(
    ("out", "folders", "said"),
    [
        ("soup", [], "folders is empty"),
        ("soup", "lora0", "must be a list of folders"),
        ("soup", [3], "folders must be"),
        ("soup", ["model"], "there is no adaptation in"),
        ("lora0", ["lora0", "lora1"], "holds an adaptation already"),
        (3, ["lora0"], "out must be"),
    ],
)
def test_unusable_arguments_are_one_line(root: Path, tmp_path: Path, out: Any, folders: Any, said: str) -> None:
    shutil.copytree(root, tmp_path, dirs_exist_ok=True)
    given = [tmp_path / one if isinstance(one, str) else one for one in folders] if folders != "lora0" else folders
    with pytest.raises(ContraltoError, match=said) as caught:
        contralto.soup(tmp_path / out if isinstance(out, str) else out, given)
    assert str(caught.value).isprintable()
