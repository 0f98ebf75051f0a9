"""From a source to a Clip and back to a folder, through the real engines."""

from __future__ import annotations

import dataclasses
import functools
import os
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from support.fake_engine import picture, write_random

import contralto
from contralto import contract
from contralto.engine import start
from contralto.weights import native

PICTURES = [picture(seed) for seed in range(5)]
TEXTS = ["a dog", "two cars beside a house", "x", "a very long description of nothing at all"]


@functools.cache
def loaded(
    folder: Path, engine: str = "openvino", reproducible: bool = False, precision: str = "fp32"
) -> contralto.Clip:
    return contralto.load(folder, engine=engine, reproducible=reproducible, precision=precision)


def test_the_engines_agree(folder):
    eager, openvino = loaded(folder, "eager"), loaded(folder)
    assert (eager.engine, openvino.engine, contralto.load(folder).engine) == ("eager", "openvino", "openvino")
    assert openvino.precision == "fp32"
    # float32 sums in another order
    np.testing.assert_allclose(openvino.encode_image(PICTURES), eager.encode_image(PICTURES), atol=1e-5)
    np.testing.assert_allclose(openvino.encode_text(TEXTS), eager.encode_text(TEXTS), atol=1e-5)
    np.testing.assert_allclose(openvino.score(PICTURES, TEXTS), eager.score(PICTURES, TEXTS), atol=1e-3)


@pytest.mark.parametrize("engine", ["eager", "openvino"])
def test_batches_cut_to_their_length_equal_the_whole_context(folder, engine):
    clip = loaded(folder, engine)
    whole = start(clip.checkpoint, engine=engine, precision="fp32").text(clip.tokenize(TEXTS))
    whole /= np.linalg.norm(whole, axis=1, keepdims=True)
    np.testing.assert_allclose(clip.encode_text(TEXTS), whole, atol=1e-6)


@pytest.mark.parametrize(("engine", "precision"), [("eager", "fp32"), ("openvino", "fp32"), ("openvino", "int8")])
def test_reproducible_rows_do_not_depend_on_their_neighbours(folder, engine, precision):
    clip = loaded(folder, engine, reproducible=True, precision=precision)
    alone = np.stack([clip.encode_image(item) for item in PICTURES])
    assert (clip.encode_image(PICTURES * 7, batch_size=9) == np.tile(alone, (7, 1))).all()
    assert (clip.encode_pixels(clip.preprocess(PICTURES[::-1])) == alone[::-1]).all()
    assert (np.stack([row for _, row in clip.stream_images(PICTURES)]) == alone).all()
    texts = np.stack([clip.encode_text(text) for text in TEXTS])
    assert (clip.encode_text((TEXTS * 9)[::-1]) == np.tile(texts[::-1], (9, 1))).all()
    together = loaded(folder, engine, precision=precision).encode_image(PICTURES)
    np.testing.assert_allclose(alone, together, atol=1e-6 if precision == "fp32" else 1e-2)


def test_reproducible_rows_do_not_depend_on_what_was_measured(folder):
    before = contralto.load(folder, reproducible=True)
    rows = before.encode_text(TEXTS)
    contralto.load(folder, precision="int8").engine_report()  # remembered from here on
    again = contralto.load(folder, reproducible=True)
    assert (again.encode_text(TEXTS) == rows).all()
    assert (again.precision, again.engine_report().measured) == ("fp32", ())


def test_threads_share_a_clip(folder):
    clip = contralto.load(folder)
    wanted = loaded(folder).encode_image(PICTURES), loaded(folder).encode_text(TEXTS)
    with ThreadPoolExecutor(8) as pool:  # the towers are first used here, by all at once
        answers = list(pool.map(lambda n: (clip.encode_image(PICTURES), clip.encode_text(TEXTS)), range(24)))
    for answer in answers:
        np.testing.assert_allclose(answer[0], wanted[0], atol=1e-6)
        np.testing.assert_allclose(answer[1], wanted[1], atol=1e-6)


FORK = """
import os, sys, numpy as np, contralto
clip = contralto.load(sys.argv[1])
pictures = np.random.default_rng(0).integers(0, 256, (40, 50, 60, 3), np.uint8)
here = clip.encode_image(pictures), clip.encode_text(["a dog", "a cat"])
child = os.fork()
if child == 0:
    there = clip.encode_image(pictures), clip.encode_text(["a dog", "a cat"])
    os._exit(0 if all(np.allclose(a, b, atol=1e-6) for a, b in zip(here, there)) else 7)
status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
again = clip.encode_image(pictures)
sys.exit(status or (0 if np.allclose(again, here[0], atol=1e-6) else 8))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_clip_in_use_survives_a_fork(folder):
    done = subprocess.run([sys.executable, "-c", FORK, str(folder)], timeout=60, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_pickled_clip_opens_its_source_again(folder, monkeypatch, tmp_path):
    monkeypatch.chdir(folder.parent)
    clip = contralto.load(folder.name, reproducible=True, alpha="drop")
    data = pickle.dumps(clip)
    assert len(data) < 1000
    monkeypatch.chdir(tmp_path)
    other = pickle.loads(data)
    assert other.contract == clip.contract
    assert (other.encode_text(TEXTS) == clip.encode_text(TEXTS)).all()


def test_a_clip_without_a_source_is_not_pickled(clip):
    with pytest.raises(TypeError, match=r"contralto\.load"):
        pickle.dumps(clip)


def test_alpha_goes_into_the_contract_and_the_pixels(folder):
    hidden = np.zeros((60, 60, 4), np.uint8)
    white, drop = contralto.load(folder), contralto.load(folder, alpha="drop")
    assert (white.contract.image.alpha, drop.contract.image.alpha) == ("white", "drop")
    assert white.contract.hash != drop.contract.hash
    np.testing.assert_allclose(white.preprocess(hidden), 1, atol=1e-6)  # mean and std of tiny are 0.5
    np.testing.assert_allclose(drop.preprocess(hidden), -1, atol=1e-6)


def test_save_copies_the_weights_bit_for_bit(tmp_path):
    source, target = tmp_path / "int8", tmp_path / "a" / "copy"
    stated = contract.preset("tiny")
    write_random(source, stated)
    native.write(source, stated, dict(native.read(source)), "int8")
    clip = contralto.load(source, alpha="drop")
    clip.save(target)
    assert (target / "model.safetensors").read_bytes() == (source / "model.safetensors").read_bytes()
    copy = contralto.load(target, alpha="drop")
    assert copy.contract == clip.contract
    np.testing.assert_allclose(copy.encode_image(PICTURES), clip.encode_image(PICTURES), atol=1e-6)
    copy.save(target)  # onto itself
    assert contralto.Contract.read(target) == clip.contract
    assert sorted(path.name for path in target.iterdir()) == [
        "contralto.json", "image.onnx", "model.safetensors", "text.onnx"
    ]  # fmt: skip
    with pytest.raises(contralto.ContraltoError, match="weights stored as I8"):
        clip.save(target, layout="open_clip")
    with pytest.raises(contralto.ContraltoError, match="layout must be one of native, open_clip, transformers"):
        clip.save(target, layout="tensorflow")
    (tmp_path / "file").touch()
    with pytest.raises(contralto.ContraltoError, match="cannot be written"):
        clip.save(tmp_path / "file")


def test_create_save_load_and_torch_are_one_model(tmp_path):
    import torch

    model, stated = contralto.create("tiny", seed=3)
    written = contralto.save(tmp_path, model, stated)
    assert written.score.scale == pytest.approx(model.logit_scale.exp().item(), rel=1e-5)
    clip = contralto.load(tmp_path)
    assert clip.contract == written
    with torch.no_grad():
        rows = model.encode_image(torch.from_numpy(clip.preprocess(PICTURES))).numpy()
        texts = model.encode_text(torch.from_numpy(clip.tokenize(TEXTS))).numpy()
    cosines = (rows @ texts.T) / np.linalg.norm(rows, axis=1)[:, None] / np.linalg.norm(texts, axis=1)
    np.testing.assert_allclose(clip.similarity(PICTURES, TEXTS), cosines, atol=1e-5)
    back = clip.torch()
    assert not back.training
    state = back.state_dict()
    assert all(torch.equal(state.pop(name), tensor) for name, tensor in model.state_dict().items())
    assert not state
    with torch.no_grad():
        back.logit_scale += 1  # its own copy
    assert clip.torch().logit_scale == model.logit_scale


def test_save_of_a_model_that_does_not_fit_is_an_error(tmp_path):
    import torch

    with pytest.raises(contralto.ContraltoError, match="missing"):
        contralto.save(tmp_path, torch.nn.Linear(2, 2), contract.preset("tiny"))
    model, stated = contralto.create("nano")
    elsewhere = contract.TokenizerSpec("wordpiece", "0" * 64, "own.txt")
    stated = stated.replace(text=dataclasses.replace(stated.text, tokenizer=elsewhere))
    with pytest.raises(contralto.ContraltoError, match=r"own\.txt is missing"):
        contralto.save(tmp_path, model, stated)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("nanno", "is it nano"),
        ("ViT-B-32", r"is an architecture; its weights are called ViT-B-32/openai, "),
        ("ViT-B-32/opena", "is it ViT-B-32/openai"),
        ("absent/folder\n", r"absent/folder\\n"),
        ("hf:nobody", "they are called OWNER/NAME"),
        (Path("nano"), "no file or folder nano"),
        ("a\0b", r"a\\x00b"),
    ],
)
def test_unknown_sources(source, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(contralto.ContraltoError, match=said) as caught:
        contralto.load(source)
    assert "\n" not in str(caught.value)


def test_foreign_files_and_folders_say_what_is_read(tmp_path):
    (tmp_path / "ViT-B-32.pt").write_bytes(b"PK")
    with pytest.raises(contralto.ContraltoError, match=r"none of contralto\.json, open_clip_config\.json"):
        contralto.load(tmp_path)
    with pytest.raises(contralto.ContraltoError, match=r"ViT-B-32\.pt"):
        contralto.load(tmp_path / "ViT-B-32.pt")


@pytest.mark.parametrize(
    "option", [{"architecture": "ViT-B-32"}, {"activation": "gelu"}, {"image_size": 224}, {"revision": "main"},
               {"engine": "fastest"}, {"precision": "fp8"}, {"device": "tpu"}, {"decode": "quick"}, {"alpha": "black"}]
)  # fmt: skip
def test_options_that_mean_nothing_here_are_errors(folder, option):
    with pytest.raises(contralto.ContraltoError, match=next(iter(option))):
        contralto.load(folder, **option)


def test_nano_is_inside():
    clip = contralto.load()
    row = clip.encode_text("a dog")
    assert row.shape == (clip.contract.embedding,)
    best = clip.classify(np.full((64, 64, 3), (220, 20, 20), np.uint8), ["the colour red", "the colour green"])
    assert best[0].label == "the colour red"


def test_nano_is_found_in_any_case_unless_a_folder_is_called_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert contralto.load("Nano", precision="fp32").contract == contralto.load("nano", precision="fp32").contract
    (tmp_path / "NANO").mkdir()
    with pytest.raises(contralto.ContraltoError, match="NANO holds no model"):
        contralto.load("NANO")
