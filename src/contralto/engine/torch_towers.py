"""The base of the PyTorch engines: devices, loading a tower from its checkpoint, and the error after a fork.

PyTorch's threads do not survive a fork, nor does its GPU context: a child process that used them would wait forever, so
it gets an error instead.
"""

from __future__ import annotations

import os
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from contralto.engine.base import Float, PartName, TowerName, checked_ids, checked_pixels, require_embeddings
from contralto.engine.forest import by_length, needed_lengths
from contralto.errors import ContraltoError, MissingExtraError
from contralto.weights.checkpoint import Checkpoint

if TYPE_CHECKING:
    import torch
    from torch import nn

Run = Callable[[NDArray[Any]], Float]  # pixels or ids, at least one row -> embeddings

CPU_IMAGE_BATCH, GPU_IMAGE_BATCH = 16, 256
CPU_TEXT_BATCH, GPU_TEXT_BATCH = 32, 1024

TORCH_DTYPES: Final = {"fp32": "float32", "bf16": "bfloat16", "fp16": "float16"}
_CUDNN_LOCK = threading.Lock()


class TorchEngine(ABC):
    """The towers of a checkpoint in PyTorch. Raises MissingExtraError if it is not installed.

    precision: fp32, bf16 or fp16, for weights and layers; layer norms are always computed in float32. fp32 is exact on
        a GPU too: products are not rounded to TF32 unless the calling program enables that
        (torch.backends.cuda.matmul).
    device: "auto" (the first GPU, else the CPU), "cpu", "cuda" (the first) or "cuda:N". `.device` is the resolved name.
        Raises ContraltoError if PyTorch does not find the device.
    """

    name: ClassVar[str]

    def __init__(self, checkpoint: Checkpoint, precision: str = "fp32", device: str = "cpu") -> None:
        try:
            import torch
        except ImportError as error:
            raise MissingExtraError(f"engine {self.name!r}", "torch") from error
        self.precision, self.device = precision, _resolved(device)
        self._dtype: torch.dtype = getattr(torch, TORCH_DTYPES[precision])
        self._checkpoint = checkpoint
        self._towers: dict[PartName, Run] = {}
        self._lock = threading.Lock()
        self._process: int | None = None  # the one that has computed with this engine

    @abstractmethod
    def _prepared(self, tower_name: TowerName, tower: nn.Module) -> Run:
        """The function that runs a tower. Called once per tower; the tower is on the device, in eval mode.

        The function is called in inference mode, by several threads at a time.
        """

    def image(self, pixels: NDArray[Any]) -> Float:
        """pixels float32 (N, 3, h, w) -> embeddings float32 (N, E), not normalised."""
        require_embeddings(self._checkpoint.contract)
        return self._run("image", checked_pixels(self._checkpoint.contract, pixels))

    def grid(self, pixels: NDArray[Any]) -> Float:
        """pixels float32 (N, 3, h, w), N at least 1 -> what the end of the tower reads; see `Engine.grid`."""
        return self._run("grid", checked_pixels(self._checkpoint.contract, pixels))

    def text(self, ids: NDArray[Any]) -> Float:
        """ids int64 (N, L) -> embeddings float32 (N, E), not normalised. Texts of similar length go together."""
        ids = checked_ids(self._checkpoint.contract, ids)
        embeddings = np.empty((len(ids), self._checkpoint.contract.embedding), np.float32)
        needed = needed_lengths(ids, self._checkpoint.contract.text)
        for indices in by_length(needed, CPU_TEXT_BATCH if self.device == "cpu" else GPU_TEXT_BATCH):
            embeddings[indices] = self._run("text", np.ascontiguousarray(ids[indices, : needed[indices].max()]))
        return embeddings

    @property
    def images_at_once(self) -> int:
        """The batch size that suits the device."""
        return CPU_IMAGE_BATCH if self.device == "cpu" else GPU_IMAGE_BATCH

    def engine_for(self, tower: TowerName, count: int) -> TorchEngine:
        """This engine, as it has one precision."""
        return self

    def _run(self, tower: PartName, batch: NDArray[Any]) -> Float:
        import torch

        if len(batch) == 0:
            return np.zeros((0, self._checkpoint.contract.embedding), np.float32)
        if self._process not in (None, os.getpid()):
            remedy = "load the model again here" if self.device == "cpu" else "start this process by spawn"
            raise ContraltoError(f"engine {self.name!r} was used before a fork: {remedy}, or use 'openvino'")
        self._process = os.getpid()
        with self._lock:
            if tower not in self._towers:
                self._towers[tower] = self._prepared("text" if tower == "text" else "image", self._load(tower))
        exact = self.precision == "fp32" and self.device != "cpu"
        arithmetic: AbstractContextManager[None] = full_precision() if exact else nullcontext()
        with torch.inference_mode(), arithmetic:
            return self._towers[tower](batch)

    def _load(self, part: PartName) -> nn.Module:
        """One tower with its weights. The other tower stays on the meta device, without memory."""
        import torch

        from contralto.model.clip import CLIP, UpToGrid

        tower_name = "image" if part == "grid" else part
        with torch.device("meta"):
            tower: nn.Module = getattr(CLIP(self._checkpoint.contract), tower_name)
        prefix = f"{tower_name}."
        names = [name for name in self._checkpoint if name.startswith(prefix)]
        state = {name.removeprefix(prefix): self._tensor(name) for name in names}
        tower.load_state_dict(state, strict=True, assign=True)
        return UpToGrid(tower).eval() if part == "grid" else tower.eval()

    def _tensor(self, name: str) -> torch.Tensor:
        import torch

        return torch.tensor(self._checkpoint[name]).to(self._dtype).to(self.device)


def devices() -> list[str]:
    """The devices that PyTorch finds: "cpu", then "cuda:0" and so on. Empty without PyTorch. Starts no GPU."""
    try:
        import torch
    except ImportError:
        return []
    return ["cpu", *(f"cuda:{number}" for number in range(torch.cuda.device_count()))]


def half_precision(device: str) -> str:
    """bf16 if the GPU has it, else fp16. device: a GPU from `devices()`."""
    import torch

    with torch.cuda.device(device):
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"


@contextmanager
def full_precision() -> Iterator[None]:
    """Computes float32 convolutions in full: by default PyTorch lets cuDNN round them to TF32.

    That is a setting of the process, so one thread at a time may change it.
    """
    from torch.backends import cudnn

    with _CUDNN_LOCK:
        before, cudnn.allow_tf32 = cudnn.allow_tf32, False
        try:
            yield
        finally:
            cudnn.allow_tf32 = before


def _resolved(device: str) -> str:
    """The name in `devices()` for "auto", "cpu", "cuda" or "cuda:N". Raises ContraltoError."""
    present = devices()
    if device == "auto":
        return present[min(1, len(present) - 1)]
    name = "cuda:0" if device == "cuda" else device
    if name not in present:
        import torch

        raise ContraltoError(f"device {device!r} is not here: PyTorch {torch.__version__} finds {', '.join(present)}")
    return name
