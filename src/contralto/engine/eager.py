"""The eager engine: runs the PyTorch model of contralto.model without compilation, in float32 or in 16 bits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from contralto.engine.base import Float, TowerName
from contralto.engine.torch_towers import Run, TorchEngine

if TYPE_CHECKING:
    from torch import nn


class Eager(TorchEngine):
    """Runs the towers of a checkpoint layer by layer. A batch is never divided, however large it is."""

    name = "eager"

    def _prepared(self, tower_name: TowerName, tower: nn.Module) -> Run:
        import torch

        def run(batch: NDArray[Any]) -> Float:
            tensor = torch.tensor(batch).to(self.device)
            output = tower(tensor.to(self._dtype) if tower_name == "image" else tensor)
            embeddings: Float = output.float().cpu().numpy()
            return embeddings

        return run
