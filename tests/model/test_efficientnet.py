"""EfficientNet against NumPy float64 (Lite and with squeeze-and-excite) and against transformers' class."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from support import plain_towers as plain
from torch import nn

from contralto import architecture
from contralto.architecture import Stage
from contralto.contract import preset
from contralto.model.efficientnet import EfficientNet, even_padding, same_padding

STAGES = (Stage(1, 3, 1, 8, 1), Stage(3, 5, 2, 12, 2), Stage(2, 3, 2, 12, 1), Stage(2, 5, 1, 12, 1))
LITE = architecture.EfficientNet(stem=8, stages=STAGES, top=20, activation="relu6")
FULL = architecture.EfficientNet(stem=8, stages=STAGES, top=20, activation="silu", squeeze=4, norm_eps=1e-2)
EVEN = architecture.EfficientNet(stem=8, stages=STAGES, top=0, activation="silu", squeeze=2, padding="even")
ACTIVATIONS = {"relu6": lambda x: np.clip(x, 0, 6), "silu": lambda x: x * plain.sigmoid(x)}


@pytest.mark.parametrize("spec", [LITE, FULL, EVEN], ids=["lite", "squeeze", "even padding, no top"])
@pytest.mark.parametrize("size", [(32, 32), (33, 46), (39, 35)], ids=["even", "odd", "odd twice"])
def test_equals_numpy(spec, size):
    tower = plain.scramble(EfficientNet(spec, embedding=6)).double()
    pixels = np.random.default_rng(2).normal(size=(2, 3, *size))
    features = np.stack([efficientnet(x, spec, plain.state(tower)) for x in pixels])
    expected = plain.linear(features, plain.state(tower), "head.linear")
    with torch.no_grad():
        assert np.abs(features).mean() > 0.1
        np.testing.assert_allclose(tower.features(torch.from_numpy(pixels)).numpy(), features, rtol=0, atol=1e-10)
        np.testing.assert_allclose(tower(torch.from_numpy(pixels)).numpy(), expected, rtol=0, atol=1e-10)


def efficientnet(x, spec, weights):
    """pixels (3, h, w) -> features."""
    act = ACTIVATIONS[spec.activation]

    def conv_norm(x, name, stride=1, groups=1):
        kernel = weights[f"{name}.conv.weight"]
        pad = same_by_hand if spec.padding == "same" else even_by_hand
        x = pad(x, kernel.shape[-1], stride)
        return plain.batch_norm(
            plain.convolve(x, kernel, stride, (0, 0), groups), weights, f"{name}.norm", spec.norm_eps
        )

    x = act(conv_norm(x, "stem", stride=2))
    index = 0
    for stage in spec.stages:
        for repeat in range(stage.repeats):
            name, shortcut = f"blocks.{index}", x
            if stage.expand > 1:
                x = act(conv_norm(x, f"{name}.expand"))
            x = act(conv_norm(x, f"{name}.depthwise", stage.stride if repeat == 0 else 1, groups=len(x)))
            if spec.squeeze:
                down, up = (weights[f"{name}.squeeze.{part}.weight"][:, :, 0, 0] for part in ("down", "up"))
                assert len(down) == len(shortcut) // spec.squeeze
                squeezed = act(down @ x.mean(axis=(1, 2)) + weights[f"{name}.squeeze.down.bias"])
                x = x * plain.sigmoid(up @ squeezed + weights[f"{name}.squeeze.up.bias"])[:, None, None]
            x = conv_norm(x, f"{name}.project")
            if x.shape == shortcut.shape:
                x = x + shortcut
            index += 1
    return (act(conv_norm(x, "top")) if spec.top else x).mean(axis=(1, 2))


def same_by_hand(x, kernel, stride):
    """Adds zeros one by one, the first of each pair after the picture, until enough windows fit."""
    for axis in (1, 2):
        side = x.shape[axis]
        windows = len(range(0, side, stride))
        turn = 0
        while (x.shape[axis] - kernel) // stride + 1 < windows or x.shape[axis] < kernel:
            around = [(0, 0)] * 3
            around[axis] = (0, 1) if turn % 2 == 0 else (1, 0)
            x = np.pad(x, around)
            turn += 1
    return x


def even_by_hand(x, kernel, stride):
    """transformers' rule: half a kernel around, and at a stride of 2 one less before, whatever the side."""
    after = kernel // 2
    before = after - 1 if stride == 2 else after
    return np.pad(x, ((0, 0), (before, after), (before, after)))


@pytest.mark.parametrize(
    ("side", "kernel", "stride", "before", "after"),
    [(224, 3, 2, 0, 1), (112, 5, 2, 1, 2), (7, 3, 2, 1, 1), (14, 3, 1, 1, 1), (7, 5, 1, 2, 2), (8, 1, 1, 0, 0)],
)
def test_same_padding(side, kernel, stride, before, after):
    """Hand-computed from TensorFlow's rule."""
    padded = same_padding(torch.ones(1, 1, side, side), kernel, stride)
    assert padded.shape[-1] == before + side + after
    assert padded[0, 0].nonzero().min() == before


@pytest.mark.parametrize(
    ("side", "kernel", "stride", "result"),
    [(289, 3, 2, 144), (144, 3, 2, 72), (9, 5, 2, 4), (8, 5, 2, 4), (9, 5, 1, 9), (8, 3, 1, 8), (7, 1, 1, 7)],
)
def test_even_padding(side, kernel, stride, result):
    padded = even_padding(torch.ones(1, 1, side, side), kernel, stride)
    assert (padded.shape[-1] - kernel) // stride + 1 == result
    assert padded[0, 0].nonzero().min() == max(kernel - stride, 0) // 2


def test_block_adds_its_input_only_where_the_shape_stays():
    tower = EfficientNet(LITE, 6)
    assert [block.adds_input for block in tower.blocks] == [True, False, True, False, True]
    nano = EfficientNet(preset("nano").image.tower, 512)
    # stages of 1, 2, 2, 3, 3, 4, 1 blocks: each but the first of its stage
    assert [block.adds_input for block in nano.blocks] == [False] + [
        repeat > 0 for repeats in (2, 2, 3, 3, 4, 1) for repeat in range(repeats)
    ]


def test_squeeze_equals_transformers():
    """EfficientNet-B0 with random weights. At even sides transformers' fixed padding is TensorFlow's."""
    import transformers

    config = transformers.EfficientNetConfig(width_coefficient=1.0, depth_coefficient=1.0, hidden_dim=1280)
    theirs = transformers.EfficientNetModel(config).eval()
    lite = preset("nano").image.tower.stages
    spec = architecture.EfficientNet(stem=32, stages=lite, top=1280, activation="silu", squeeze=4)
    ours = plain.scramble(EfficientNet(spec, embedding=4))
    _take_weights(theirs, ours)
    pixels = torch.randn(2, 3, 128, 128, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        expected = theirs(pixels).pooler_output
        assert expected.abs().mean() > 0.1
        torch.testing.assert_close(ours.features(pixels), expected, rtol=1e-4, atol=1e-5)


def _take_weights(theirs: nn.Module, ours: nn.Module) -> None:
    """Ours into theirs: both list their layers in the order of computing, so the order alone maps the names."""
    tensors = iter(ours.state_dict().values())
    with torch.no_grad():
        for name, value in theirs.state_dict().items():
            if not name.endswith("num_batches_tracked"):
                value.copy_(next(tensors))
    assert [value.shape for value in tensors] == [(4, 1280), (4,)]  # the head is left
