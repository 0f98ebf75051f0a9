"""The modified ResNet against a NumPy float64 reading of the paper's description."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from support import plain_towers as plain

from contralto import architecture
from contralto.model.resnet import ResNet

SPEC = architecture.ResNet(layers=(2, 1, 2, 1), width=8, heads=4)
SIZE, EMBEDDING, EPS = (64, 96), 10, 1e-5


@pytest.fixture(scope="module")
def tower() -> ResNet:
    return plain.scramble(ResNet(SPEC, SIZE, EMBEDDING)).double()


def test_equals_numpy(tower):
    pixels = np.random.default_rng(1).normal(size=(2, 3, *SIZE))
    expected = np.stack([resnet(x, plain.state(tower)) for x in pixels])
    with torch.no_grad():
        ours = tower(torch.from_numpy(pixels)).numpy()
        assert np.array_equal(tower.features(torch.from_numpy(pixels)).numpy(), ours)
    assert np.abs(expected).mean() > 0.1
    np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-10)  # float64, the order of sums differs


def resnet(x, weights):
    """pixels (3, h, w) -> embedding (E,)."""

    def conv_norm(x, prefix, index, stride=1, pad=0):
        x = plain.convolve(x, weights[f"{prefix}conv{index}.weight"], stride, (pad, pad))
        return plain.batch_norm(x, weights, f"{prefix}norm{index}", EPS)

    def relu(x):
        return np.maximum(x, 0)

    x = relu(conv_norm(x, "stem.", 1, stride=2, pad=1))
    x = relu(conv_norm(x, "stem.", 2, pad=1))
    x = plain.average(relu(conv_norm(x, "stem.", 3, pad=1)), 2)
    for stage, layers in enumerate(SPEC.layers):
        for layer in range(layers):
            prefix = f"stages.{stage}.{layer}."
            stride = 2 if stage > 0 and layer == 0 else 1
            shortcut = x
            if layer == 0:
                shortcut = conv_norm(plain.average(x, stride), f"{prefix}shortcut.", "")
            x = relu(conv_norm(x, prefix, 1))
            x = plain.average(relu(conv_norm(x, prefix, 2, pad=1)), stride)
            x = relu(conv_norm(x, prefix, 3) + shortcut)
    return attention_pool(x.reshape(len(x), -1).T, weights)


def attention_pool(cells, weights):
    """(cells, C) -> (E,), head by head."""
    tokens = np.vstack([cells.mean(axis=0), cells]) + weights["pool.positions"]
    query = plain.linear(tokens[0], weights, "pool.q")
    keys, values = plain.linear(tokens, weights, "pool.k"), plain.linear(tokens, weights, "pool.v")
    answers = []
    for q, k, v in zip(*(np.split(t, SPEC.heads, axis=-1) for t in (query, keys, values)), strict=True):
        answers.append(plain.softmax(k @ q / np.sqrt(len(q))) @ v)
    return plain.linear(np.concatenate(answers), weights, "pool.out")
