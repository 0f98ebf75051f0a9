"""The adapter: its formula in plain NumPy, and its training step for step against PyTorch's."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from support.drawn_classes import drawn_classes, unit

from contralto.errors import ContraltoError
from contralto.loss.infonce import infonce, pairs_with_shared_id
from contralto.probe.adapter import Adapter, _Adapted, apply_adapter, fit_adapter, fit_adapter_pairs
from contralto.probe.unit_losses import class_loss

ROWS, LABELS, ZERO_SHOT = drawn_classes([6, 3, 5])
A, B = np.random.default_rng(1).uniform(-0.5, 0.5, (2, 16, 16))[:, :, :4].astype(np.float32)
B = np.ascontiguousarray(B.T)


def adapted(rows, A, B, ratio):
    return F.normalize((1 - ratio) * rows + ratio * torch.relu(torch.relu(rows @ A) @ B), dim=1)


def test_the_formula(monkeypatch):
    rows = ROWS.astype(np.float32)
    expected = unit(0.7 * ROWS + 0.3 * np.maximum(np.maximum(ROWS @ A, 0) @ B, 0))
    ours = apply_adapter(rows, A, B, 0.3)
    np.testing.assert_allclose(ours, expected, atol=1e-6)
    assert ours.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(ours, axis=1), 1, atol=1e-6)
    np.testing.assert_array_equal(rows, ROWS.astype(np.float32))
    monkeypatch.setattr("contralto.probe.adapter.ROWS_PER_BLOCK", 4)
    np.testing.assert_allclose(apply_adapter(ROWS, A, B, 0.3), expected, atol=1e-6)


def test_a_ratio_of_zero_gives_the_rows_bit_for_bit():
    rows = ROWS.astype(np.float32) * np.float32(1.0001)
    np.testing.assert_array_equal(apply_adapter(rows, A, B, 0), rows)


def test_the_gradients_are_those_of_torch():
    weights = [torch.tensor(one.astype(np.float64), requires_grad=True) for one in (A, B)]
    logits = adapted(torch.tensor(ROWS), *weights, 0.4) @ torch.tensor(ZERO_SHOT).T
    F.cross_entropy(logits, torch.tensor(LABELS)).backward()
    after = _Adapted(ROWS, Adapter(A.astype(np.float64), B.astype(np.float64)), 0.4)
    ours = after.gradients(class_loss(after.units.rows, LABELS, ZERO_SHOT).gradient)
    for gradient, weight in zip(ours, weights, strict=True):
        np.testing.assert_allclose(gradient, weight.grad.numpy(), atol=1e-12)


def trained(weights, loss, epochs, rate):
    """The weights after `epochs` steps of PyTorch's AdamW with a cosine schedule."""
    weights = [torch.tensor(one.astype(np.float64), requires_grad=True) for one in weights]
    optimiser = torch.optim.AdamW(weights, lr=rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, epochs)
    for _ in range(epochs):
        optimiser.zero_grad()
        loss(*weights).backward()
        optimiser.step()
        schedule.step()
    return [weight.detach().numpy() for weight in weights]


def first(seed, width, hidden, generator=None):
    generator = generator or np.random.default_rng(seed)
    return [generator.uniform(-1, 1, shape) / np.sqrt(shape[0]) for shape in ((width, hidden), (hidden, width))]


def test_training_is_that_of_torch():
    def loss(*weights):
        logits = adapted(torch.tensor(ROWS), *weights, 0.2) @ torch.tensor(ZERO_SHOT).T
        return F.cross_entropy(logits, torch.tensor(LABELS))

    ours = fit_adapter(ROWS, LABELS, ZERO_SHOT, epochs=5, rate=1e-2, seed=3)
    assert ours.A.shape == (16, 4)
    for weight, expected in zip(ours, trained(first(3, 16, 4), loss, 5, 1e-2), strict=True):
        np.testing.assert_allclose(weight, expected, atol=2e-4)
        assert weight.dtype == np.float32


def test_training_over_pairs_is_that_of_torch():
    generator = np.random.default_rng(0)
    texts, owners = unit(generator.standard_normal((20, 16))), generator.integers(0, 14, 20)
    same = pairs_with_shared_id(torch.tensor(owners))

    def loss(*weights):
        images = adapted(torch.tensor(ROWS[owners]), *weights[:2], 0.2)
        return infonce(images, adapted(torch.tensor(texts), *weights[2:], 0.2), torch.tensor(np.log(9.0)), same)

    ours = fit_adapter_pairs(ROWS, texts, owners, 9.0, hidden=5, epochs=4, rate=1e-2)
    start = np.random.default_rng(0)
    weights = first(0, 16, 5, start) + first(0, 16, 5, start)
    for weight, expected in zip((*ours[0], *ours[1]), trained(weights, loss, 4, 1e-2), strict=True):
        np.testing.assert_allclose(weight, expected, atol=3e-4)


def test_in_batches_the_loss_falls_and_the_seed_decides(monkeypatch):
    monkeypatch.setattr("contralto.probe.adapter.BATCH", 5)
    rows, labels, zero_shot = drawn_classes([20, 12, 17], scale=5.0)
    calls = []
    one, again, other = (
        fit_adapter(rows, labels, zero_shot, epochs=30, rate=1e-2, seed=seed, progress=lambda *done: calls.append(done))
        for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(one.A, again.A)
    np.testing.assert_array_equal(one.B, again.B)
    assert (one.A != other.A).any()
    assert calls[:30] == [(done, 30) for done in range(1, 31)]
    losses = [
        class_loss(apply_adapter(rows, *one, ratio).astype(np.float64), labels, zero_shot).value for ratio in (0, 0.2)
    ]
    assert losses[1] < 0.95 * losses[0]


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: fit_adapter(ROWS, LABELS, ZERO_SHOT, ratio=2), "ratio must be a number from 0 to 1"),
        (lambda: fit_adapter(ROWS, LABELS, ZERO_SHOT, hidden=0), "hidden must be a whole number"),
        (lambda: fit_adapter(ROWS, LABELS + 3, ZERO_SHOT), "is not one of the 3 classes"),
        (lambda: fit_adapter_pairs(ROWS, ROWS[:, :4], [0] * 14, 9.0), "text rows have 4 columns"),
        (lambda: fit_adapter_pairs(ROWS, ROWS, [-1] * 14, 9.0), "there are 14 pictures"),
        (lambda: apply_adapter(ROWS[:, :8], A, B, 0.2), "rows have 8 columns"),
        (lambda: apply_adapter(ROWS, A, B.T, 0.2), r"the adapter's matrices are \(16, 4\) and \(16, 4\)"),
        (lambda: apply_adapter(ROWS, A, B, -0.1), "ratio must be a number from 0 to 1"),
    ],
)
def test_errors_are_one_line(call, says):
    with pytest.raises(ContraltoError, match=says) as caught:
        call()
    assert "\n" not in str(caught.value)
