"""Conditions and their display names, which older reports store instead of a condition."""

from __future__ import annotations

from typing import get_args

import pytest

from contralto.evaluation.condition import PLAIN, Condition, ConditionKind, condition_of

NAMED = [
    (PLAIN, "", False),
    (Condition("templates", "imagenet-7"), "templates imagenet-7", True),
    (Condition("linear_probe"), "linear probe", False),
    (Condition("knn", level=20), "20-NN", False),
    (Condition("prototypes"), "prototypes", False),
    (Condition("few_shot", level=16), "few-shot 16", False),
    (Condition("corruption", "gaussian_noise", 3), "gaussian_noise 3", True),
    (Condition("corruptions"), "corruptions", False),
    (Condition("typographic"), "typographic", False),
    (Condition("size", "1/4"), "at 1/4 of the side", True),
    (Condition("negation"), "negation", False),
    (Condition("negation", group="asked=own"), "negation asked=own", True),
    (Condition("fine_grained"), "within its group", False),
    (Condition("fine_grained", group="group=dog"), "within its group group=dog", True),
    (Condition(group="skin tone=dark"), "skin tone=dark", True),
    (Condition("prompt_sensitivity"), "prompt sensitivity", True),
    (Condition("prompt_search", "val"), "prompts searched on val", True),
    (Condition("faces"), "faces", False),
    (Condition("overlap", "data/a=b:train"), "overlap with data/a=b:train", False),
    (Condition("zero_shot"), "zero-shot", False),
    (Condition("adapted"), "adapted", False),
    (Condition("long", "sentences", 8), "long texts by sentences after 8 sentences", True),
    (Condition("long", "truncate", 0), "long texts by truncate after 0 sentences", True),
    (Condition("other", "k-NN 5"), "k-NN 5", False),
    (Condition("other", "fog 6"), "fog 6", False),
]


@pytest.mark.parametrize(("condition", "variant", "is_detail"), NAMED, ids=[variant for _, variant, _ in NAMED])
def test_a_display_name_states_the_whole_condition(condition, variant, is_detail):
    assert condition.variant == variant
    assert condition_of(variant) == condition
    assert condition.is_detail == is_detail


def test_every_kind_has_a_display_name():
    assert {condition.kind for condition, _, _ in NAMED} == set(get_args(ConditionKind))


def test_an_unknown_kind_is_an_error():
    with pytest.raises(ValueError, match="'dream' is not a kind of condition"):
        Condition("dream")
