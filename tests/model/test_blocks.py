"""The small parts, by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from support import plain_towers as plain
from torch import nn

from contralto import architecture
from contralto.model.blocks import ACTIVATIONS, BatchNorm, LayerNorm, attend


@pytest.mark.parametrize(
    ("name", "at_minus_one", "at_seven"),
    [
        ("gelu", -0.5 * (1 + math.erf(-(0.5**0.5))), 7.0),
        ("quickgelu", -1 / (1 + math.exp(1.702)), 7 / (1 + math.exp(-7 * 1.702))),
        ("silu", -1 / (1 + math.e), 7 / (1 + math.exp(-7))),
        ("relu", 0.0, 7.0),
        ("relu6", 0.0, 6.0),
    ],
)
def test_activations_at_two_points(name, at_minus_one, at_seven):
    values = ACTIVATIONS[name](torch.tensor([-1.0, 7.0])).tolist()
    assert values == pytest.approx([at_minus_one, at_seven], abs=1e-6)


def test_every_activation_of_the_contract_is_there():
    assert set(ACTIVATIONS) == set(architecture.towers.HeadActivation.__args__)


def test_attention_head_by_head():
    rng = np.random.default_rng(0)
    q, k, v = rng.normal(size=(2, 5, 12)), rng.normal(size=(2, 7, 12)), rng.normal(size=(2, 7, 12))
    seen = rng.random((2, 1, 5, 7)) < 0.7
    seen[..., 0] = True
    expected = np.zeros((2, 5, 12))
    for n in range(2):
        for part in (slice(0, 4), slice(4, 8), slice(8, 12)):
            scores = q[n][:, part] @ k[n][:, part].T / 2  # sqrt of a head's 4 columns
            expected[n][:, part] = plain.softmax(np.where(seen[n, 0], scores, -np.inf)) @ v[n][:, part]
    ours = attend(*map(torch.from_numpy, (q, k, v)), heads=3, mask=torch.from_numpy(seen))
    np.testing.assert_allclose(ours.numpy(), expected, atol=1e-12)


def test_layer_norm_computes_in_float32():
    """Squares of 300 overflow float16; the result must not, and is the float32 result rounded once."""
    x = torch.linspace(-600, 600, 64).half()
    norm = LayerNorm(64, eps=1e-5)
    reference = nn.functional.layer_norm(x.float(), (64,), eps=1e-5).half()
    assert torch.equal(norm.half()(x), reference)


def test_batch_norm_equals_pytorchs_without_its_counter():
    ours, theirs = BatchNorm(5, eps=1e-3), nn.BatchNorm2d(5, eps=1e-3)
    x = 3 + 2 * torch.randn(4, 5, 6, 6, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(ours(x), theirs(x))
    torch.testing.assert_close(ours.eval()(x), theirs.eval()(x))  # after the running statistics moved
    assert set(theirs.state_dict()) - set(ours.state_dict()) == {"num_batches_tracked"}
