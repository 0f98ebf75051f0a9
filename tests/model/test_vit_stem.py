"""MobileCLIP-B's picture tower: a stem of convolutions against NumPy float64, and a class token without a position."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch
from support import plain_towers as plain

from contralto.architecture import ViT
from contralto.model import vit

SPEC = ViT(16, 2, 2, 8, 24, "gelu", norm_pre=False, norm_eps=1e-6, class_position=False, stem="convolutions")


@pytest.mark.parametrize("size", [(16, 24), (21, 30)], ids=["whole", "left over"])
def test_stem_equals_numpy(size):
    stem = plain.scramble(vit.ConvolutionStem(SPEC)).double()
    weights, gelu = plain.state(stem), np.vectorize(lambda x: x * (1 + math.erf(x / math.sqrt(2))) / 2)
    pixels = np.random.default_rng(0).normal(size=(2, 3, *size))
    expected = []
    for x in pixels:
        for n, stride in ((1, 2), (2, 2)):
            x = plain.convolve(x, weights[f"conv{n}.weight"], stride)
            x = gelu(plain.batch_norm(x, weights, f"norm{n}", 1e-5))
        expected.append(plain.convolve(x, weights["conv3.weight"], 2) + weights["conv3.bias"][:, None, None])
    with torch.no_grad():
        patches = stem(torch.from_numpy(pixels)).numpy()
    assert patches.shape == (2, 16, size[0] // 8, size[1] // 8)
    np.testing.assert_allclose(patches, expected, rtol=0, atol=1e-12)


def test_a_class_token_without_a_position_is_as_one_whose_position_is_zero():
    without = plain.scramble(vit.ViT(SPEC, (16, 24), 6))
    positioned = vit.ViT(dataclasses.replace(SPEC, class_position=True), (16, 24), 6).eval()
    state = without.state_dict()
    assert state["positions"].shape == (6, 16)
    state["positions"] = torch.cat([torch.zeros(1, 16), state["positions"]])
    positioned.load_state_dict(state)
    pixels = torch.randn(2, 3, 16, 24, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        assert torch.equal(without(pixels), positioned(pixels))
