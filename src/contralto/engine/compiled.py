"""Runs the PyTorch towers through torch.compile: fused kernels, and on a GPU one recorded launch per batch.

A tower is compiled for a batch of one and for all other sizes (twice for these, if PyTorch uses another convolution for
small batches). That takes tens of seconds at the first batch, less in later processes: PyTorch caches compiled code in
a folder of its own (TORCHINDUCTOR_CACHE_DIR, else in the folder for temporary files).

On a GPU the kernels of each shape are then recorded as a CUDA graph, so there are few shapes: batch sizes are powers of
two, text lengths are multiples of 8. We record the graphs ourselves: only the thread that recorded a graph can run the
graphs of torch.compile (mode="reduce-overhead"), see https://github.com/pytorch/pytorch/issues/123177

Its plain twin is the eager engine; tests/engine/test_compiled.py compares the two.
This module was written without a GPU: the parts that need one (`_Recordings`, page-locked memory, TF32) have not been
run yet.
"""

from __future__ import annotations

import threading
import types
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from contralto.contract import Contract
from contralto.engine.base import LENGTH_MULTIPLE, Float, TowerName
from contralto.engine.torch_towers import Run, TorchEngine
from contralto.errors import ContraltoError, one_line

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    Function: TypeAlias = Callable[[Tensor], Tensor]

BACKEND = "inductor"
BATCH_PIXELS: Final = {"cpu": 32 * 224 * 224, "cuda": 256 * 224 * 224}  # at most in a batch
BATCH_TEXTS: Final = {"cpu": 128, "cuda": 1024}
RECORDED_DEVICES = ("cuda",)

_RECORDING = threading.Lock()  # PyTorch allows one recording at a time in a process


class Compiled(TorchEngine):
    """Runs the towers of a checkpoint through torch.compile.

    This engine is for GPUs: on a CPU it is hardly faster than eager. It computes any number of items in bounded memory.
    It needs a C++ compiler for the CPU; for a GPU, Triton (included in PyTorch for GPUs) and a C compiler. Without them
    the first batch raises ContraltoError.
    """

    name = "compiled"

    def _prepared(self, tower_name: TowerName, tower: nn.Module) -> Run:
        return _Tower(self._checkpoint.contract, tower_name, tower, self._dtype, self.device).run


class _Tower:
    """A compiled tower, which divides its input into suitable batches. Threads take turns."""

    def __init__(self, contract: Contract, name: TowerName, tower: nn.Module, dtype: torch.dtype, device: str) -> None:
        import torch

        self._contract, self._name, self._device = contract, name, torch.device(device)
        self._recorded = self._device.type in RECORDED_DEVICES
        self._dtype = dtype if name == "image" else torch.int64
        function = _compiled(tower, dynamic_axes=2 if name == "text" and contract.text.trims else 1)
        self._function: Function = _Recordings(function, self._device) if self._recorded else function
        self._lock = threading.Lock()

    def run(self, batch: NDArray[Any]) -> Float:
        """Pixels (N, 3, h, w) or ids (N, L), at least one row -> embeddings (N, E) or grids. Raises ContraltoError."""
        import torch

        size = self._batch_size()
        outputs = []
        try:
            with self._lock:
                for start in range(0, len(batch), size):
                    part = batch[start : start + size]
                    outputs.append(self._function(self._staged(part))[: len(part)].clone())  # the next call overwrites
                embeddings: Float = torch.cat(outputs).cpu().numpy()  # waits for the GPU
        except RuntimeError as error:
            reason = one_line(str(getattr(error, "inner_exception", error)).strip().partition("\n")[0])
            raise ContraltoError(
                f"engine 'compiled' cannot run the {self._name} tower on {self._device}: {reason} (it needs a C++ "
                "compiler such as g++, on a GPU Triton and gcc: install what is missing, or use engine 'eager')"
            ) from error
        return embeddings

    def _batch_size(self) -> int:
        """A power of two."""
        if self._name == "text":
            return BATCH_TEXTS[self._device.type]
        height, width = self._contract.image.size
        return 1 << max((BATCH_PIXELS[self._device.type] // (height * width)).bit_length() - 1, 0)

    def _staged(self, part: NDArray[Any]) -> Tensor:
        """The part in the tower's dtype, on the CPU; texts are padded to a multiple of LENGTH_MULTIPLE.

        For a GPU, the part is also filled up to a power of two, and page-locked: the GPU copies it while the next part
        is being staged.
        """
        import torch

        if self._name == "text":
            part = _lengthened(part, self._contract)
        count, *shape = part.shape
        padded = 1 << (count - 1).bit_length() if self._recorded else count
        staged = torch.empty((padded, *shape), dtype=self._dtype, pin_memory=self._device.type == "cuda")
        staged[:count] = torch.from_numpy(part if part.flags.writeable else part.copy())
        staged[count:] = staged[0]  # valid input for any tower
        return staged


def _lengthened(ids: NDArray[Any], contract: Contract) -> NDArray[Any]:
    """ids (N, L) padded to the next multiple of LENGTH_MULTIPLE, but at most to the context."""
    length = min(-(-ids.shape[1] // LENGTH_MULTIPLE) * LENGTH_MULTIPLE, contract.text.context)
    return np.pad(ids, ((0, 0), (0, length - ids.shape[1])), constant_values=contract.text.pad)


def _compiled(tower: nn.Module, dynamic_axes: int) -> Function:
    """The tower as a function of any batch. dynamic_axes: the number of leading axes that may change their size.

    torch.compile stores up to 8 compiled variants with a function's code object, and towers of one class would share
    these. So each call copies the code object.
    """
    import torch

    # Convolutions are faster in this order, and no other layer has weights of four axes.
    tower = tower.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def run(batch: Tensor) -> Tensor:
        if batch.ndim == 4:
            batch = batch.contiguous(memory_format=torch.channels_last)
        embeddings: Tensor = tower(batch).float()
        return embeddings

    copy = types.FunctionType(run.__code__.replace(), run.__globals__, closure=run.__closure__)
    compiled: Function = torch.compile(copy, backend=BACKEND, fullgraph=True, dynamic=False)

    def call(batch: Tensor) -> Tensor:
        for axis in range(dynamic_axes):
            if batch.shape[axis] > 1:  # PyTorch compiles a size of 1 separately
                torch._dynamo.mark_dynamic(batch, axis)
        return compiled(batch)

    return call


class _Recordings:
    """A function on a GPU with a recording (a CUDA graph) per input shape. All recordings share their memory."""

    def __init__(self, function: Function, device: torch.device) -> None:
        import torch

        self._function, self._device = function, device
        self._memory = torch.cuda.graph_pool_handle()
        self._graphs: dict[tuple[int, ...], tuple[torch.cuda.CUDAGraph, Tensor, Tensor]] = {}

    def __call__(self, staged: Tensor) -> Tensor:
        """Input on the CPU -> embeddings on the GPU. The next call overwrites them."""
        import torch

        shape = tuple(staged.shape)
        with torch.cuda.device(self._device):
            if shape not in self._graphs:
                self._graphs[shape] = self._record(staged.to(self._device))
            graph, batch, embeddings = self._graphs[shape]
            batch.copy_(staged, non_blocking=True)
            graph.replay()
        return embeddings

    def _record(self, batch: Tensor) -> tuple[torch.cuda.CUDAGraph, Tensor, Tensor]:
        """A graph, with its input and output tensors."""
        import torch

        with _RECORDING:
            warm_up = torch.cuda.Stream()  # type: ignore[no-untyped-call]
            warm_up.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(warm_up):  # compiles, tunes and loads kernels; a recording must not
                for _ in range(2):
                    self._function(batch)
            torch.cuda.current_stream().wait_stream(warm_up)
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph, pool=self._memory, capture_error_mode="thread_local"):
                embeddings = self._function(batch)
        return graph, batch, embeddings
