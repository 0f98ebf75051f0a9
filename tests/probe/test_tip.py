"""TipAdapter against its formula in plain NumPy; the training of its keys against PyTorch's gradients."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from support.drawn_classes import drawn_classes

from contralto.probe import TipAdapter
from contralto.probe.tip import gradient


def loss(keys, weights, beta, rows, labels, zero_shot):
    """Mean cross-entropy of the logits, by PyTorch in float64."""
    logits = torch.tensor(rows @ zero_shot.T) + torch.exp(-beta * (1 - torch.tensor(rows) @ keys.T)) @ weights
    return torch.nn.functional.cross_entropy(logits, torch.tensor(labels))


@pytest.mark.parametrize(
    "sizes", [[1, 1, 1], [5, 0, 4], [40, 2, 9]], ids=["one shot", "an empty class", "unequal classes"]
)
@pytest.mark.parametrize(("alpha", "beta"), [(1.0, 5.5), (3.0, 1.0), (0.0, 2.0)])
def test_the_formula(sizes, alpha, beta):
    rows, labels, zero_shot = drawn_classes(sizes)
    test = drawn_classes([4] * len(sizes), seed=1)[0]
    probe = TipAdapter(alpha, beta).fit(rows, labels, zero_shot)
    expected = test @ zero_shot.T
    for row, one in enumerate(test):
        for key, label in zip(rows, labels, strict=True):
            expected[row, label] += alpha * np.exp(-beta * (1 - one @ key))
    np.testing.assert_allclose(probe.decision_function(test), expected, atol=1e-9)
    np.testing.assert_array_equal(probe.keys_, rows)


def test_the_gradient_is_that_of_torch():
    rows, labels, zero_shot = drawn_classes([6, 3, 4])
    weights = 2.0 * np.eye(3)[labels]
    keys = torch.tensor(rows * 1.1, requires_grad=True)
    loss(keys, torch.tensor(weights), 3.0, rows[:7], labels[:7], zero_shot).backward()
    ours = gradient(rows * 1.1, weights, 3.0, rows[:7], labels[:7], rows[:7] @ zero_shot.T)
    np.testing.assert_allclose(ours, keys.grad.numpy(), atol=1e-12)


def test_one_batch_an_epoch_is_torchs_training_of_the_keys():
    rows, labels, zero_shot = drawn_classes([6, 3, 4])
    weights = torch.tensor(np.eye(3)[labels])
    keys = torch.tensor(rows, requires_grad=True)
    optimiser = torch.optim.AdamW([keys], lr=1e-3, eps=1e-4)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, 20)
    for _ in range(20):
        optimiser.zero_grad()
        loss(keys, weights, 5.5, rows, labels, zero_shot).backward()
        optimiser.step()
        schedule.step()
    probe = TipAdapter(tune=20).fit(rows, labels, zero_shot)
    np.testing.assert_allclose(probe.keys_, keys.detach().numpy(), atol=1e-5)
    assert np.abs(probe.keys_ - rows).max() > 1e-3


def test_in_batches_the_loss_falls_and_the_seed_decides(monkeypatch):
    rows, labels, zero_shot = drawn_classes([20, 12, 17], scale=3.0)
    monkeypatch.setattr("contralto.probe.tip.BATCH", 10)
    one, again, other = (TipAdapter(tune=5, seed=seed).fit(rows, labels, zero_shot) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one.keys_, again.keys_)
    assert (one.keys_ != other.keys_).any()
    losses = [
        -np.log(probe.predict_proba(rows)[np.arange(49), labels]).mean()
        for probe in (TipAdapter().fit(rows, labels, zero_shot), one)
    ]
    assert losses[1] < 0.99 * losses[0]
