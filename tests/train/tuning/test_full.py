"""Tuning of all weights: what is locked keeps its bits, rates fall towards the input, the result is base + delta."""

import numpy as np
import pytest
from support.small_models import CONTRACTS
from support.small_tuning import BERT, NET, VIT, colours, contract, small_clip

from contralto.model.clip import CLIP
from contralto.train.optimiser import rate_of
from contralto.train.tuning import full
from contralto.train.tuning.run import tune
from contralto.train.tuning.settings import Full


@pytest.fixture(scope="module")
def tuned(tmp_path_factory):
    """A clip with batch norm, and its tuning."""
    folder = tmp_path_factory.mktemp("full")
    clip = small_clip(folder / "base", contract(NET, BERT, pool="mean"))
    return clip, tune(clip, colours(), Full(lr=0.02, batch=8), steps=6, work=folder / "work")


def test_scale_and_batch_norm_keep_their_bits_and_all_else_moves(tuned):
    clip, result = tuned
    locked = {name for name in clip.checkpoint if ".norm." in name and name.startswith("image.")} | {"logit_scale"}
    unused = {"text.tokens.weight"} & set(result.tensors)  # moved too: weight decay and the tokens that occur
    assert len(locked) > 20
    assert {name for name in clip.checkpoint if name not in result.tensors} == locked
    assert unused


def test_deltas_have_the_tensors_names_shapes_and_float32(tuned):
    clip, result = tuned
    for name, delta in result.tensors.items():
        assert delta.shape == clip.checkpoint[name].shape
        assert delta.dtype == np.float32


def test_rates_fall_by_the_decay_from_block_to_block():
    rate = rates_of("vit + causal", Full(layer_decay=0.5))
    assert rate["image.head.linear.weight"] == rate["image.norm_post.weight"] == 1
    assert rate["image.blocks.1.attention.q.weight"] == 0.5
    assert rate["image.blocks.0.norm1.bias"] == 0.25
    for name in ("image.patch.weight", "image.class_token", "image.positions", "image.norm_pre.weight"):
        assert rate[name] == 0.125
    assert rate["text.tokens.weight"] == rate["text.positions"] == 0.125
    assert rate["logit_scale"] == 0


def rates_of(name, how):
    model = CLIP(CONTRACTS[name])
    return rate_of(model, full.rates(model, how))


@pytest.mark.parametrize("name", CONTRACTS)
def test_every_tower_has_rates_from_small_to_one(name):
    rate = rates_of(name, Full())
    for tower in ("image", "text"):
        values = [value for key, value in rate.items() if key.startswith(f"{tower}.") and value]
        assert 0 < min(values) <= 0.65**2
        assert max(values) <= 1
    assert any(value in (1, 0.65) for value in rate.values())


def test_the_decay_of_a_deep_tower_is_smaller():
    stated = contract(VIT)
    tower = stated.image.tower
    deep = contract(type(tower)(**vars(tower) | {"layers": 24}))
    model = CLIP(deep)
    assert full.rates(model, Full())["image.blocks.23"] == 0.75
    assert full.rates(model, Full())["text.blocks.1"] == 0.65


def test_a_short_run_averages_over_its_own_end():
    assert full.ema(Full(), 100_000) == 0.998
    assert full.ema(Full(), 80) == pytest.approx(0.9)
    assert full.ema(Full(), 8) is None
