"""The reference: the PyTorch model of contralto.model, run as it stands on the CPU, in float32 or in 16 bits.

PyTorch's thread pool does not outlive a fork: a child that used it would wait for ever, so it gets an error instead.
"""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from contralto.engine.base import Float, checked_ids, checked_pixels
from contralto.errors import ContraltoError, MissingExtraError
from contralto.weights.checkpoint import Checkpoint

if TYPE_CHECKING:
    from torch import nn

DTYPES = {"fp32": "float32", "bf16": "bfloat16", "fp16": "float16"}


class Eager:
    """Runs the towers of a checkpoint in PyTorch. Raises MissingExtraError if it is not installed.

    precision: fp32, bf16 or fp16, in which weights are held and layers computed; norms are computed in float32 always.
    """

    name = "eager"

    def __init__(self, checkpoint: Checkpoint, precision: str = "fp32") -> None:
        try:
            import torch
        except ImportError as error:
            raise MissingExtraError("engine 'eager'", "torch") from error
        self.precision = precision
        self._dtype: torch.dtype = getattr(torch, DTYPES[precision])
        self._checkpoint = checkpoint
        self._towers: dict[str, nn.Module] = {}
        self._lock = threading.Lock()
        self._process: int | None = None  # the process that has computed with it

    def image(self, pixels: NDArray[Any]) -> Float:
        """pixels float32 (N, 3, h, w) -> embeddings float32 (N, E), not normalised."""
        return self._run("image", checked_pixels(self._checkpoint.contract, pixels))

    def text(self, ids: NDArray[Any]) -> Float:
        """ids int64 (N, L) -> embeddings float32 (N, E), not normalised."""
        return self._run("text", checked_ids(self._checkpoint.contract, ids))

    def expect(self, side: Literal["image", "text"], count: int) -> None:
        """Nothing to prepare."""

    def _run(self, side: Literal["image", "text"], batch: NDArray[Any]) -> Float:
        import torch

        if len(batch) == 0:
            return np.zeros((0, self._checkpoint.contract.embedding), np.float32)
        if self._process not in (None, os.getpid()):
            raise ContraltoError("engine 'eager' was used before a fork: load the model anew here, or use 'openvino'")
        self._process = os.getpid()
        with self._lock:
            if side not in self._towers:
                self._towers[side] = self._load(side)
        given = torch.tensor(batch)
        if side == "image":
            given = given.to(self._dtype)
        with torch.inference_mode():
            rows: Float = self._towers[side](given).float().numpy()
        return rows

    def _load(self, side: Literal["image", "text"]) -> nn.Module:
        """One tower with its weights; the other is left without memory."""
        import torch

        from contralto.model.clip import CLIP

        with torch.device("meta"):
            tower: nn.Module = getattr(CLIP(self._checkpoint.contract), side)
        prefix = f"{side}."
        names = [name for name in self._checkpoint if name.startswith(prefix)]
        state = {name.removeprefix(prefix): torch.tensor(self._checkpoint[name]).to(self._dtype) for name in names}
        tower.load_state_dict(state, strict=True, assign=True)
        return tower.eval()
