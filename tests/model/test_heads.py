"""Heads, by hand."""

from __future__ import annotations

import torch

from contralto import architecture
from contralto.model.heads import head


def test_heads_by_hand():
    x = torch.tensor([[1.0, 2.0]])
    linear = head(architecture.LinearHead(), 2, 1)
    linear.load_state_dict({"linear.weight": torch.tensor([[3.0, 4.0]])})
    assert linear(x).item() == 11
    residual = head(architecture.ResidualHead(hidden=2, activation="relu"), 2, 1)
    residual.load_state_dict(
        {
            "linear.weight": torch.tensor([[3.0, 4.0]]),
            "linear.bias": torch.tensor([0.5]),
            "up.weight": torch.tensor([[1.0, 1.0], [-1.0, -1.0]]),
            "up.bias": torch.tensor([1.0, 0.0]),
            "down.weight": torch.tensor([[10.0, 100.0]]),
            "down.bias": torch.tensor([0.25]),
        }
    )
    assert residual(x).item() == 11.5 + 10 * 4 + 0.25
    mlp = head(architecture.MlpHead(hidden=2, activation="relu"), 2, 1)
    weights = {name: value for name, value in residual.state_dict().items() if name.startswith(("up", "down.weight"))}
    mlp.load_state_dict(weights)
    assert mlp(x).item() == 10 * 4
    assert head(architecture.NoHead(), 2, 2)(x) is x
