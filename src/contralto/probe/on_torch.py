"""The objective's pass over the rows in PyTorch, for a GPU: the rows stay there, and only theta and sums are copied.

Its plain twin is `Objective` (tests/probe/test_on_torch.py).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from contralto.errors import ContraltoError
from contralto.probe.inputs import Matrix
from contralto.probe.objective import LOGITS_PER_BLOCK, Float, Objective, Point

DTYPES = {np.float32: torch.float32, np.float64: torch.float64}
LOGITS_PER_GPU_BLOCK = 64 * LOGITS_PER_BLOCK  # 256 MB in float32


class TorchObjective(Objective):
    """`Objective` on another device, with the same arithmetic.

    device: PyTorch's name of it. Raises ContraltoError if it is not available. Products are not rounded to TF32, unless
    the program itself sets that in PyTorch.
    """

    def __init__(
        self, rows: Matrix, labels: NDArray[np.intp], classes: int, device: str, offset: Float | None = None
    ) -> None:
        super().__init__(rows, labels, classes, offset)
        try:
            self._device = torch.device(device)
            self._rows_on_device = torch.from_numpy(self._rows).to(self._device)
            self._labels_on_device = torch.from_numpy(labels.astype(np.int64)).to(self._device)
            self._offset_on_device = None if offset is None else torch.from_numpy(self._offset).to(self._device)
        except (RuntimeError, AssertionError) as error:  # PyTorch without CUDA asserts
            first = str(error).partition("\n")[0]
            raise ContraltoError(f"device {device!r} cannot be used for a probe: {first}") from error

    def at(self, theta: Float, ridge: float, dtype: type[np.float32] | type[np.float64] = np.float64) -> Point:
        """One pass over the rows, with products in `dtype`."""
        given = torch.from_numpy(theta).to(self._device, DTYPES[dtype])
        loss = torch.zeros((), dtype=torch.float64, device=self._device)
        gradient = torch.zeros(theta.shape, dtype=torch.float64, device=self._device)
        spread = torch.zeros(self.classes, dtype=torch.float64, device=self._device)
        step = max((LOGITS_PER_GPU_BLOCK if self._device.type != "cpu" else LOGITS_PER_BLOCK) // self.classes, 64)
        with torch.inference_mode():
            for start in range(0, self.count, step):
                rows = self._rows_on_device[start : start + step].to(DTYPES[dtype])
                shift = given[-1]
                if self._offset_on_device is not None:
                    shift = self._offset_on_device[start : start + step].to(DTYPES[dtype])
                logits = rows @ given[:-1] + shift
                losses, residuals = _softmax_residuals(logits, self._labels_on_device[start : start + step])
                loss += losses.sum()
                gradient[:-1] += rows.T @ residuals
                gradient[-1] += residuals.sum(dim=0, dtype=torch.float64)
                spread += residuals.abs().sum(dim=0, dtype=torch.float64) - residuals.square().sum(dim=0)
        total = gradient.cpu().numpy() / self.count
        if self._offset_on_device is not None:
            total[-1] = 0.0
        total[:-1] += ridge * theta[:-1]
        value = float(loss) / self.count + ridge / 2 * float(np.vdot(theta[:-1], theta[:-1]))
        return Point(theta, value, total, spread.cpu().numpy() / self.count)


def _softmax_residuals(logits: torch.Tensor, labels: torch.Tensor) -> tuple[Any, Any]:
    """(loss of each row, softmax minus the one-hot label), as in `objective.py`: nothing is subtracted from 1."""
    column = labels[:, None]
    logits = logits - logits.max(dim=1, keepdim=True).values
    right = logits.gather(1, column)[:, 0].double()
    parts = logits.exp().scatter(1, column, 0.0)
    wrong = parts.sum(dim=1, dtype=torch.float64)
    whole = wrong + right.exp()
    losses = torch.where(right == 0.0, torch.log1p(wrong), whole.log() - right)
    residuals = parts / whole[:, None].to(parts.dtype)
    return losses, residuals.scatter(1, column, (-wrong / whole)[:, None].to(parts.dtype))
