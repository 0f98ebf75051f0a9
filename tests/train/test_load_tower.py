"""LiT: one tower from given weights, strictly."""

import numpy as np
import pytest
import torch
from support.small_training import NET, contract

from contralto.errors import WeightsError
from contralto.model.clip import create
from contralto.train.load_tower import load_tower
from contralto.weights import native


@pytest.fixture
def given(tmp_path):
    model, stated = create(contract(), seed=5)
    native.write(tmp_path, stated, {name: t.numpy() for name, t in model.state_dict().items()})
    return tmp_path, model


@pytest.mark.parametrize("tower", ["image", "text"])
def test_one_tower_is_copied_and_nothing_else(given, tower):
    folder, source = given
    model, _ = create(contract(), seed=6)
    before = {name: t.clone() for name, t in model.state_dict().items()}
    load_tower(model, folder, tower)
    for name, tensor in model.state_dict().items():
        expected = source.state_dict()[name] if name.startswith(tower + ".") else before[name]
        assert torch.equal(tensor, expected), name


def test_another_tower_is_an_error_that_lists_it(given):
    model, _ = create(contract(NET), seed=6)
    before = {name: t.clone() for name, t in model.state_dict().items()}
    with pytest.raises(WeightsError, match=r"missing image\.stem\.conv\.weight"):
        load_tower(model, given[0], "image")
    assert all(torch.equal(t, before[n]) for n, t in model.state_dict().items())


def test_another_embedding_is_an_error_with_both_shapes(given):
    model, _ = create(contract().replace(embedding=4), seed=6)
    with pytest.raises(WeightsError, match=r"head\.linear\.weight has shape \(8, 16\), not \(4, 16\)"):
        load_tower(model, given[0], "text")


def test_weights_in_int8_are_read_too(tmp_path):
    model, stated = create(contract(), seed=5)
    native.write(tmp_path, stated, {name: t.numpy() for name, t in model.state_dict().items()}, "int8")
    other, _ = create(contract(), seed=6)
    load_tower(other, tmp_path, "image")
    a, b = (m.state_dict()["image.patch.weight"].numpy() for m in (model, other))
    np.testing.assert_allclose(a, b, atol=np.abs(a).max() / 127)
