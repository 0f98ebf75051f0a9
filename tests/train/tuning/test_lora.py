"""LoRA: nothing changes at first, the gradient is that of the merged weight, and only A and B ever move."""

import dataclasses

import numpy as np
import pytest
import torch
from support.small_models import CONTRACTS, ids, pixels, random_arrays
from support.small_tuning import NET, VIT, colours, contract, small_clip

from contralto.model.clip import CLIP
from contralto.train.tuning import lora
from contralto.train.tuning.run import tune
from contralto.train.tuning.settings import PARTS, Lora

ALL = Lora(rank=3, alpha=6.0, parts=PARTS, dropout=0.0)


def model_of(stated):
    model = CLIP(stated)
    model.load_state_dict({name: torch.from_numpy(array) for name, array in random_arrays(stated).items()})
    return model.eval()


def outputs(model, stated):
    return model.encode_image(torch.from_numpy(pixels(stated))), model.encode_text(torch.from_numpy(ids(stated)))


def drawn_factors(model):
    """Gives every B numbers, so that every change is felt."""
    generator = torch.Generator().manual_seed(5)
    for name, parameter in model.named_parameters():
        if name.endswith(".B"):
            torch.nn.init.normal_(parameter, std=0.3, generator=generator)


def merged(tensors, arrays):
    """The weights with W + B A, by the rule of the files."""
    whole = dict(arrays)
    for name in tensors:
        if name.endswith(".A"):
            weight = f"{name[:-2]}.weight"
            change = tensors[f"{name[:-2]}.B"] @ tensors[name]
            whole[weight] = arrays[weight] + change.reshape(arrays[weight].shape)
    return whole


@pytest.mark.parametrize("stated", CONTRACTS.values(), ids=CONTRACTS)
def test_every_map_of_every_tower_is_unchanged_at_first_then_equals_the_merged_weights(stated):
    model = model_of(stated)
    before = outputs(model, stated)
    names = lora.insert(model, ALL, torch.Generator().manual_seed(0))
    for a, b in zip(outputs(model, stated), before, strict=True):
        assert torch.equal(a, b)
    assert lora.changes(model) == {}
    drawn_factors(model)
    tensors = lora.changes(model)
    assert {name.rpartition(".")[0] for name in tensors} == set(names)
    whole = model_of(stated)
    whole.load_state_dict({n: torch.from_numpy(a) for n, a in merged(tensors, random_arrays(stated)).items()})
    for a, b, base in zip(outputs(model, stated), outputs(whole, stated), before, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)
        assert not torch.allclose(a, base, rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize("name", ["text.blocks.0.attention.q", "image.blocks.2.expand.conv"])
def test_the_gradient_is_that_of_the_merged_weight(name):
    """dL/dA = s B^T dL/dW and dL/dB = s dL/dW A^T, with dL/dW from autograd through the plain model."""
    stated = CONTRACTS["efficientnet + bert, mean"]
    model = model_of(stated)
    lora.insert(model, ALL, torch.Generator().manual_seed(0))
    drawn_factors(model)
    plain = model_of(stated)
    whole = merged(lora.changes(model), random_arrays(stated))
    plain.load_state_dict({n: torch.from_numpy(a) for n, a in whole.items()})
    for each in (model, plain):
        sum(out.square().sum() for out in outputs(each, stated)).backward()
    weight = plain.get_submodule(name).weight.grad.flatten(1)
    changed = model.get_submodule(name)
    torch.testing.assert_close(changed.A.grad, 2 * changed.B.T @ weight, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(changed.B.grad, 2 * weight @ changed.A.T, rtol=1e-3, atol=1e-3)


def test_dropout_acts_on_the_change_alone_and_only_in_training():
    model = model_of(CONTRACTS["vit + causal"])
    lora.insert(model, dataclasses.replace(ALL, dropout=0.9), torch.Generator().manual_seed(0))
    map_, x = model.text.blocks[0].attention.q, torch.ones(4, 16)
    torch.nn.init.ones_(map_.B)
    base = torch.nn.functional.linear(x, map_.weight, map_.bias)
    map_.train()
    noisy = map_(x) - base
    assert not torch.allclose(noisy[0], noisy[1])
    map_.eval()
    torch.testing.assert_close(map_(x) - base, 2 * (map_.A.sum() * torch.ones(4, 16)))


def test_dropout_takes_inputs_of_a_convolution_for_the_whole_batch():
    model = model_of(CONTRACTS["efficientnet + bert, mean"])
    lora.insert(model, dataclasses.replace(ALL, dropout=0.5), torch.Generator().manual_seed(0))
    map_, x = model.image.blocks[2].expand.conv, torch.rand(3, 8, 2, 2)
    torch.nn.init.normal_(map_.B, generator=torch.Generator().manual_seed(1))
    base = torch.nn.functional.conv2d(x, map_.weight)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(4)
        change = map_.train()(x) - base
        torch.manual_seed(4)
        factors = torch.nn.functional.dropout(torch.ones(8), 0.5)
    assert set(factors.tolist()) == {0.0, 2.0}
    expected = torch.einsum("or,ri,nihw->nohw", map_.B, map_.A * factors, x) * 2
    torch.testing.assert_close(change, expected, rtol=1e-4, atol=1e-5)


def test_a_is_drawn_as_in_pytorch_s_linear_maps():
    a, b = lora.factors(torch.empty(30, 400), 50, torch.Generator().manual_seed(1))
    assert a.shape == (50, 400)
    assert b.shape == (30, 50)
    assert not b.any()
    a = a.detach()
    assert 0.049 < a.abs().max() <= 0.05
    assert a.std().item() == pytest.approx(0.05 / 3**0.5, rel=0.02)


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("vit + causal", {"q", "k", "v"}),
        ("siglip", {"q", "k", "v"}),
        ("resnet + unmasked", {"q", "k", "v"}),
        ("efficientnet + bert, mean", {"conv", "linear", "down", "up"}),
        ("convnext + causal", {"up", "down"}),
    ],
)
def test_a_picture_tower_without_attention_changes_other_maps(key, expected):
    names = lora.adapted(model_of(CONTRACTS[key]), "image", Lora().parts)
    assert {name.rpartition(".")[2] for name in names} <= expected
    assert names


def test_an_efficientnet_changes_its_last_third_unless_convolutions_are_asked_for():
    model = model_of(contract(NET))
    last = {"image.blocks.2.expand.conv", "image.blocks.2.project.conv", "image.top.conv", "image.head.linear"}
    assert set(lora.adapted(model, "image", ("q", "k", "v"))) == last
    assert "image.blocks.1.expand.conv" in lora.adapted(model, "image", ("q", "conv"))


@pytest.mark.parametrize(
    ("trained", "blocks"),
    [
        ({"image.blocks.1.expand.conv.A", "image.blocks.2.project.conv.A"}, 1),
        ({"image.head.linear.A", "text.blocks.0.attention.q.A"}, 3),
        ({"image.stem.conv.weight", "image.blocks.2.project.conv.weight"}, 0),
    ],
)
def test_the_locked_start_ends_before_the_first_trained_block(trained, blocks):
    assert lora.locked_blocks(model_of(contract(NET)).image, trained) == blocks


@pytest.mark.parametrize("tower", [VIT, NET])
def test_a_tuning_moves_a_and_b_of_both_towers_and_nothing_else(tmp_path, tower):
    clip = small_clip(tmp_path / "base", contract(tower))
    before = {name: np.array(array) for name, array in clip.checkpoint.items()}
    tuned = tune(clip, colours(), Lora(lr=2e-3, batch=8), steps=3, work=tmp_path / "work")
    assert {name.partition(".")[0] for name in tuned.tensors} == {"image", "text"}
    assert {name.rpartition(".")[2] for name in tuned.tensors} == {"A", "B"}
    assert all(array.dtype == np.float32 for array in tuned.tensors.values())
    assert all(np.array_equal(array, before[name]) for name, array in clip.checkpoint.items())
    size = (tmp_path / "work/checkpoint.pt").stat().st_size
    assert size < 200_000 < (tmp_path / "base/model.safetensors").stat().st_size
