"""ViT and CLIP's text tower with every pool and option, against one NumPy form of them in float64, item by item.

A ViT that takes the mean of its patches' rows and leaves out the class token's is CLIPA's.
"""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from support import plain_towers as plain
from torch import nn

from contralto.architecture import CausalText, LinearHead, NoHead, ViT
from contralto.model import text, vit

BOUND = 1e-5  # of unit rows: float32 against float64
END = 39

ACTIVATIONS = {
    "gelu": np.vectorize(lambda x: x * (1 + math.erf(x / math.sqrt(2))) / 2),
    "gelu_tanh": lambda x: x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))) / 2,
    "quickgelu": lambda x: x * plain.sigmoid(1.702 * x),
}
FLAG = (True, False)
FLAGS = list(itertools.product(FLAG, repeat=3))
OPTIONS = [(pool, *flags) for pool in ("class", "mean", "attention") for flags in FLAGS if pool != "class" or flags[0]]


@pytest.mark.parametrize(("pool", "class_token", "patch_bias", "norm_pre"), OPTIONS)
def test_vit(pool, class_token, patch_bias, norm_pre):
    activation = "gelu" if pool == "mean" else "gelu_tanh"
    head = NoHead() if pool == "attention" else LinearHead(bias=norm_pre)
    spec = ViT(24, 2, 3, 4, 40, activation, pool, class_token, patch_bias, norm_pre, 1e-3, head)
    tower = plain.scramble(vit.ViT(spec, (13, 9), 24))  # 3 x 2 patches; a row and a column are left over
    pixels = torch.randn(3, 3, 13, 9, generator=torch.Generator().manual_seed(1))
    compare(tower, pixels, [plain_vit(picture, doubled(tower), spec) for picture in pixels.double().numpy()])


@pytest.mark.parametrize(("mask", "pool"), [("causal", "eot"), ("none", "eot"), ("none", "last")])
@pytest.mark.parametrize(("activation", "bias"), [("quickgelu", False), ("gelu", True)])
def test_text(mask, pool, activation, bias):
    spec = CausalText(40, 24, 2, 3, 40, activation, mask, 1e-3, LinearHead(bias=bias))
    tower = plain.scramble(text.CausalText(spec, 8, pool, 16))
    ids = torch.randint(2, END, (3, 8), generator=torch.Generator().manual_seed(1))
    for row, length in zip(ids, (2, 5, 8), strict=True):
        row[length - 1 :] = END if length == 5 else 0  # filled up with the end token itself, or with another
        row[length - 1] = END
    compare(tower, ids, [plain_text(row, doubled(tower), spec, pool) for row in ids.numpy()])


@pytest.mark.parametrize("depth", [1, 2])
@pytest.mark.parametrize(("pool", "class_token"), [("class", True), *itertools.product(("mean", "attention"), FLAG)])
def test_vit_with_prompts(pool, class_token, depth):
    spec = ViT(24, 2, 3, 4, 40, "gelu", pool, class_token, prompts=5, prompt_depth=depth, norm_eps=1e-3)
    tower = plain.scramble(vit.ViT(spec, (13, 9), 24))
    assert tower.prompts.shape == (depth, 5, 24)
    pixels = torch.randn(3, 3, 13, 9, generator=torch.Generator().manual_seed(1))
    compare(tower, pixels, [plain_vit(picture, doubled(tower), spec) for picture in pixels.double().numpy()])


def plain_vit(pixels: plain.Array, weights: plain.State, spec: ViT) -> plain.Array:
    cells = plain.convolve(pixels, weights["patch.weight"], spec.patch)
    if spec.patch_bias:
        cells = cells + weights["patch.bias"][:, None, None]
    rows = [cells[:, i, j] for i in range(cells.shape[1]) for j in range(cells.shape[2])]
    x = np.stack([weights["class_token"], *rows] if spec.class_token else rows) + weights["positions"]
    if spec.norm_pre:
        x = plain.layer_norm(x, weights, "norm_pre", spec.norm_eps)
    x = plain_blocks(x, weights, spec)
    if spec.pool == "class":
        pooled = plain.layer_norm(x[0], weights, "norm_post", spec.norm_eps)
    elif spec.pool == "mean":
        pooled = plain.layer_norm(sum(x[-len(rows) :]) / len(rows), weights, "norm_post", spec.norm_eps)
    else:
        x = plain.layer_norm(x, weights, "norm_post", spec.norm_eps)
        answer = plain.attention(weights["pool.query"][None], x, weights, "pool", spec.heads)[0]
        pooled = answer + plain_mlp(
            plain.layer_norm(answer, weights, "pool.norm", spec.norm_eps), weights, "pool", spec
        )
    return pooled if isinstance(spec.head, NoHead) else plain.linear(pooled, weights, "head.linear")


def plain_text(ids: plain.Array, weights: plain.State, spec: CausalText, pool: str) -> plain.Array:
    x = weights["tokens.weight"][ids] + weights["positions"]
    x = plain.layer_norm(plain_blocks(x, weights, spec), weights, "norm_post", spec.norm_eps)
    place = len(ids) - 1 if pool == "last" else list(ids).index(END)
    return plain.linear(x[place], weights, "head.linear")


def plain_blocks(x: plain.Array, weights: plain.State, spec: ViT | CausalText) -> plain.Array:
    """Prompts are put behind the tokens: the order means nothing to attention, as positions are added before."""
    causal = isinstance(spec, CausalText) and spec.mask == "causal"
    length = len(x)
    for n, name in enumerate(f"blocks.{n}" for n in range(spec.layers)):
        if "prompts" in weights and n < spec.prompt_depth:
            x = np.concatenate([x[:length], weights["prompts"][n]])
        y = plain.layer_norm(x, weights, f"{name}.norm1", spec.norm_eps)
        x = x + plain.attention(y, y, weights, f"{name}.attention", spec.heads, causal)
        x = x + plain_mlp(plain.layer_norm(x, weights, f"{name}.norm2", spec.norm_eps), weights, name, spec)
    return x[:length]


def plain_mlp(x: plain.Array, weights: plain.State, name: str, spec: ViT | CausalText) -> plain.Array:
    hidden = ACTIVATIONS[spec.activation](plain.linear(x, weights, f"{name}.mlp.up"))
    return plain.linear(hidden, weights, f"{name}.mlp.down")


def doubled(module: nn.Module) -> plain.State:
    return {name: value.astype(np.float64) for name, value in plain.state(module).items()}


def compare(tower: nn.Module, batch: torch.Tensor, rows: list[plain.Array]) -> None:
    with torch.no_grad():
        ours = tower(batch).double().numpy()
    expected = np.stack(rows)
    ours, expected = (some / np.linalg.norm(some, axis=1, keepdims=True) for some in (ours, expected))
    assert np.abs(ours - expected).max() < BOUND
    assert expected.std(axis=0).mean() > 1000 * BOUND  # the rows differ
