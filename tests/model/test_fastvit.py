"""FastViT against NumPy float64, in which the branches are folded: one kernel each, as the paper says they may be.

So the tower's sums of normalised convolutions are held against single convolutions with a bias; that is the same
function in another form. All five published widths have been compared with timm once, outside the tests.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from support import plain_towers as plain

from contralto.architecture import FastStage, FastViT, NoHead
from contralto.contract import preset
from contralto.model import fastvit
from contralto.model.clip import create
from contralto.weights.names.fastvit import fastvit as names

SMALL = FastViT(
    (FastStage(8, 2), FastStage(16, 1, squeeze=True), FastStage(32, 2, "attention", squeeze=True, positions=True)),
    mlp=3,
    head_width=8,
)
LAYERED = FastViT(
    (FastStage(8, 1), FastStage(24, 1, positions=True), FastStage(48, 1, "attention")),
    mlp=2,
    norm="layer",
    stem_points=False,
    head_width=16,
    head=NoHead(),
)


@pytest.mark.parametrize("spec", [SMALL, LAYERED], ids=["batch norm", "layer norm"])
@pytest.mark.parametrize("size", [(32, 32), (27, 45)], ids=["even", "odd"])
def test_equals_numpy(spec, size):
    tower = plain.scramble(fastvit.FastViT(spec, embedding=spec.features if spec is LAYERED else 6)).double()
    with torch.no_grad():
        for name, value in tower.state_dict().items():
            if name.endswith((".conv.weight", "scale1", "scale2")):
                value.mul_(0.4)  # many branches add up
    pixels = np.random.default_rng(2).normal(size=(2, 3, *size))
    weights = plain.state(tower)
    features = np.stack([Plain(spec, weights).features(x) for x in pixels])
    expected = features if spec is LAYERED else plain.linear(features, weights, "head.linear")
    with torch.no_grad():
        assert np.abs(features).mean() > 0.05
        assert np.abs(features[0] - features[1]).max() > 1e-3
        bound = 1e-6 if spec is LAYERED else 1e-9  # our LayerNorm computes in float32, whatever it is given
        np.testing.assert_allclose(tower(torch.from_numpy(pixels)).numpy(), expected, rtol=0, atol=bound)


class Plain:
    """One picture at a time; every branch is folded into one kernel and one bias before anything is computed."""

    def __init__(self, spec, weights):
        self.spec, self.weights = spec, weights

    def features(self, x):
        """pixels (3, h, w) -> (features,)."""
        for n, (stride, depthwise, identity) in enumerate([(2, False, False), (2, True, False), (1, False, True)]):
            x = gelu(self.folded(x, f"stem.{n}", stride, len(x) if depthwise else 1, identity))
        for index, stage in enumerate(self.spec.stages):
            name = f"stages.{index}"
            if index:
                x = self.folded(x, f"{name}.halve.wide", 2, len(x))
                x = gelu(self.squeeze(x, f"{name}.halve.squeeze") if stage.squeeze else x)
                x = gelu(self.folded(x, f"{name}.halve.point", identity=True))
            if stage.positions:
                x = x + self.biased(x, f"{name}.positions", len(x))
            for layer in range(stage.layers):
                x = self.block(x, f"{name}.blocks.{layer}", stage.mixer)
        x = gelu(self.squeeze(self.folded(x, "top", 1, len(x)), "squeeze"))
        return x.mean(axis=(1, 2))

    def block(self, x, name, mixer):
        if mixer == "attention":
            mixed = self.attention(x, name)
        else:
            mixed = self.folded(x, f"{name}.mixer", 1, len(x), identity=True)
            mixed = mixed - plain.batch_norm(x, self.weights, f"{name}.norm", self.spec.norm_eps)
        x = x + self.weights[f"{name}.scale1"] * mixed
        y = self.folded(x, f"{name}.mlp", 1, len(x), branches=["depthwise"])
        y = self.biased(gelu(self.biased(y, f"{name}.mlp.up")), f"{name}.mlp.down")
        return x + self.weights[f"{name}.scale2"] * y

    def attention(self, x, name):
        if self.spec.norm == "batch":
            x = plain.batch_norm(x, self.weights, f"{name}.norm", self.spec.norm_eps)
        rows = x.reshape(len(x), -1).T
        if self.spec.norm == "layer":
            rows = plain.layer_norm(rows, self.weights, f"{name}.norm", self.spec.norm_eps)
        heads = len(x) // self.spec.head_width
        return plain.attention(rows, rows, self.weights, f"{name}.attention", heads).T.reshape(x.shape)

    def folded(self, x, name, stride=1, groups=1, identity=False, branches=None):
        """The sum of normalised convolutions (and of the normalised input) as one convolution."""
        if branches is None:
            branches = [f"branches.{n}" for n in (0, 1) if f"{name}.branches.{n}.conv.weight" in self.weights]
        first = self.weights[f"{name}.{branches[0]}.conv.weight"]
        side = first.shape[-1]
        kernel, bias = np.zeros(first.shape), np.zeros(len(first))
        for branch in branches:
            gain, shift = self.affine(f"{name}.{branch}.norm")
            own = self.weights[f"{name}.{branch}.conv.weight"]
            margin = (side - own.shape[-1]) // 2
            inner = slice(margin, side - margin)
            kernel[:, :, inner, inner] += own * gain[:, None, None, None]
            bias += shift
        if identity:
            gain, shift = self.affine(f"{name}.norm")
            for channel in range(len(kernel)):
                kernel[channel, channel % kernel.shape[1], side // 2, side // 2] += gain[channel]
            bias += shift
        y = plain.convolve(x, kernel, stride, (side // 2, side // 2), groups)
        return y + bias[:, None, None]

    def affine(self, name):
        """Batch normalisation as y = gain x + shift."""
        gain = self.weights[f"{name}.weight"] / np.sqrt(self.weights[f"{name}.running_var"] + self.spec.norm_eps)
        return gain, self.weights[f"{name}.bias"] - self.weights[f"{name}.running_mean"] * gain

    def biased(self, x, name, groups=1):
        kernel = self.weights[f"{name}.weight"]
        y = plain.convolve(x, kernel, 1, (kernel.shape[-1] // 2,) * 2, groups)
        return y + self.weights[f"{name}.bias"][:, None, None]

    def squeeze(self, x, name):
        mean = x.mean(axis=(1, 2))[:, None, None]
        hidden = np.maximum(self.biased(mean, f"{name}.down"), 0)
        return x * plain.sigmoid(self.biased(hidden, f"{name}.up"))


def gelu(x):
    return x * 0.5 * (1 + torch.erf(torch.from_numpy(x / np.sqrt(2))).numpy())


@pytest.mark.parametrize("spec", [SMALL, LAYERED], ids=["batch norm", "layer norm"])
def test_names_are_the_modules(spec):
    embedding = spec.features if spec is LAYERED else 6
    state = fastvit.FastViT(spec, embedding).state_dict()
    assert {name: tuple(value.shape) for name, value in state.items()} == names(spec, embedding)


def test_training_starts_near_the_shortcuts():
    """So every block passes on what it is given, and the rows still tell pictures apart."""
    contract = preset("tiny")
    contract = contract.replace(image=dataclasses.replace(contract.image, tower=SMALL, size=(32, 32)))
    model, _ = create(contract, seed=1)
    assert all(torch.isfinite(value).all() for value in model.image.state_dict().values())
    block, x = model.image.stages[0].blocks[0], torch.randn(1, 8, 8, 8, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(block(x), x, rtol=0, atol=1e-3)
        rows = model.encode_image(torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0)))
    assert (rows[0] - rows[1]).abs().max() > 1e-4


@pytest.mark.parametrize(
    ("name", "millions"),  # Vasu et al. 2024, table 1, and Faghri et al. 2025; with the branches and the projection
    [("MobileCLIP2-S0", 11.4), ("MobileCLIP-S1", 21.5), ("MobileCLIP-S2", 35.7)],
)
def test_published_sizes(name, millions):
    contract = preset(name)
    shapes = names(contract.image.tower, contract.embedding)
    parameters = sum(np.prod(shape) for name, shape in shapes.items() if "running" not in name) / 1e6
    assert parameters == pytest.approx(millions, abs=0.12)
