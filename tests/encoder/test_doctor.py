"""Golden embeddings and the doctor: a whole model passes, each fault is found by the check that is there for it."""

from __future__ import annotations

import dataclasses
import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest

from contralto import load
from contralto.contract import FILE_NAME, Contract
from contralto.encoder import golden
from contralto.encoder.doctor import CHECKS, Check, examine
from contralto.errors import WeightsError
from contralto.weights.native import read, write


@pytest.fixture(scope="module")
def whole(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small random model with its golden embeddings. Read it only."""
    copy = shutil.copytree(folder, tmp_path_factory.mktemp("golden") / "model")
    golden.write(load(copy), copy)
    return copy


@pytest.fixture
def model(whole: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return shutil.copytree(whole, tmp_path / "model")


def failed(folder: Path) -> dict[str, Check]:
    return {check.name: check for check in examine(load(folder)) if not check.ok}


def rewrite(folder: Path, **arrays: np.ndarray) -> None:
    """The model with some tensors changed, as if it had been written so, with the golden embeddings of before."""
    checkpoint = read(folder)
    write(folder, checkpoint.contract, {name: np.array(checkpoint[name]) for name in checkpoint} | arrays)


def state(folder: Path, contract: Contract) -> None:
    (folder / FILE_NAME).write_text(contract.to_json())


def test_a_whole_model_passes_every_check(model: Path) -> None:
    checks = list(examine(load(model)))
    assert [check.name for check in checks] == list(CHECKS)
    assert all(check.ok for check in checks)
    details = {check.name: check.detail for check in checks}
    assert details["self-test"].startswith("ids equal, embeddings within")
    assert "none missing, extra or misshapen" in details["tensors"]


def test_a_model_without_golden_embeddings_passes_and_says_so(folder: Path) -> None:
    details = {check.name: (check.ok, check.detail) for check in examine(load(folder))}
    assert details["self-test"] == (True, "no golden embeddings next to the weights: contralto convert stores them")


def test_a_changed_weight_file_is_not_the_one_that_the_contract_names(model: Path) -> None:
    file = model / "model.safetensors"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    assert "has sha256" in failed(model)["files"].detail


def test_numbers_that_are_not_finite_are_named(model: Path) -> None:
    file = read(model).native
    assert file is not None
    tensor = file.tensors["image.norm_post.bias"]
    content = bytearray((model / "model.safetensors").read_bytes())
    content[tensor.begin : tensor.begin + 4] = np.float32(np.nan).tobytes()
    (model / "model.safetensors").write_bytes(content)
    assert "'image.norm_post.bias' holds numbers that are not finite" in failed(model)["finite"].detail


def test_another_activation_gives_other_rows_than_at_the_conversion(model: Path) -> None:
    """The fault that users of CLIP meet most: the weights are whole, the contract is not theirs."""
    contract = Contract.read(model)
    other = "gelu" if contract.image.tower.activation == "quickgelu" else "quickgelu"
    tower = dataclasses.replace(contract.image.tower, activation=other)
    state(model, contract.replace(image=dataclasses.replace(contract.image, tower=tower)))
    failures = failed(model)
    assert list(failures) == ["self-test"]
    assert "differ by" in failures["self-test"].detail


def test_other_mean_and_padding_are_found_too(model: Path) -> None:
    contract = Contract.read(model)
    state(model, contract.replace(image=dataclasses.replace(contract.image, mean=(0.1, 0.2, 0.3))))
    assert list(failed(model)) == ["self-test"]
    state(model, contract.replace(text=dataclasses.replace(contract.text, pad=contract.text.pad + 7)))
    assert "the tokenizer gives other ids" in failed(model)["self-test"].detail


def test_a_scale_that_is_not_that_of_the_weights_is_found(model: Path) -> None:
    rewrite(model, logit_scale=np.float32(1.0))
    assert "the weights' scale is 2.718" in failed(model)["scale"].detail


def test_weights_that_give_every_picture_the_same_row_are_found(model: Path) -> None:
    checkpoint = read(model)
    rewrite(model, **{"image.patch.weight": 0 * checkpoint["image.patch.weight"]})
    assert "different pictures have the same embedding" in failed(model)["pictures"].detail


def test_golden_embeddings_of_other_weights_are_no_proof(model: Path) -> None:
    checkpoint = read(model)
    rewrite(model, **{"image.norm_post.bias": checkpoint["image.norm_post.bias"] + 1})
    with pytest.raises(WeightsError, match="is of other weights"):
        golden.check(load(model), model)


def test_the_drawn_pictures_are_what_they_always_were() -> None:
    """The golden embeddings of a folder stand for these pixels, whichever version reads them."""
    assert [picture.shape for picture in golden.pictures()] == [(96, 128, 3), (224, 224, 3), (333, 200, 3)]
    drawn = b"".join(picture.tobytes() for picture in golden.pictures())
    assert hashlib.sha256(drawn).hexdigest() == "8d76f02e786b69738d172cdc6f94c1f5a03c4e89599395ee71e563d8a281767e"
