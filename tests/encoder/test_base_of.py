"""Which base an adaptation is put on: named, next to it, given; another one is refused, naming both."""

from __future__ import annotations

import json
import pickle
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import adaptations
from support.fake_engine import write_random

import contralto
from contralto.contract import Contract, preset
from contralto.encoder import base_of
from contralto.errors import ContraltoError, WeightsError
from contralto.weights import from_name, native, peft_writing
from contralto.weights.checkpoint import Checkpoint

MATRIX = ("text.blocks.0.attention.q",)


@pytest.fixture
def base(tmp_path: Path) -> Path:
    write_random(tmp_path / "model", preset("tiny"))
    return tmp_path / "model"


@pytest.fixture
def stated(base: Path) -> Contract:
    return Contract.read(base)


def adapt(folder: Path, stated: Contract, source: str | Path | None) -> Path:
    adaptations.write(folder, "lora", stated, adaptations.pairs(stated, MATRIX), source)
    return folder


def lora_of_peft(folder: Path, stated: Contract, name: str | None) -> Path:
    """A folder of PEFT whose configuration names this base."""
    stored = adaptations.write(folder / "own", "lora", stated, adaptations.pairs(stated, MATRIX))
    peft_writing.write(folder, stated, stored, 1.0)
    config = json.loads((folder / "adapter_config.json").read_text()) | {"base_model_name_or_path": name}
    (folder / "adapter_config.json").write_text(json.dumps(config))
    return folder


def reader(names: list[Any]) -> base_of.Reader:
    def read(name: Any) -> Checkpoint:
        names.append(name)
        return native.read(name)

    return read


def test_a_base_is_a_path_beside_it_an_absolute_path_or_what_is_given(tmp_path, base, stated) -> None:
    beside = adapt(tmp_path / "a" / "beside", stated, "../../model")
    absolute = adapt(tmp_path / "absolute", stated, base)
    for folder, given in ((beside, None), (absolute, None), (absolute / "adaptation.json", None), (beside, base)):
        names: list[Any] = []
        assert base_of.read(folder, given, reader(names)).checkpoint.contract == stated
        assert [Path(name).resolve() for name in names] == [base]
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    assert contralto.load(tmp_path / "b" / "beside").contract.name == f"{stated.name}+lora"


def test_nano_is_the_model_in_the_package_even_if_a_folder_has_its_name(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    nano = contralto.load("nano").contract
    folder = adaptations.write(
        tmp_path / "mine", "zero-shot", nano, adaptations.classifier_tensors("zero-shot", nano.embedding), "nano"
    ).folder
    shutil.copytree(folder, folder / "nano")
    assert contralto.load(folder).base.contract == nano
    shutil.copytree(folder, tmp_path / "nano")
    assert contralto.load("nano").adaptation is None
    assert contralto.load("./nano").adaptation is not None


def test_a_name_of_the_registry_and_of_the_hub_is_asked_by_name(tmp_path, base, stated, monkeypatch) -> None:
    asked = []

    def read(name: str, *_: Any, **__: Any) -> Checkpoint:
        asked.append(name)
        return native.read(base)

    monkeypatch.setattr(from_name, "read", read)
    contralto.load(adapt(tmp_path / "a", stated, "ViT-B-32/openai"))
    contralto.load(adapt(tmp_path / "b", stated, "hf:owner/name"))
    contralto.load(lora_of_peft(tmp_path / "c", stated, "openai/clip-vit-base-patch32"))
    contralto.load(lora_of_peft(tmp_path / "d", stated, "owner/name"))
    assert asked == ["ViT-B-32/openai", "hf:owner/name", "ViT-B-32/openai", "hf:owner/name"]


def test_a_folder_of_peft_is_put_on_the_base_that_it_names(tmp_path, base, stated) -> None:
    named = lora_of_peft(tmp_path / "named", stated, "../model")
    nameless = lora_of_peft(tmp_path / "nameless", stated, None)
    clip, again = contralto.load(named, precision="fp32"), contralto.load(nameless, base=base, precision="fp32")
    assert np.array_equal(clip.encode_text("a cat"), again.encode_text("a cat"))
    assert clip.adaptation.description.method == "lora"
    with pytest.raises(ContraltoError, match="nameless names no base: give one"):
        contralto.load(nameless)
    assert pickle.loads(pickle.dumps(again)).contract == again.contract


def test_another_base_is_refused_naming_both(tmp_path, base, stated) -> None:
    write_random(tmp_path / "other", preset("tiny").replace(name="other"), seed=1)
    folder = adapt(tmp_path / "mine", stated, base)
    with pytest.raises(WeightsError) as caught:
        contralto.load(folder, base=tmp_path / "other")
    message = str(caught.value)
    other = Contract.read(tmp_path / "other")
    for part in (stated.name, stated.hash[:12], "other", other.hash[:12], "--base"):
        assert part in message
    assert message.isprintable()


@pytest.mark.parametrize("source", ["../gone", "no such model", None, "../mine", "/dev/zero", "a\nb"])
def test_a_base_that_cannot_be_read_is_one_line_that_says_what_to_do(tmp_path, stated, source) -> None:
    folder = adapt(tmp_path / "mine", stated.replace(name="unheard of"), source)
    with pytest.raises(ContraltoError, match=r"mine cannot be|mine was made for") as caught:
        contralto.load(folder)
    assert str(caught.value).isprintable()


def test_an_adaptation_is_no_base(tmp_path, base, stated) -> None:
    first = adapt(tmp_path / "first", stated, base)
    second = adapt(tmp_path / "second", contralto.load(first).contract, first)
    with pytest.raises(ContraltoError, match="first, which is an adaptation too: convert that one first"):
        contralto.load(second)
    with pytest.raises(ContraltoError, match="adaptation too"):
        contralto.load(first, base=lora_of_peft(tmp_path / "peft", stated, "../model"))


@pytest.mark.parametrize("options", [{"base": "nano"}, {"mix": 0.5}])
def test_base_and_mix_belong_to_an_adaptation(base, options) -> None:
    for source in (base, "nano", "gone"):
        with pytest.raises(ContraltoError, match=r"base and mix belong to an adaptation, and .* is none"):
            contralto.load(source, **options)


@pytest.mark.parametrize("mix", [-0.1, 1.1, float("nan"), "1", None, True])
def test_a_mix_is_a_number_from_0_to_1(tmp_path, base, stated, mix) -> None:
    with pytest.raises(ContraltoError, match="mix must be a number from 0 to 1"):
        contralto.load(adapt(tmp_path / "mine", stated, base), mix=mix)


@pytest.mark.parametrize("given", [3, "", "a\0b"])
def test_a_base_is_a_name_or_a_path(tmp_path, base, stated, given) -> None:
    with pytest.raises(ContraltoError, match="base must be"):
        contralto.load(adapt(tmp_path / "mine", stated, base), base=given)
