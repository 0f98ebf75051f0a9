"""What the engines on PyTorch share: devices, a tower read from its checkpoint, and the error after a fork.

PyTorch's thread pool does not outlive a fork, and neither does its hold on a GPU: a child that used them would wait
for ever, so it gets an error instead.
"""

from __future__ import annotations

import os
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from contralto.engine.base import Float, TowerName, checked_ids, checked_pixels
from contralto.engine.forest import alike, lengths
from contralto.errors import ContraltoError, MissingExtraError
from contralto.weights.checkpoint import Checkpoint

if TYPE_CHECKING:
    import torch
    from torch import nn

Run = Callable[[NDArray[Any]], Float]  # pixels or ids, at least one row -> embeddings

IMAGES_AT_ONCE, IMAGES_ON_GPU = 16, 256
TEXTS_AT_ONCE, TEXTS_ON_GPU = 32, 1024

DTYPES = {"fp32": "float32", "bf16": "bfloat16", "fp16": "float16"}
_FLAGS = threading.Lock()


class TorchEngine(ABC):
    """The towers of a checkpoint in PyTorch. Raises MissingExtraError if it is not installed.

    precision: fp32, bf16 or fp16, in which weights are held and layers computed; layer norms are computed in float32
        always. fp32 is exact on a GPU too: products are not rounded to TF32 unless the program asks for that itself
        (torch.backends.cuda.matmul).
    device: "auto" (the first GPU, else the CPU), "cpu", "cuda" (the first) or "cuda:N"; `.device` is what it became.
        Raises ContraltoError for one that PyTorch does not find.
    """

    name: ClassVar[str]

    def __init__(self, checkpoint: Checkpoint, precision: str = "fp32", device: str = "cpu") -> None:
        try:
            import torch
        except ImportError as error:
            raise MissingExtraError(f"engine {self.name!r}", "torch") from error
        self.precision, self.device = precision, _found(device)
        self._dtype: torch.dtype = getattr(torch, DTYPES[precision])
        self._checkpoint = checkpoint
        self._towers: dict[TowerName, Run] = {}
        self._lock = threading.Lock()
        self._process: int | None = None  # the process that has computed with it

    @abstractmethod
    def _prepared(self, side: TowerName, tower: nn.Module) -> Run:
        """How this engine runs a tower, which is on the device, in eval mode. Called once for each; the function is
        called under inference mode, by several threads at a time."""

    def image(self, pixels: NDArray[Any]) -> Float:
        """pixels float32 (N, 3, h, w) -> embeddings float32 (N, E), not normalised."""
        return self._run("image", checked_pixels(self._checkpoint.contract, pixels))

    def text(self, ids: NDArray[Any]) -> Float:
        """ids int64 (N, L) -> embeddings float32 (N, E), not normalised. Texts of like length go together."""
        ids = checked_ids(self._checkpoint.contract, ids)
        rows = np.empty((len(ids), self._checkpoint.contract.embedding), np.float32)
        needed = lengths(ids, self._checkpoint.contract.text)
        for places in alike(needed, TEXTS_AT_ONCE if self.device == "cpu" else TEXTS_ON_GPU):
            rows[places] = self._run("text", np.ascontiguousarray(ids[places, : needed[places].max()]))
        return rows

    @property
    def images_at_once(self) -> int:
        """Pictures of a batch."""
        return IMAGES_AT_ONCE if self.device == "cpu" else IMAGES_ON_GPU

    def expect(self, side: TowerName, count: int) -> TorchEngine:
        """Itself, as it has one precision."""
        return self

    def _run(self, side: TowerName, batch: NDArray[Any]) -> Float:
        import torch

        if len(batch) == 0:
            return np.zeros((0, self._checkpoint.contract.embedding), np.float32)
        if self._process not in (None, os.getpid()):
            remedy = "load the model anew here" if self.device == "cpu" else "start this process by spawn"
            raise ContraltoError(f"engine {self.name!r} was used before a fork: {remedy}, or use 'openvino'")
        self._process = os.getpid()
        with self._lock:
            if side not in self._towers:
                self._towers[side] = self._prepared(side, self._load(side))
        exact = self.precision == "fp32" and self.device != "cpu"
        arithmetic: AbstractContextManager[None] = full_precision() if exact else nullcontext()
        with torch.inference_mode(), arithmetic:
            return self._towers[side](batch)

    def _load(self, side: TowerName) -> nn.Module:
        """One tower with its weights; the other is left without memory."""
        import torch

        from contralto.model.clip import CLIP

        with torch.device("meta"):
            tower: nn.Module = getattr(CLIP(self._checkpoint.contract), side)
        prefix = f"{side}."
        names = [name for name in self._checkpoint if name.startswith(prefix)]
        state = {name.removeprefix(prefix): self._tensor(name) for name in names}
        tower.load_state_dict(state, strict=True, assign=True)
        return tower.eval()

    def _tensor(self, name: str) -> torch.Tensor:
        import torch

        return torch.tensor(self._checkpoint[name]).to(self._dtype).to(self.device)


def devices() -> list[str]:
    """What PyTorch can compute on here: "cpu", then "cuda:0" and so on. Empty without PyTorch. Starts no GPU."""
    try:
        import torch
    except ImportError:
        return []
    return ["cpu", *(f"cuda:{number}" for number in range(torch.cuda.device_count()))]


def half_precision(device: str) -> str:
    """bf16 where the GPU has it, else fp16. device: one of `devices()` that is a GPU."""
    import torch

    with torch.cuda.device(device):
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"


@contextmanager
def full_precision() -> Iterator[None]:
    """Convolutions in float32 as such: by default PyTorch lets cuDNN round them to TF32. That is a setting of the
    process, so one thread at a time may change it."""
    from torch.backends import cudnn

    with _FLAGS:
        before, cudnn.allow_tf32 = cudnn.allow_tf32, False
        try:
            yield
        finally:
            cudnn.allow_tf32 = before


def _found(device: str) -> str:
    """The name in `devices()` that is meant. Raises ContraltoError."""
    here = devices()
    if device == "auto":
        return here[min(1, len(here) - 1)]
    meant = "cuda:0" if device == "cuda" else device
    if meant not in here:
        import torch

        raise ContraltoError(f"device {device!r} is not here: PyTorch {torch.__version__} finds {', '.join(here)}")
    return meant
