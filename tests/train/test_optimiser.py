import math

import pytest
import torch
from support.small_training import NET, contract, phase

from contralto.errors import ContractError
from contralto.model.clip import create
from contralto.train.optimiser import adamw, rate_at, rate_of, set_rate


def model(tower=None):
    return create(contract() if tower is None else contract(tower))[0]


def test_only_tensors_of_two_or_more_dimensions_decay():
    clip = model()
    optimiser = adamw(clip, phase(weight_decay=0.2))
    decay = {id(p): group["weight_decay"] for group in optimiser.param_groups for p in group["params"]}
    assert len(decay) == len(list(clip.parameters()))
    for name, parameter in clip.named_parameters():
        plain = name == "logit_scale" or name.endswith(".bias") or ".norm" in name or name == "image.class_token"
        assert decay[id(parameter)] == (0.0 if plain else 0.2), name


def test_one_step_is_adamw_by_hand():
    """First step: both moments are bias-corrected to the gradient, so the move is lr * g / (|g| + eps) plus decay."""
    clip = model()
    optimiser = adamw(clip, phase(weight_decay=0.5, eps=1e-8, rates={"text": 0.1}))
    set_rate(optimiser, 0.01)
    before = {name: p.detach().clone() for name, p in clip.named_parameters()}
    for p in clip.parameters():
        p.grad = torch.full_like(p, -3.0)
    optimiser.step()
    for name, p in clip.named_parameters():
        lr = 0.001 if name.startswith("text.") else 0.01
        decayed = before[name] * (1 - lr * 0.5) if p.ndim >= 2 else before[name]
        torch.testing.assert_close(p.detach(), decayed + lr, rtol=1e-5, atol=1e-7)


def test_the_longest_prefix_counts_and_ends_at_a_dot():
    rates = rate_of(model(), {"image": 0.5, "image.blocks.0": 0, "image.head.": 2, "logit_scale": 3})
    assert rates["image.patch.weight"] == 0.5
    assert rates["image.blocks.0.mlp.up.weight"] == 0
    assert rates["image.head.linear.weight"] == 2
    assert rates["logit_scale"] == 3
    assert rates["text.tokens.weight"] == 1


@pytest.mark.parametrize("prefix", ["imag", "image.block", "visual", "text.tokens.weigh"])
def test_a_prefix_that_fits_nothing_is_an_error(prefix):
    with pytest.raises(ContractError, match=prefix):
        adamw(model(), phase(rates={prefix: 0}))


def test_locking_everything_is_an_error():
    with pytest.raises(ContractError, match="lock every parameter"):
        adamw(model(), phase(rates={"image": 0, "text": 0, "logit_scale": 0}))


def test_locked_modules_stand_in_eval_mode():
    clip = model(NET)
    adamw(clip, phase(rates={"image": 0, "image.head": 1}))
    assert not clip.image.stem.training
    assert clip.image.head.training
    assert clip.text.training


def test_schedule_by_hand():
    plan = phase(steps=10, warmup=4, lr=0.8)
    rates = [rate_at(plan, step) for step in range(10)]
    assert rates[:4] == pytest.approx([0.2, 0.4, 0.6, 0.8])
    assert rates[4:] == pytest.approx([0.4 * (1 + math.cos(math.pi * k / 6)) for k in range(6)])
    assert rates[4] == 0.8
    assert 0 < rates[-1] < 0.06
    assert rate_at(phase(steps=1, warmup=1, lr=0.3), 0) == 0.3
