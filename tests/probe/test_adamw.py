"""AdamW in NumPy against PyTorch's, with its cosine schedule."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from contralto.probe.adamw import AdamW


@pytest.mark.parametrize(("decay", "epsilon"), [(0.0, 1e-8), (0.01, 1e-4), (0.5, 1e-8)])
def test_the_steps_are_those_of_torch(decay, epsilon):
    generator = np.random.default_rng(0)
    ours = [generator.standard_normal((3, 4)), generator.standard_normal(5)]
    theirs = [torch.tensor(one, requires_grad=True) for one in ours]
    optimiser = AdamW(ours, 0.1, 12, decay, epsilon)
    peer = torch.optim.AdamW(theirs, lr=0.1, weight_decay=decay, eps=epsilon)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(peer, 12)
    for _ in range(12):
        gradients = [generator.standard_normal(one.shape) for one in ours]
        optimiser.step(*gradients)
        for one, gradient in zip(theirs, gradients, strict=True):
            one.grad = torch.tensor(gradient)
        peer.step()
        schedule.step()
        for one, other in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(one, other.detach().numpy(), rtol=1e-12)


def test_the_floats_stay_what_they_are_and_the_end_of_the_schedule_is_zero():
    array = np.ones(3, np.float32)
    optimiser = AdamW([array], 0.1, 1)
    optimiser.step(np.ones(3, np.float32))
    assert array.dtype == np.float32
    np.testing.assert_allclose(array, 0.9, rtol=1e-6)
    optimiser.step(np.ones(3, np.float32))
    np.testing.assert_allclose(array, 0.9, rtol=1e-6)
