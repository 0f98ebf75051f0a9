"""models and info; and every command once with a real, small, random model."""

import json

import numpy as np
import pytest
from support.fake_clip import paint

import contralto
from contralto.contract import Contract, preset
from contralto.engine import measure
from contralto.engine.openvino import OpenVINO
from contralto.weights.registry import parameters


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    pytest.importorskip("torch")
    folder = tmp_path_factory.mktemp("model") / "tiny"
    contralto.save(folder, *contralto.create("tiny", seed=0))
    return folder


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("CONTRALTO_CACHE", str(tmp_path / "cache"))


@pytest.mark.parametrize("name", ["RN50", "nano", "ViT-B-32"])
def test_parameters_are_those_of_the_torch_module(name):
    pytest.importorskip("torch")
    if name == "nano":
        expected = sum(p.numel() for p in contralto.create(name)[0].parameters())
    else:
        expected = {"RN50": 102_007_137, "ViT-B-32": 151_277_313}[name]  # as OpenAI's modules count
    assert parameters(preset(name)) == expected


def test_info_is_the_contract_with_the_engine(cli, folder, cache):
    asked = {"engine": "openvino", "precision": "fp32", "why": "as requested", "measured": []}
    for arguments in ((folder,), ("--model", folder)):
        (found,) = cli("info", *arguments, "--precision", "fp32", "--json").objects
        assert found.pop("engine") == asked
        assert Contract.from_json(json.dumps(found)) == Contract.read(folder)
    assert "licence" in cli("info", folder, "--precision", "fp32").out


@pytest.mark.parametrize("precision", ["auto", "int8"])
def test_info_measures_nothing_and_says_how_to(cli, folder, cache, monkeypatch, precision):
    monkeypatch.setattr(measure, "measure", lambda *_: pytest.fail("measured"))
    monkeypatch.setattr(OpenVINO, "_tower", lambda *_: pytest.fail("compiled"))
    done = cli("info", folder, "--precision", precision, "--json")
    assert (done.code, done.err) == (0, "")
    stated = precision.replace("auto", "fp32")
    why = "; ".join(f"{side} {stated}: not measured on this machine yet" for side in ("image", "text"))
    assert done.objects[0]["engine"] == {"engine": "openvino", "precision": stated, "why": why, "measured": []}
    assert f"contralto bench --model {folder}" in cli("info", folder, "--precision", precision).out
    assert "contralto bench" not in cli("info", folder, "--precision", "fp32").out


@pytest.mark.parametrize("count", [1, 63, 64])
def test_a_little_work_has_the_same_answer_once_the_machine_was_measured(cli, folder, monkeypatch, tmp_path, count):
    """With 64 pictures the precision changes, or this test could not fail."""
    paths = [paint(tmp_path / "p" / f"{number}.png", "red") for number in range(count)]
    picture, ours = tmp_path / "p", ("--model", folder, "--json")
    commands = [
        ("classify", *paths, "--labels", "cat", "dog", *ours),
        ("similarity", *paths, "--text", "a cat", "a dog", *ours),
        ("score", *paths, "--text", "a cat", *ours),
        ("search", picture, "a cat", "--not", "a dog", "--top", count, *ours),
    ]
    monkeypatch.setattr(measure, "fastest", lambda measured: measured[-1])  # int8
    said = []
    for cache in ("fresh", "measured"):
        monkeypatch.setenv("CONTRALTO_CACHE", str(tmp_path / cache))
        if cache == "measured":
            assert contralto.load(folder).engine_report().precision == "int8"
        said.append([cli(*command).objects for command in commands])
    fresh, measured = said
    assert (fresh == measured) == (count < 64)


def test_info_tells_what_auto_chose_and_what_the_others_made(cli, folder, cache):
    contralto.load(folder).engine_report()
    (found,) = cli("info", folder, "--json").objects
    engine = found["engine"]
    assert engine["why"].startswith("image ")
    assert set(engine) == {"engine", "precision", "why", "measured"}
    assert {"engine", "precision", "tower", "per_second", "cosine"} == set(engine["measured"][0])
    assert {(one["tower"], one["precision"]) for one in engine["measured"]} >= {
        ("image", "fp32"), ("image", "int8"), ("text", "fp32"), ("text", "int8"),
    }  # fmt: skip
    shown = cli("info", folder).out
    assert "image int8" in shown
    assert "the fastest here" in shown


def test_rows_and_ranks_are_those_of_the_python_face(cli, folder, cache, tmp_path):
    names = ["red", "green", "blue"]
    paths = [str(paint(tmp_path / "p" / f"{name}.png", name)) for name in names]
    clip = contralto.load(folder)
    images, texts = clip.encode_image(paths), clip.encode_text(names)
    found = cli("embed", *paths, "--text", *names, "--model", folder, "--json").objects
    np.testing.assert_allclose([one["embedding"] for one in found], np.concatenate([images, texts]), atol=1e-5)
    cosines = cli("similarity", *paths, "--text", *names, "--model", folder, "--json").objects
    np.testing.assert_allclose([one["cosine"] for one in cosines], (images @ texts.T).ravel(), atol=1e-5)
    hits = cli("search", tmp_path / "p", "red", "--model", folder, "--json").objects
    expected = sorted(zip(paths, images @ texts[0], strict=True), key=lambda pair: -pair[1])
    assert [one["path"] for one in hits] == [path for path, _ in expected]
    best = cli("classify", *paths, "--labels", *names, "--model", folder, "--json").objects
    for one, predictions in zip(best, clip.classify(paths, names), strict=True):
        assert [p["label"] for p in one["predictions"]] == [p.label for p in predictions]
        np.testing.assert_allclose([p["score"] for p in one["predictions"]], [p.score for p in predictions], atol=1e-4)


def test_a_cut_text_is_named(cli, folder, cache):
    long = "word " * 200
    result = cli("embed", "--text", long, "--truncate", "--model", folder, "--json")
    assert result.code == 0
    assert result.err.startswith("note: ")
    assert "word word" in result.err
    refused = cli("embed", "--text", long, "--model", folder, "--json")
    assert (refused.code, refused.out) == (1, "")
