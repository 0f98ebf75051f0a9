"""The table of models: what it states, and its filters. No connection, no weights."""

from __future__ import annotations

import pytest

import contralto
from contralto.contract import preset
from contralto.weights import hub, registry
from contralto.weights.registry import parameters


@pytest.fixture(autouse=True)
def nothing_fetched(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("CONTRALTO_CACHE", str(tmp_path))


def names(result) -> list[str]:
    assert result.code == 0, result.err
    return [one["name"] for one in result.objects]


def test_every_model_of_the_registry_and_nano_first(cli) -> None:
    result = cli("models", "--json")
    assert names(result) == ["nano", *registry.entries()]
    fields = ["name", "parameters", "image_size", "imagenet_top1", "bytes", "licence", "hub_id"]
    assert all(list(one) == fields for one in result.objects)
    openai = next(one for one in result.objects if one["name"] == "ViT-B-32/openai")
    assert openai == {
        "name": "ViT-B-32/openai",
        "parameters": 151_277_313,
        "image_size": [224, 224],
        "imagenet_top1": 0.6332,
        "bytes": 4 * 151_277_313,
        "licence": "MIT",
        "hub_id": "timm/vit_base_patch32_clip_224.openai",
    }


def test_filters(cli) -> None:
    good = cli("models", "--json", "--min-accuracy", "80", "--max-size", "2GB", "--licence", "apache-2.0")
    assert "ViT-B-16-SigLIP2-384/webli" in names(good)
    for one in good.objects:
        assert one["imagenet_top1"] >= 0.8
        assert one["bytes"] <= 2e9
        assert one["licence"] == "Apache-2.0"
    assert all("LongCLIP" in name for name in names(cli("models", "longclip", "--json")))
    assert names(cli("models", "--json", "--max-size", "30MB")) == ["nano"]
    nothing = cli("models", "--min-accuracy", "99")
    message = "contralto: no model passes the filters; contralto models lists all models\n"
    assert (nothing.code, nothing.err) == (1, message)


def test_the_table_marks_what_is_here(cli, monkeypatch) -> None:
    monkeypatch.setattr(hub, "is_downloaded", lambda hub_id: hub_id.endswith("resnet50_clip.openai"))
    lines = cli("models", "openai").out.splitlines()
    assert lines[0].split() == ["name", "parameters", "pixels", "ImageNet", "size", "licence"]
    assert [line.split()[0] for line in lines if line.endswith("(here)")] == ["RN50/openai"]
    row = next(line for line in lines if line.startswith("RN50/openai"))
    assert row.split()[1:8] == ["102.0", "M", "224x224", "59.8%", "408.2", "MB", "MIT"]


@pytest.mark.parametrize("name", ["RN50", "nano", "ViT-B-32"])
def test_parameters_are_those_of_the_torch_module(name):
    pytest.importorskip("torch")
    if name == "nano":
        expected = sum(p.numel() for p in contralto.create(name)[0].parameters())
    else:
        expected = {"RN50": 102_007_137, "ViT-B-32": 151_277_313}[name]  # as OpenAI's modules count
    assert parameters(preset(name)) == expected
