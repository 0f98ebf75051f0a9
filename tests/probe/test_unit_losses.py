"""The losses of unit rows and their gradients against PyTorch's."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from contralto.loss.infonce import infonce, pairs_with_shared_id
from contralto.probe.unit_losses import class_loss, pair_loss, unit_rows

GENERATOR = np.random.default_rng(0)
VECTORS, OTHERS = GENERATOR.standard_normal((2, 7, 5))
ZERO_SHOT = 3 * GENERATOR.standard_normal((4, 5))


def test_class_loss_and_its_gradient_through_the_unit_length():
    labels = np.array([0, 1, 3, 3, 0, 1, 1])
    vectors = torch.tensor(VECTORS, requires_grad=True)
    logits = F.normalize(vectors, dim=1) @ torch.tensor(ZERO_SHOT).T
    expected = F.cross_entropy(logits, torch.tensor(labels))
    expected.backward()
    units = unit_rows(VECTORS)
    loss = class_loss(units.rows, labels, ZERO_SHOT)
    assert loss.value == pytest.approx(expected.item(), rel=1e-12)
    np.testing.assert_allclose(units.through(loss.gradient), vectors.grad.numpy(), atol=1e-12)
    shares = logits.softmax(dim=1)
    assert loss.spread == pytest.approx((shares * (1 - shares)).sum(dim=1).mean().item(), rel=1e-12)


@pytest.mark.parametrize("owners", [[0, 1, 2, 3, 4, 5, 6], [4, 4, 1, 0, 1, 4, 2], [0] * 7])
def test_pair_loss_and_its_gradients_are_those_of_training(owners):
    owners = np.array(owners)
    vectors = [torch.tensor(VECTORS, requires_grad=True), torch.tensor(OTHERS, requires_grad=True)]
    same = pairs_with_shared_id(torch.tensor(owners))
    infonce(*vectors, torch.tensor(np.log(20.0)), same).backward()
    units = [unit_rows(VECTORS), unit_rows(OTHERS)]
    losses = pair_loss(units[0].rows, units[1].rows, owners, 20.0)
    expected = infonce(*vectors, torch.tensor(np.log(20.0)), same).item()
    for unit, loss, vector in zip(units, losses, vectors, strict=True):
        assert loss.value == pytest.approx(expected, rel=1e-5, abs=1e-12)
        np.testing.assert_allclose(unit.through(loss.gradient), vector.grad.numpy(), atol=1e-5)  # theirs is in fp32


def test_pair_loss_by_hand():
    """Cosines 1 and 0, scale ln 3: each softmax is (3/4, 1/4), so the loss is ln(4/3)."""
    images, texts = pair_loss(np.eye(2), np.eye(2), np.array([0, 1]), np.log(3))
    assert images.value == texts.value == pytest.approx(np.log(4 / 3))
    assert images.spread == pytest.approx(2 * 3 / 16)


def test_zeros_stay_zeros_and_floats_keep_their_precision():
    units = unit_rows(np.array([[0, 0], [3, 4]], np.float32))
    np.testing.assert_array_equal(units.rows, np.array([[0, 0], [0.6, 0.8]], np.float32))
    loss = class_loss(units.rows, np.array([0, 1]), np.eye(2, dtype=np.float32))
    assert units.rows.dtype == loss.gradient.dtype == units.through(loss.gradient).dtype == np.float32
