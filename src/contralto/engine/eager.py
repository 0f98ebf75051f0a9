"""The reference: the PyTorch model of contralto.model, run as it stands, in float32 or in 16 bits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from contralto.engine.base import Float, TowerName
from contralto.engine.torch_towers import Run, TorchEngine

if TYPE_CHECKING:
    from torch import nn


class Eager(TorchEngine):
    """Runs the towers of a checkpoint layer by layer, a batch at once however large it is."""

    name = "eager"

    def _prepared(self, side: TowerName, tower: nn.Module) -> Run:
        import torch

        def run(batch: NDArray[Any]) -> Float:
            given = torch.tensor(batch).to(self.device)
            rows: Float = tower(given.to(self._dtype) if side == "image" else given).float().cpu().numpy()
            return rows

        return run
