"""EVA-02 and ConvNeXt against NumPy float64, in another form: complex numbers that turn, loops over cells.

Both have been compared with timm once, outside the tests, at their published sizes.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from support import plain_towers as plain

from contralto.architecture import ConvNeXt, Eva, LinearHead, MlpHead
from contralto.model import convnext, eva

Array = np.ndarray


def norm(x: Array, weights: dict[str, Array], name: str, eps: float) -> Array:
    centred = x - x.mean(axis=-1, keepdims=True)
    scaled = centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + eps)
    return scaled * weights[f"{name}.weight"] + weights[f"{name}.bias"]


def linear(x: Array, weights: dict[str, Array], name: str) -> Array:
    return x @ weights[f"{name}.weight"].T + weights.get(f"{name}.bias", 0.0)


def gelu(x: Array) -> Array:
    return x * 0.5 * (1 + np.vectorize(math.erf)(x / math.sqrt(2)))


def eva_features(spec: Eva, weights: dict[str, Array], picture: Array) -> Array:
    """One picture (3, h, w) -> (W,)."""
    patch, width = spec.patch, spec.width // spec.heads
    rows, columns = picture.shape[1] // patch, picture.shape[2] // patch
    tokens, turns = [weights["class_token"]], [np.ones(width // 2, complex)]
    for r in range(rows):
        for c in range(columns):
            cell = picture[:, r * patch : (r + 1) * patch, c * patch : (c + 1) * patch]
            tokens.append((weights["patch.weight"] * cell).sum(axis=(1, 2, 3)) + weights["patch.bias"])
            speeds = 10_000.0 ** (-np.arange(width // 4) / (width // 4))
            angles = np.concatenate([r * spec.grid / rows * speeds, c * spec.grid / columns * speeds])
            turns.append(np.exp(1j * angles))
    x, turn = np.array(tokens) + weights["positions"], np.array(turns)
    for n in range(spec.layers):
        name = f"blocks.{n}"
        y = norm(x, weights, f"{name}.norm1", spec.norm_eps)
        q, k, v = (linear(y, weights, f"{name}.attention.{part}") for part in "qkv")
        heads = []
        for h in range(spec.heads):
            part = slice(h * width, (h + 1) * width)
            # Each pair of numbers is one complex number, turned by its place; the product of two is a real part.
            left, right = ((t[:, part][:, ::2] + 1j * t[:, part][:, 1::2]) * turn for t in (q, k))
            scores = (left @ right.conj().T).real / math.sqrt(width)
            shares = np.exp(scores - scores.max(axis=1, keepdims=True))
            heads.append(shares / shares.sum(axis=1, keepdims=True) @ v[:, part])
        y = norm(np.concatenate(heads, axis=1), weights, f"{name}.attention.norm", spec.norm_eps)
        x = x + linear(y, weights, f"{name}.attention.out")
        y = norm(x, weights, f"{name}.norm2", spec.norm_eps)
        gate = linear(y, weights, f"{name}.mlp.gate")
        y = gate / (1 + np.exp(-gate)) * linear(y, weights, f"{name}.mlp.up")
        x = x + linear(norm(y, weights, f"{name}.mlp.norm", spec.norm_eps), weights, f"{name}.mlp.down")
    return norm(x[0], weights, "norm_post", spec.norm_eps)


def patches(x: Array, weights: dict[str, Array], name: str, side: int) -> Array:
    """A convolution whose stride is its side: (h, w, C) -> (h / side, w / side, outputs)."""
    rows, columns = x.shape[0] // side, x.shape[1] // side
    kernel = weights[f"{name}.weight"].transpose(0, 2, 3, 1).reshape(len(weights[f"{name}.weight"]), -1)
    windows = np.empty((rows, columns, len(kernel)))
    for r in range(rows):
        for c in range(columns):
            windows[r, c] = kernel @ x[r * side : (r + 1) * side, c * side : (c + 1) * side].reshape(-1)
    return windows + weights[f"{name}.bias"]


def convnext_features(spec: ConvNeXt, weights: dict[str, Array], picture: Array) -> Array:
    """One picture (3, h, w) -> (W,); channels last all the way."""
    eps = spec.norm_eps
    x = norm(patches(picture.transpose(1, 2, 0), weights, "stem.conv", 4), weights, "stem.norm", eps)
    for stage, layers in enumerate(spec.layers):
        name = f"stages.{stage}"
        if stage:
            x = patches(norm(x, weights, f"{name}.halve.norm", eps), weights, f"{name}.halve.conv", 2)
        for layer in range(layers):
            block = f"{name}.blocks.{layer}"
            padded, y = np.pad(x, ((3, 3), (3, 3), (0, 0))), np.zeros_like(x)
            for r in range(7):
                for c in range(7):
                    kernel = weights[f"{block}.depthwise.weight"][:, 0, r, c]
                    y += padded[r : r + x.shape[0], c : c + x.shape[1]] * kernel
            y = norm(y + weights[f"{block}.depthwise.bias"], weights, f"{block}.norm", eps)
            y = linear(gelu(linear(y, weights, f"{block}.mlp.up")), weights, f"{block}.mlp.down")
            x = x + weights[f"{block}.scale"] * y
    return norm(x.mean(axis=(0, 1)), weights, "norm_post", eps)


def unit(rows: Array) -> Array:
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


@pytest.mark.parametrize(("size", "grid"), [((24, 40), 3), ((32, 32), 16)])
def test_eva_equals_numpy(size: tuple[int, int], grid: int) -> None:
    spec = Eva(width=24, layers=2, heads=3, patch=8, mlp=20, grid=grid)
    tower = plain.scramble(eva.Eva(spec, size, embedding=6))
    pixels = np.random.default_rng(0).normal(size=(2, 3, *size)).astype(np.float32)
    weights = {name: value.astype(np.float64) for name, value in plain.state(tower).items()}
    wanted = np.stack([linear(eva_features(spec, weights, x), weights, "head.linear") for x in pixels])
    with torch.no_grad():
        embeddings = tower(torch.from_numpy(pixels)).numpy()
    assert np.abs(unit(wanted)[0] - unit(wanted)[1]).max() > 1e-2
    np.testing.assert_allclose(unit(embeddings), unit(wanted), rtol=0, atol=1e-5)


def test_a_grid_of_another_size_is_scaled_to_the_one_learned_on() -> None:
    """The angle of a place depends on where in the picture it is, not on how many cells there are."""
    small, large = eva.rotary_angles((4, 4), 4, 16), eva.rotary_angles((8, 8), 4, 16)
    assert torch.allclose(large[1:].reshape(8, 8, 16)[::2, ::2], small[1:].reshape(4, 4, 16))
    assert (small[0] == 0).all()


@pytest.mark.parametrize("head", [LinearHead(), MlpHead(10)], ids=["linear", "mlp"])
@pytest.mark.parametrize("size", [(32, 64), (37, 45)], ids=["even", "odd"])
def test_convnext_equals_numpy(size: tuple[int, int], head: LinearHead | MlpHead) -> None:
    spec = ConvNeXt((1, 2, 1, 1), (8, 12, 16, 20), head=head)
    tower = plain.scramble(convnext.ConvNeXt(spec, embedding=6))
    pixels = np.random.default_rng(0).normal(size=(2, 3, *size)).astype(np.float32)
    weights = {name: value.astype(np.float64) for name, value in plain.state(tower).items()}
    features = np.stack([convnext_features(spec, weights, x) for x in pixels])
    if isinstance(head, MlpHead):
        wanted = linear(gelu(linear(features, weights, "head.up")), weights, "head.down")
    else:
        wanted = linear(features, weights, "head.linear")
    with torch.no_grad():
        embeddings = tower(torch.from_numpy(pixels)).numpy()
    assert np.abs(unit(wanted)[0] - unit(wanted)[1]).max() > 1e-2
    np.testing.assert_allclose(unit(embeddings), unit(wanted), rtol=0, atol=1e-5)
