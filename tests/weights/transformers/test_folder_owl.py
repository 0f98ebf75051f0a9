"""Folders of OWL-ViT and OWLv2: read as transformers writes them, written in our layout and in theirs, and refused."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
from support.small_models import CONTRACTS, DETECTORS  # noqa: E402
from support.small_owl import FAMILIES, owl, picture  # noqa: E402

import contralto  # noqa: E402
from contralto.contract import Detector  # noqa: E402
from contralto.errors import ContraltoError  # noqa: E402
from contralto.weights import from_name, from_path  # noqa: E402
from contralto.weights.layouts import transformers as layout  # noqa: E402
from contralto.weights.transformers import write  # noqa: E402

transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()


@pytest.fixture(scope="module", params=FAMILIES)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made: Path = tmp_path_factory.mktemp(request.param) / request.param
    owl(request.param, made)
    return made


def cells(clip: contralto.Clip) -> np.ndarray:
    return clip.grids.of(clip.preprocess(picture(50, 30)))


def changed(folder: Path, target: Path, file: str, **fields: Any) -> Path:
    """A copy of the folder with these fields of a JSON file; None removes one."""
    target.mkdir()
    for path in folder.iterdir():
        (target / path.name).write_bytes(path.read_bytes())
    stated = json.loads((target / file).read_text()) | fields
    (target / file).write_text(json.dumps({name: value for name, value in stated.items() if value is not None}))
    return target


def test_the_contract_states_what_the_folder_states(folder: Path) -> None:
    contract = contralto.load(folder).contract
    is_second = folder.name == "owlv2"
    assert contract.detector == Detector(objectness=is_second)
    assert (contract.text.context, contract.text.pad, contract.text.pool) == (16, 0, "eot")
    assert contract.image.resize == ("pad" if is_second else "squash")
    assert contract.image.interpolation == ("bilinear" if is_second else "bicubic")
    assert contract.image.convert == "first"
    assert (contract.embedding, contract.image.tower.features, contract.image.size) == (32, 48, (64, 64))
    logit_scale = owl(folder.name)[0].state_dict()[f"{folder.name}.logit_scale"].item()
    assert contract.score.scale == pytest.approx(np.exp(logit_scale), rel=1e-5)


def test_native_and_back_to_transformers_gives_the_same_bits(folder: Path, tmp_path: Path) -> None:
    clip = contralto.load(folder)
    clip.save(tmp_path / "native")
    native = contralto.load(tmp_path / "native")
    assert native.contract.replace(weights=None) == clip.contract.replace(weights=None)
    native.save(tmp_path / "theirs", layout="transformers")
    again = contralto.load(tmp_path / "theirs")
    for one in (native, again):
        assert (cells(one) == cells(clip)).all()
        assert (one.encode_text("a cat") == clip.encode_text("a cat")).all()
    made = type(owl(folder.name)[0]).from_pretrained(tmp_path / "theirs")
    before = owl(folder.name)[0].state_dict()
    assert all(torch.equal(value, before[name]) for name, value in made.state_dict().items() if "visual_p" not in name)
    processor = json.loads((tmp_path / "theirs" / "preprocessor_config.json").read_text())
    assert processor.get("do_pad") is (True if folder.name == "owlv2" else None)


def test_open_clip_has_no_detectors(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ContraltoError, match="open_clip has no detectors: write it as native or transformers"):
        contralto.load(folder).save(tmp_path, layout="open_clip")


def test_a_weight_file_is_read_with_its_folder(folder: Path) -> None:
    assert from_path.read(folder / "model.safetensors").contract == from_path.read(folder).contract


def test_a_repository_of_the_hub_is_read_like_its_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(from_name.hub, "fetch", lambda hub_id, **options: folder)
    contract = from_name.read("hf:google/owlvit-base-patch32").contract
    assert contract.name == "google/owlvit-base-patch32"
    assert contract.detector is not None


def test_the_picture_projection_and_old_buffers_are_not_weights(folder: Path, tmp_path: Path) -> None:
    from safetensors.numpy import load_file, save_file

    target = changed(folder, tmp_path / "old", "config.json")
    tensors = load_file(target / "model.safetensors")
    tensors.pop(f"{folder.name}.visual_projection.weight")
    tensors[f"{folder.name}.vision_model.embeddings.position_ids"] = np.arange(65)[None]
    tensors["box_bias"] = np.zeros((64, 4), np.float32)
    save_file(tensors, target / "model.safetensors")
    assert (cells(contralto.load(target)) == cells(contralto.load(folder))).all()
    del tensors["class_head.dense0.bias"]
    save_file(tensors, target / "model.safetensors")
    with pytest.raises(ContraltoError, match=r"missing class_head\.dense0\.bias"):
        contralto.load(target)


def test_early_files_of_the_processor_are_read(tmp_path: Path) -> None:
    owl("owlvit", tmp_path / "new")
    early = {"image_processor_type": None, "feature_extractor_type": "OwlViTFeatureExtractor", "do_rescale": None,
             "size": [64, 64], "crop_size": 64, "rescale": True}  # fmt: skip
    old = changed(tmp_path / "new", tmp_path / "old", "preprocessor_config.json", **early)
    assert contralto.load(old).contract.image == contralto.load(tmp_path / "new").contract.image
    for number, fields in enumerate(({"rescale": False, "do_rescale": None}, {"size": [64]}, {"size": [64, "64"]})):
        wrong = changed(tmp_path / "new", tmp_path / f"wrong {number}", "preprocessor_config.json", **fields)
        with pytest.raises(ContraltoError, match=r"do_resize|two whole numbers are needed"):
            contralto.load(wrong)


def test_a_pad_token_is_taken_from_the_folder(folder: Path, tmp_path: Path) -> None:
    target = changed(folder, tmp_path / "pad", "config.json")
    (target / "tokenizer_config.json").write_text(json.dumps({"pad_token": "<|endoftext|>"}))
    assert contralto.load(target).contract.text.pad == 49407


def test_unusable_folders_are_refused(tmp_path: Path) -> None:
    owl("owlv2", tmp_path / "good")
    cases = {
        ("config.json", "projection_dim"): (24, "the cells of a picture have 32, the width of the text tower"),
        ("preprocessor_config.json", "do_pad"): (False, "OWLv2's pictures are padded to a square"),
        ("preprocessor_config.json", "size"): ({"height": 32, "width": 32}, "one of them is wrong"),
    }
    for number, ((file, field), (value, error)) in enumerate(cases.items()):
        target = changed(tmp_path / "good", tmp_path / str(number), file, **{field: value})
        with pytest.raises(ContraltoError, match=error):
            contralto.load(target)


def test_families() -> None:
    assert [layout.family(contract) for contract in DETECTORS.values()] == ["owlvit", "owlv2"]
    siglip_text = DETECTORS["owlv2"].replace(text=CONTRACTS["siglip"].text)
    with pytest.raises(ContraltoError, match="it has CLIP, SigLIP, ALIGN, OWL-ViT and OWLv2"):
        layout.family(siglip_text)


def test_transformers_cannot_pad_for_owl_vit(tmp_path: Path) -> None:
    owl("owlvit", tmp_path / "theirs")
    clip = contralto.load(tmp_path / "theirs")
    image = dataclasses.replace(clip.contract.image, resize="pad", interpolation="bilinear")
    with pytest.raises(ContraltoError, match="OWLv2 pads its pictures and OWL-ViT does not"):
        write(tmp_path / "out", clip.checkpoint.replace(clip.contract.replace(image=image)))
