"""The files and keys at a path decide the layout; anything else is an error that lists the expected files."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from support import torch_peer as peer  # noqa: E402
from support.open_clip_folder import CONFIG, folder_of  # noqa: E402

from contralto.contract import FILE_NAME, preset  # noqa: E402
from contralto.errors import ContraltoError  # noqa: E402
from contralto.weights import from_path, native, positions  # noqa: E402
from contralto.weights.choices import Choices  # noqa: E402
from contralto.weights.names import expected  # noqa: E402


@pytest.fixture(scope="module")
def model() -> peer.CLIP:
    return peer.CLIP(peer.Vision(activation="gelu"), activation="gelu")


@pytest.fixture
def native_folder(tmp_path: Path) -> Path:
    contract = preset("tiny")
    random = np.random.default_rng(0)
    arrays = {name: random.standard_normal(shape, np.float32) for name, shape in expected(contract).items()}
    native.write(tmp_path / "native", contract, arrays)
    return tmp_path / "native"


def test_a_native_folder_and_the_weight_file_in_it(native_folder: Path) -> None:
    read = from_path.read(native_folder)
    assert read.native is not None
    assert from_path.read(native_folder / "model.safetensors").contract == read.contract
    assert from_path.read(str(native_folder)).contract == read.contract


@pytest.mark.parametrize("choices", [Choices("ViT-B-32"), Choices(activation="gelu"), Choices(image_size=96)])
def test_a_native_model_takes_no_choices(choices: Choices, native_folder: Path) -> None:
    with pytest.raises(ContraltoError, match=rf"cannot be set: .*native is native, its {FILE_NAME} states it all"):
        from_path.read(native_folder, choices)


def test_a_folder_and_a_file_of_open_clip(model: peer.CLIP, tmp_path: Path) -> None:
    folder_of(model, tmp_path)
    read = from_path.read(tmp_path)
    assert from_path.read(tmp_path / "open_clip_pytorch_model.bin").contract == read.contract


def test_a_state_dict_alone_asks(model: peer.CLIP, tmp_path: Path) -> None:
    torch.save(model.state_dict(), tmp_path / "w.pt")
    with pytest.raises(ContraltoError, match=r"w\.pt leaves open: the architecture and the activation"):
        from_path.read(tmp_path / "w.pt")


def test_positions_are_resized_when_asked(model: peer.CLIP, tmp_path: Path) -> None:
    folder_of(model, tmp_path)
    plain, resized = from_path.read(tmp_path), from_path.read(tmp_path, Choices(image_size=48))
    assert resized.contract.image.size == (48, 48)
    rows = plain.array("image.positions")
    wanted = positions.bicubic(rows[1:].reshape(4, 4, -1), 6, 6).reshape(36, -1)
    assert resized.array("image.positions")[1:].tobytes() == wanted.tobytes()
    assert "resized from 32 to 48" in (resized.contract.provenance.converted_from or "")


@pytest.mark.parametrize("keys", ["open_clip", "transformers"])
def test_of_two_configurations_the_keys_decide(keys: str, model: peer.CLIP, tmp_path: Path, monkeypatch) -> None:
    folder_of(model, tmp_path)
    (tmp_path / "config.json").write_text("{}")
    asked = []
    monkeypatch.setattr(from_path.transformers, "read", lambda folder, choices: asked.append("transformers"))
    monkeypatch.setattr(from_path.open_clip, "read", lambda folder, choices: asked.append("open_clip"))
    if keys == "transformers":
        torch.save({"vision_model.post_layernorm.weight": torch.zeros(2)}, tmp_path / "open_clip_pytorch_model.bin")
    from_path.read(tmp_path)
    assert asked == [keys]


@pytest.mark.parametrize(
    ("state", "told"),
    [
        ({"text_decoder.x": torch.zeros(2), "visual.x": torch.zeros(2)}, "is CoCa, which Contralto does not build"),
        ({"text.cls_emb": torch.zeros(2)}, "is CoCa"),
        ({"text.transformer.embeddings.x": torch.zeros(2)}, "a text tower of transformers"),
        ({"visual_encoder.x": torch.zeros(2)}, "is BLIP, which"),
        ({"layer1.x": torch.zeros(2), "fc.bias": torch.zeros(2)}, r"is no CLIP: it holds layer1\.x, fc\.bias"),
        ({"vision_model.x": torch.zeros(2)}, r"no config\.json is next to it"),
        ({"image.x": torch.zeros(2)}, rf"no {FILE_NAME} next to it names it"),
    ],
)
def test_anyone_elses_file_is_refused_by_what_it_holds(state: dict, told: str, tmp_path: Path) -> None:
    torch.save(state, tmp_path / "w.pt")
    with pytest.raises(ContraltoError, match=told) as caught:
        from_path.read(tmp_path / "w.pt")
    assert "\n" not in str(caught.value)


def test_what_is_not_there_or_holds_nothing(tmp_path: Path) -> None:
    with pytest.raises(ContraltoError, match="there is no file or folder"):
        from_path.read(tmp_path / "absent")
    with pytest.raises(ContraltoError, match=r"none of contralto\.json, open_clip_config\.json, config\.json is there"):
        from_path.read(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ContraltoError, match="is a configuration: name its folder"):
        from_path.read(tmp_path / "config.json")


def test_a_weight_file_beside_anothers_contract_is_not_taken_for_it(native_folder: Path, model: peer.CLIP) -> None:
    torch.save(model.state_dict(), native_folder / "other.pt")
    with pytest.raises(ContraltoError, match="leaves open"):
        from_path.read(native_folder / "other.pt")
    shutil.copy(native_folder / "model.safetensors", native_folder / "copy.safetensors")
    with pytest.raises(ContraltoError, match="next to it names it"):
        from_path.read(native_folder / "copy.safetensors")


def test_a_link_finds_what_lies_beside_it(model: peer.CLIP, tmp_path: Path) -> None:
    """The hub's cache is a folder of links whose targets are elsewhere, under other names."""
    folder_of(model, tmp_path / "real")
    links, blobs = tmp_path / "links", tmp_path / "blobs"
    links.mkdir()
    blobs.mkdir()
    for number, path in enumerate(sorted((tmp_path / "real").iterdir())):
        shutil.copy(path, blobs / str(number))
        (links / path.name).symlink_to(blobs / str(number))
    checkpoint = from_path.read(links / "open_clip_pytorch_model.bin")
    assert checkpoint.folder == links
    assert checkpoint.contract.image.mean == tuple(CONFIG["preprocess_cfg"]["mean"])
    assert json.loads((links / "open_clip_config.json").read_text()) == CONFIG
