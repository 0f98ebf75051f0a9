"""Starts a tower from given weights, as in locked-image tuning (LiT: Zhai et al. 2022). The phase's `rates` then lock
its parameters."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import torch
from torch import nn

from contralto.errors import WeightsError
from contralto.weights import native


def load_tower(model: nn.Module, folder: str | Path, tower: Literal["image", "text"]) -> None:
    """Copies the tower's weights from a native checkpoint, whose contract must prepare inputs in the same way.

    Strict: the checkpoint's tower must have the tensors of `model.<tower>`, no others, in the same shapes. Raises
    WeightsError.
    """
    checkpoint = native.read(folder)
    wanted = {name: tensor for name, tensor in model.state_dict().items() if name.startswith(tower + ".")}
    given = [name for name in checkpoint if name.startswith(tower + ".")]
    faults = [f"missing {name}" for name in wanted if name not in given]
    faults += [f"unknown {name}" for name in given if name not in wanted]
    shapes = {name: checkpoint.array(name).shape for name in given if name in wanted}
    faults += [f"{n} has shape {s}, not {tuple(wanted[n].shape)}" for n, s in shapes.items() if s != wanted[n].shape]
    if faults:
        more = f" and {len(faults) - 8} more" if len(faults) > 8 else ""
        raise WeightsError(f"the {tower} tower of {folder} does not fit: {'; '.join(faults[:8])}{more}")
    with torch.no_grad():
        for name, tensor in wanted.items():  # state_dict's tensors share the model's memory
            tensor.copy_(torch.tensor(checkpoint.array(name)))
