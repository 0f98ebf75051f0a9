"""The contract: round trips, strictness, versions, hash, and that no JSON whatever gives anything but ContractError."""

from __future__ import annotations

import copy
import dataclasses
import hashlib
import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contralto.architecture import ConvNeXt, EfficientNet, Eva, FastStage, FastViT, NoHead, Stage, ViT
from contralto.contract import (
    FILE_NAME,
    Contract,
    Image,
    Provenance,
    Score,
    Text,
    TokenizerSpec,
    Weights,
    preset,
    presets,
)
from contralto.errors import ContractError
from contralto.text import bpe
from contralto.weights import registry

OURS = ["nano", "tiny"]
NINE = ["RN101", "RN50", "RN50x16", "RN50x4", "RN50x64", "ViT-B-16", "ViT-B-32", "ViT-L-14", "ViT-L-14-336"]
VIT_B_32_HASH = "666c722d38f4219f9976974c0e12b79a9435831d5f2e31b343dc6d3665d14991"


def as_dict(name: str = "ViT-B-32") -> dict:
    return json.loads(preset(name).to_json())


def read(value: object) -> Contract:
    return Contract.from_json(json.dumps(value), "given.json")


def test_there_is_a_preset_for_every_published_model_and_for_our_own():
    published = {entry.architecture for entry in registry.entries().values()}
    assert set(presets()) - published == set(OURS)
    assert published <= set(presets())
    with pytest.raises(ContractError, match=r"no preset is called 'RN52': is it .*RN50"):
        preset("RN52")


@pytest.mark.parametrize("name", presets())
def test_preset_round_trip(name):
    contract = preset(name)
    assert contract.name == name
    assert contract.weights is None
    again = Contract.from_json(contract.to_json())
    assert again == contract
    assert again.hash == contract.hash
    assert again.to_json() == contract.to_json()


def test_presets_state_the_vocabulary_that_contralto_ships():
    for name in presets():
        tokenizer = preset(name).text.tokenizer
        if tokenizer.kind == "clip-bpe":
            assert (tokenizer.sha256, tokenizer.file) == (bpe.SHA256, None)
        else:  # a vocabulary of its own is next to the weights, and only they can say which
            assert tokenizer.sha256 == "0" * 64
            assert tokenizer.file == ("vocab.txt" if tokenizer.kind == "wordpiece" else "tokenizer.json")


@pytest.mark.parametrize("name", NINE)
def test_openai_presets_share_what_the_paper_shares(name):
    contract = preset(name)
    image, text = contract.image, contract.text
    assert image.mean == (0.48145466, 0.4578275, 0.40821073)
    assert image.std == (0.26862954, 0.26130258, 0.27577711)
    assert (text.context, text.pad, text.clean, text.pool) == (77, 0, "clip", "eot")
    assert (text.tower.vocabulary, text.tower.layers, text.tower.activation) == (49_408, 12, "quickgelu")
    assert text.tower.width == 64 * text.tower.heads
    assert contract.score == Score("softmax", 100.0, None)


def test_full_contract_round_trip_through_a_folder(tmp_path):
    contract = preset("nano").replace(
        weights=Weights("model.safetensors", "ab" * 32, "int8"),
        provenance=Provenance(source="here", trained_on="ünïcode", converted_from=None),
        licence="Apache-2.0",
        score=Score("sigmoid", 117.33, -12.9),
    )
    (tmp_path / FILE_NAME).write_text(contract.to_json(), encoding="utf-8")
    assert Contract.read(tmp_path) == contract
    assert "ünïcode" in contract.to_json()


def test_read_names_the_file_and_the_reason(tmp_path):
    with pytest.raises(ContractError, match=r"contralto\.json: No such file"):
        Contract.read(tmp_path)
    (tmp_path / FILE_NAME).write_bytes(b"\xff\xfe\xfd")
    with pytest.raises(ContractError, match=r"contralto\.json is not JSON"):
        Contract.read(tmp_path)


def test_hash_is_that_of_the_canonical_json():
    """Without the fields that are at their default: written out here."""
    blocks = {"layers": 12, "activation": "quickgelu"}
    value = {
        "name": "ViT-B-32",
        "image": {
            "tower": blocks | {"kind": "vit", "width": 768, "heads": 12, "patch": 32, "mlp": 3072},
            "size": [224, 224],
            "mean": [0.48145466, 0.4578275, 0.40821073],
            "std": [0.26862954, 0.26130258, 0.27577711],
        },
        "text": {
            "tower": blocks | {"kind": "causal", "vocabulary": 49408, "width": 512, "heads": 8, "mlp": 2048},
            "tokenizer": {"kind": "clip-bpe", "sha256": bpe.SHA256},
            "context": 77,
        },
        "embedding": 512,
    }
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    assert preset("ViT-B-32").hash == hashlib.sha256(canonical.encode()).hexdigest() == VIT_B_32_HASH


def test_hash_tells_contracts_apart_and_nothing_else():
    hashes = {preset(name).hash for name in presets()}
    assert len(hashes) == len(presets())
    value = as_dict()
    shuffled = {key: value[key] for key in reversed(value)}
    assert read(shuffled).hash == preset("ViT-B-32").hash
    value["score"]["scale"] = 100  # an integer where a float is meant is the same number
    assert read(value).hash == preset("ViT-B-32").hash
    for field, other in (("alpha", "drop"), ("convert", "first")):
        image = value["image"] | {field: other}
        assert read(value | {"image": image}).hash != preset("ViT-B-32").hash


def test_a_contract_of_before_fields_were_added_keeps_its_hash():
    """It leaves them out; what a newer one states at its default is the same."""
    value = as_dict()
    for name in ("convert", "resized"):
        del value["image"][name]
    assert read(value) == preset("ViT-B-32")
    assert read(value).hash == VIT_B_32_HASH


def test_prompts_of_a_vit_change_its_hash_only_if_it_has_some():
    value = as_dict()
    value["image"]["tower"] |= {"prompts": 0, "prompt_depth": 0}
    assert read(value).hash == VIT_B_32_HASH
    value["image"]["tower"] |= {"prompts": 4, "prompt_depth": 12}
    assert read(value).hash != VIT_B_32_HASH
    for wrong, reason in (
        ({"prompts": 0}, "both prompts and prompt_depth, or none"),
        ({"prompt_depth": 0}, "both prompts and prompt_depth, or none"),
        ({"prompt_depth": 13}, "prompt_depth must be at most its layers"),
        ({"prompts": -1}, "must be positive"),
    ):
        tower = value["image"]["tower"] | wrong
        with pytest.raises(ContractError, match=reason):
            read(value | {"image": value["image"] | {"tower": tower}})


def test_colours_are_converted_as_the_code_of_each_layout_does():
    first = {name for name in presets() if preset(name).image.convert == "first"}
    assert first == {"nano", "align-base"}


def test_hash_survives_the_file_when_numbers_were_given_as_integers():
    contract = preset("tiny")
    whole = contract.replace(
        image=dataclasses.replace(contract.image, mean=(0, 0, 0), std=(1, 1, 1)), score=Score(scale=20)
    )
    assert Contract.from_json(whole.to_json()).hash == whole.hash


def without(path: str) -> dict:
    return changed(path, None, delete=True)


def changed(path: str, value: object, delete: bool = False) -> dict:
    """The JSON of ViT-B-32 with the value at a dotted path replaced, added or deleted."""
    root = node = as_dict()
    *parents, last = path.split(".")
    for parent in parents:
        node = node[parent]
    node[last] = value
    if delete:
        del node[last]
    return root


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (changed("colour", 1), "given.json: unknown field 'colour'"),
        (changed("image.tower.depth", 1), r"given.json.image.tower: unknown field 'depth' \(known: width, layers"),
        (without("embedding"), "given.json: missing field 'embedding'"),
        (without("image.tower.activation"), "given.json.image.tower: missing field 'activation'"),
        (changed("embedding", "512"), "given.json.embedding must be of type int, got '512'"),
        (changed("embedding", 512.0), "given.json.embedding must be of type int, got 512.0"),
        (changed("embedding", True), "given.json.embedding must be of type int, got True"),
        (changed("name", None), "given.json.name must be of type str, got None"),
        (changed("score.scale", True), "given.json.score.scale must be of type float, got True"),
        (changed("score.scale", math.inf), "given.json.score.scale must be finite, got inf"),
        (changed("score.scale", 10**400), "given.json.score.scale must be finite"),
        (changed("image.mean", [0.5, 0.5]), "given.json.image.mean must have 3 entries, got 2"),
        (changed("image.mean", [0.5, 0.5, "x"]), r"given.json.image.mean\[2\] must be of type float, got 'x'"),
        (changed("image.size", 224), "given.json.image.size must be a list, got 224"),
        (changed("image.tower.head.bias", 1), "given.json.image.tower.head.bias must be of type bool, got 1"),
        (changed("image.tower.kind", "swin"), "given.json.image.tower.kind must be one of vit, .*, got 'swin'"),
        (changed("image.tower", []), "given.json.image.tower.kind must be one of vit"),
        (changed("image.tower.activation", "tanh"), "given.json.image.tower.activation must be one of gelu,"),
        (changed("image.resize", ["shortest"]), "given.json.image.resize must be one of shortest, squash"),
        (changed("text", "no"), "given.json.text must be an object, got 'no'"),
        (changed("contract", 2), "given.json states contract version 2; this contralto reads 1: upgrade"),
        (changed("contract", True), "given.json is not a Contralto contract: it states no version"),
        (changed("contract", 0), "given.json states contract version 0; versions start at 1"),
        (without("contract"), "given.json is not a Contralto contract: it states no version"),
        ([], "given.json is not a Contralto contract"),
        (changed("embedding", 0), "embedding and context must be positive"),
        (changed("image.std", [0, 1, 1]), "image.std must be positive"),
        (changed("image.size", [224, 30]), "image.size must hold at least one patch"),
        (changed("image.tower.heads", 7), "width must be a multiple of its heads"),
        (changed("image.tower.heads", 0), "must be positive"),
        (changed("image.tower.patch", 0), "must be positive"),
        (changed("image.tower.layers", -1), "must be positive"),
        (changed("text.tower.heads", 0), "must be positive"),
        (changed("image.tower.norm_eps", 0.0), "must be positive"),
        (changed("score.scale", 0.0), "score.scale must be positive"),
        (changed("text.pool", "mean"), "a causal text tower pools at eot"),
        (changed("text.tokenizer.file", "../vocab.txt"), "'../vocab.txt' must be a plain file name"),
        (changed("text.tokenizer.file", ""), "'' must be a plain file name"),
        (changed("weights", {"file": "/etc/passwd", "sha256": "", "dtype": "int8"}), "must be a plain file name"),
    ],
    ids=lambda v: v[:40] if isinstance(v, str) else "",
)
def test_strictness(value, message):
    with pytest.raises(ContractError, match=message) as caught:
        read(value)
    assert "\n" not in str(caught.value)


def test_repeated_key():
    text = preset("ViT-B-32").to_json().replace('"embedding": 512', '"embedding": 512, "embedding": 64')
    with pytest.raises(ContractError, match="a key occurs twice"):
        Contract.from_json(text)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32-be", "utf-8-sig"])
def test_another_encoding_is_refused(encoding):
    with pytest.raises(ContractError, match="not JSON"):
        Contract.from_json(preset("ViT-B-32").to_json().encode(encoding))


@pytest.mark.parametrize("name", ["ViT-B-32", "RN50", "align-base"])
def test_a_million_blocks_are_refused_before_they_are_listed(name):
    value = json.loads(preset(name).to_json())
    tower = value["image"]["tower"]
    if "stages" in tower:
        tower["stages"][0]["repeats"] = 2**20
    else:
        tower["layers"] = 2**20 if isinstance(tower["layers"], int) else [1, 1, 2**20, 1]
    with pytest.raises(ContractError, match="at most 1000 blocks"):
        read(value)


def test_deep_nesting_is_refused_without_a_crash():
    with pytest.raises(ContractError, match="not JSON"):
        Contract.from_json("[" * 100_000, "deep")


def test_replace_validates_again():
    contract = preset("nano")
    with pytest.raises(ContractError, match="bert text tower pools"):
        contract.replace(text=dataclasses.replace(contract.text, pool="eot"))


def test_rules_hold_for_contracts_made_in_python():
    vit = ViT(width=64, layers=1, heads=4, patch=8, mlp=64, activation="gelu")
    contract = preset("tiny")
    contract.replace(image=Image(vit, (32, 32), (0.0,) * 3, (1.0,) * 3))
    with pytest.raises(ContractError, match="at least one patch"):
        contract.replace(image=Image(vit, (32, 7), (0.0,) * 3, (1.0,) * 3))
    narrow = EfficientNet(8, (Stage(1, 3, 1, 8, 1),), 16, "silu", squeeze=9)
    with pytest.raises(ContractError, match="squeeze"):
        contract.replace(image=Image(narrow, (32, 32), (0.0,) * 3, (1.0,) * 3))
    for stages, rule in (
        ((), "needs a stage"),
        ((FastStage(4, 1),), "8 channels"),
        ((FastStage(16, 1), FastStage(24, 1)), "multiple of the one before"),
        ((FastStage(16, 1), FastStage(48, 1, "attention")), "head_width"),
    ):
        with pytest.raises(ContractError, match=rule):
            contract.replace(image=Image(FastViT(stages, 3), (32, 32), (0.0,) * 3, (1.0,) * 3))
    eva = Eva(width=24, layers=1, heads=3, patch=8, mlp=20, grid=4)
    convnext = ConvNeXt((1, 1, 1, 1), (8, 12, 16, contract.embedding), head=NoHead())
    contract.replace(image=Image(eva, (32, 32), (0.0,) * 3, (1.0,) * 3))
    contract.replace(image=Image(convnext, (32, 32), (0.0,) * 3, (1.0,) * 3))
    for tower, side, rule in (
        (eva, 7, "at least one patch"),
        (dataclasses.replace(eva, heads=4), 32, "multiples of 4 wide"),  # 6: rows and columns need a pair each
        (dataclasses.replace(eva, grid=0), 32, "must be positive"),
        (convnext, 31, "at least 32"),
        (dataclasses.replace(convnext, widths=(8, 12, 16, 20)), 32, "as wide as the embedding"),
    ):
        with pytest.raises(ContractError, match=rule):
            contract.replace(image=Image(tower, (side, side), (0.0,) * 3, (1.0,) * 3))
    parted = dataclasses.replace(vit, stem="convolutions", patch=6)
    with pytest.raises(ContractError, match="multiples of 4"):
        contract.replace(image=Image(parted, (36, 36), (0.0,) * 3, (1.0,) * 3))
    with pytest.raises(ContractError, match="plain file name"):
        contract.replace(text=Text(contract.text.tower, TokenizerSpec("wordpiece", "0" * 64, "a/b"), 16))


SCALARS = st.none() | st.booleans() | st.integers() | st.just(10**400) | st.floats() | st.text(max_size=8)
LEAVES = SCALARS | st.sampled_from(
    ["vit", "bert", "causal", "linear", "residual", "eot", "mean", "..", "a\0b", "\ud800"]
)
JSON = st.recursive(LEAVES, lambda v: st.lists(v, max_size=3) | st.dictionaries(st.text(max_size=8), v, max_size=3))


@given(st.text() | st.binary() | JSON.map(json.dumps))
@settings(max_examples=200, deadline=None)
def test_any_text_is_refused_with_a_contract_error(text):
    with pytest.raises(ContractError):
        Contract.from_json(text)


BASES = [json.loads(preset(name).to_json()) for name in ("ViT-B-32", "RN50", "nano", "tiny")]


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_any_change_gives_a_contract_or_a_contract_error(data):
    """And what is accepted survives its own file."""
    value = copy.deepcopy(data.draw(st.sampled_from(BASES)))
    for _ in range(data.draw(st.integers(1, 3))):
        parent, key = data.draw(st.sampled_from(_places(value)))
        if data.draw(st.integers(0, 4)) == 0 and isinstance(parent, dict):
            parent[data.draw(st.text(max_size=8))] = parent.pop(key)
        else:
            parent[key] = data.draw(JSON)
    try:
        contract = read(value)
    except ContractError:
        return
    again = Contract.from_json(contract.to_json())
    assert again == contract
    assert again.hash == contract.hash


def _places(value: object) -> list[tuple]:
    """Every (container, key) of a JSON tree."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place for key, child in list(items) for place in [(value, key), *_places(child)]]
