"""`contralto info`: the contract, the engine, and what was measured."""

from __future__ import annotations

import dataclasses
import json

import pytest
from support import adaptations

import contralto
from contralto.architecture import NoHead, ViT
from contralto.cli.info import facts
from contralto.contract import Contract, Detector, preset
from contralto.engine import measure
from contralto.engine.openvino import OpenVINO


def test_info_is_the_contract_with_the_engine(cli, tiny_model):
    asked = {"engine": "openvino", "precision": "fp32", "why": "as requested", "measured": []}
    for arguments in ((tiny_model,), ("--model", tiny_model)):
        (record,) = cli("info", *arguments, "--precision", "fp32", "--json").objects
        assert record.pop("engine") == asked
        assert Contract.from_json(json.dumps(record)) == Contract.read(tiny_model)
    assert "licence" in cli("info", tiny_model, "--precision", "fp32").out


def test_a_detector_is_called_one():
    tiny = preset("tiny")
    tower = ViT(16, 1, 2, 8, 32, "gelu", head=NoHead())
    owl = dataclasses.replace(tiny.image, tower=tower, size=(32, 32), resize="squash")
    shown = facts(tiny.replace(image=owl, detector=Detector(objectness=True)))
    assert "detector" not in facts(tiny)
    assert shown["detector"].startswith("owl: a box for each cell and how much")
    assert "how much" not in facts(tiny.replace(image=owl, detector=Detector(objectness=False)))["detector"]


@pytest.mark.parametrize("precision", ["auto", "int8"])
def test_info_measures_nothing_and_says_how_to(cli, tiny_model, monkeypatch, precision):
    monkeypatch.setattr(measure, "measure", lambda *_: pytest.fail("measured"))
    monkeypatch.setattr(OpenVINO, "_tower", lambda *_: pytest.fail("compiled"))
    done = cli("info", tiny_model, "--precision", precision, "--json")
    assert (done.code, done.err) == (0, "")
    stated = precision.replace("auto", "fp32")
    why = "; ".join(f"{side} {stated}: not measured on this machine yet" for side in ("image", "text"))
    assert done.objects[0]["engine"] == {"engine": "openvino", "precision": stated, "why": why, "measured": []}
    assert f"contralto bench --model {tiny_model}" in cli("info", tiny_model, "--precision", precision).out
    assert "contralto bench" not in cli("info", tiny_model, "--precision", "fp32").out


def test_info_tells_what_auto_chose_and_what_the_others_made(cli, tiny_model):
    contralto.load(tiny_model).engine_report()
    (record,) = cli("info", tiny_model, "--json").objects
    engine = record["engine"]
    assert engine["why"].startswith("image ")
    assert set(engine) == {"engine", "precision", "why", "measured"}
    assert {"engine", "precision", "tower", "per_second", "cosine"} == set(engine["measured"][0])
    assert {(one["tower"], one["precision"]) for one in engine["measured"]} >= {
        ("image", "fp32"), ("image", "int8"), ("text", "fp32"), ("text", "int8"),
    }  # fmt: skip
    shown = cli("info", tiny_model).out
    assert "image int8" in shown
    assert "the fastest here" in shown


def test_info_of_an_adaptation_shows_what_it_is(cli, tiny_model, tmp_path):
    stated = Contract.read(tiny_model)
    tensors = adaptations.classifier_tensors("kernel", stated.embedding)
    adaptations.write(tmp_path, "kernel", stated, tensors, tiny_model, measured={"folds": 0.5})
    result = cli("info", tmp_path, "--mix", "0.5", "--json")
    (shown,) = result.objects
    assert shown["adaptation"]["method"] == "kernel"
    assert shown["adaptation"]["mix"] == 0.5
    assert shown["adaptation"]["base"] == {"name": stated.name, "contract": stated.hash, "source": str(tiny_model)}
    assert shown["adaptation"]["measured"] == {"folds": 0.5}
    table = cli("info", tmp_path, "--mix", "0.5").out
    for part in ("kernel, mix 0.5", stated.hash[:16], "3: cat, dog, red circle", "drawn, 12 items", "CC0-1.0"):
        assert part in table
    (plain,) = cli("info", tiny_model, "--json").objects
    assert "adaptation" not in plain
