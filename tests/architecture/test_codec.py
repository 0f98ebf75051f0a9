"""The codec alone: every tower and head through JSON, and defaults."""

from __future__ import annotations

import dataclasses
import json
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contralto.architecture import (
    Bert,
    CausalText,
    EfficientNet,
    LinearHead,
    ResidualHead,
    ResNet,
    Stage,
    ViT,
)
from contralto.architecture.codec import from_json, to_json
from contralto.errors import ContractError

POSITIVE = st.integers(1, 10**6)
HEADS = st.builds(LinearHead, bias=st.booleans()) | st.builds(ResidualHead, hidden=POSITIVE)
ACTIVATIONS = st.sampled_from(["gelu", "quickgelu", "relu", "relu6", "silu"])
SIZES = {"layers": POSITIVE, "heads": POSITIVE, "mlp": POSITIVE, "activation": ACTIVATIONS, "head": HEADS}
TOWERS = st.one_of(
    st.builds(ViT, width=POSITIVE, patch=POSITIVE, norm_eps=st.floats(1e-12, 1e-3), **SIZES),
    st.builds(ResNet, layers=st.tuples(*[POSITIVE] * 4), width=POSITIVE, heads=POSITIVE),
    st.builds(
        EfficientNet,
        stem=POSITIVE,
        stages=st.lists(st.builds(Stage, *[POSITIVE] * 5), max_size=4).map(tuple),
        top=POSITIVE,
        activation=ACTIVATIONS,
        head=HEADS,
    ),
    st.builds(CausalText, vocabulary=POSITIVE, width=POSITIVE, mask=st.sampled_from(["causal", "none"]), **SIZES),
    st.builds(Bert, vocabulary=POSITIVE, width=POSITIVE, **SIZES),
)


@given(TOWERS)
def test_towers_survive_json(tower):
    assert from_json(type(tower), json.loads(json.dumps(to_json(tower)))) == tower


@given(TOWERS)
def test_what_is_at_its_default_may_be_left_out(tower):
    short = to_json(tower, defaults=False)
    assert short["kind"] == tower.kind
    assert from_json(type(tower), json.loads(json.dumps(short))) == tower


@dataclasses.dataclass(frozen=True)
class Pair:
    tower: ViT | ResNet | None
    sizes: tuple[int, ...] = ()
    level: Literal[0, 1] = 0
    kind: Literal["pair"] = "pair"


def test_absent_fields_take_their_defaults_and_null_is_none():
    assert from_json(Pair, {"tower": None}) == Pair(None)


def test_to_json_writes_every_field():
    assert to_json(Pair(None, (1, 2))) == {"tower": None, "sizes": [1, 2], "level": 0, "kind": "pair"}


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"tower": {"kind": "bert"}}, "pair.tower.kind must be one of vit, resnet, got 'bert'"),
        ({"tower": {}}, "pair.tower.kind must be one of vit, resnet, got None"),
        ({"tower": {"kind": ["vit"]}}, "pair.tower.kind must be one of vit, resnet"),
        ({"tower": None, "sizes": [1, None]}, r"pair.sizes\[1\] must be of type int, got None"),
        ({"tower": None, "level": True}, "pair.level must be one of 0, 1, got True"),
        ({"tower": None, "kind": "pear"}, "pair.kind must be one of pair, got 'pear'"),
        ({"tower": None, "sizes": "12" * 100}, "pair.sizes must be a list, got '1212.*…"),
        ({}, "pair: missing field 'tower'"),
        ({"tower": None, "b": 1, "a": 2}, r"pair: unknown field 'a', 'b' \(known: tower, sizes, level, kind\)"),
        (None, "pair must be an object, got None"),
    ],
)
def test_errors_name_the_place(value, message):
    with pytest.raises(ContractError, match=message):
        from_json(Pair, value, "pair")
