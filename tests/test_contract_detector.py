"""The optional block `detector`, and pictures that are padded."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from support.small_models import CONTRACTS, DETECTORS

from contralto.architecture import LinearHead, NoHead
from contralto.contract import Contract, Detector, preset, presets
from contralto.errors import ContractError
from contralto.weights.names import expected

OWL = DETECTORS["owlv2"]


def with_image(**changes: Any) -> Contract:
    return OWL.replace(image=dataclasses.replace(OWL.image, **changes))


def with_tower(**changes: Any) -> Contract:
    return with_image(tower=dataclasses.replace(OWL.image.tower, **changes))


@pytest.mark.parametrize("contract", DETECTORS.values(), ids=DETECTORS)
def test_a_detector_survives_its_json(contract: Contract) -> None:
    again = Contract.from_json(contract.to_json())
    assert again == contract
    assert again.hash == contract.hash
    assert len({contract.hash, CONTRACTS["vit + causal"].hash, *(one.hash for one in DETECTORS.values())}) == 3


def test_a_model_without_detector_has_the_hash_that_it_had() -> None:
    """Neither the block nor the new value of resize is part of its canonical JSON."""
    for name in presets()[::20]:
        contract = preset(name)
        stated = json.loads(contract.to_json())
        del stated["detector"]
        assert Contract.from_json(json.dumps(stated)).hash == contract.hash
    tiny = preset("tiny")
    assert tiny.hash == TINY_HASH


TINY_HASH = "04659181954bd9de0cbe126eeda8b9ab2ed21961ef00884658ab091ef5f2982b"


def test_unusable_detectors_are_refused() -> None:
    cases = {
        "has no head of its own": lambda: with_tower(head=LinearHead()),
        "a vit that pools by its class token": lambda: with_tower(pool="mean"),
        "class token, without prompts": lambda: with_tower(prompts=2, prompt_depth=1),
        "sees whole pictures: squash or pad": lambda: with_image(resize="shortest"),
        "squash or pad": lambda: with_image(resized=(40, 40)),
        "makes a square without a crop": lambda: with_image(resize="pad"),
        "pad is bilinear and converts first": lambda: with_image(resize="pad", size=(16, 16)),
        "as wide as the embedding": lambda: OWL.replace(detector=None),
    }
    for error, make in cases.items():
        with pytest.raises(ContractError, match=error):
            make()
    resnet = CONTRACTS["resnet + unmasked"]
    with pytest.raises(ContractError, match="a detector's image tower is a vit"):
        resnet.replace(detector=Detector(True))


def test_pad_is_stated() -> None:
    padded = with_image(resize="pad", size=(16, 16), interpolation="bilinear", convert="first")
    assert Contract.from_json(padded.to_json()) == padded
    with pytest.raises(ContractError, match=r"image\.resize must be one of shortest, squash, pad"):
        Contract.from_json(padded.to_json().replace('"pad"', '"fill"', 1).replace('"resize": "pad"', '"resize": "f"'))


def test_names_and_shapes_of_the_heads() -> None:
    names = {name: shape for name, shape in expected(OWL).items() if name.startswith("image.detector.")}
    assert names["image.detector.row.weight"] == (24, 16)
    assert names["image.detector.scale.weight"] == (1, 16)
    assert names["image.detector.box.2.bias"] == (4,)
    assert names["image.detector.objectness.2.weight"] == (1, 16)
    assert len(names) == 2 * (4 + 3 + 3)
    first = {name for name in expected(DETECTORS["owlvit"]) if name.startswith("image.detector.")}
    assert first == {name for name in names if "objectness" not in name}
    assert not any(name.startswith("image.head") for name in expected(OWL))
    assert OWL.image.tower.head == NoHead()  # type: ignore[union-attr]
