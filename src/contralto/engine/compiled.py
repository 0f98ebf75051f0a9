"""The PyTorch towers through torch.compile: fused kernels, and on a GPU a batch as one recorded launch.

A tower is compiled for a batch of one and for all other sizes (twice for these, where PyTorch takes another convolution
for small batches). That takes tens of seconds at the first batch, less in later processes: PyTorch keeps what it
compiled in a folder of its own (TORCHINDUCTOR_CACHE_DIR, else in that for temporary files).

On a GPU the kernels of each shape are then recorded as a CUDA graph, so shapes are few: sizes are powers of two,
lengths of texts multiples of 8. We record them ourselves, because what torch.compile records (mode="reduce-overhead")
only the thread that recorded it can run: https://github.com/pytorch/pytorch/issues/123177

Written without a GPU at hand: what only one can run (`_Recordings`, page-locked memory, TF32) has not been run yet.
"""

from __future__ import annotations

import threading
import types
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from contralto.contract import Contract
from contralto.engine.base import Float, TowerName
from contralto.engine.torch_towers import Run, TorchEngine
from contralto.errors import ContraltoError, one_line

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    Function: TypeAlias = Callable[[Tensor], Tensor]

BACKEND = "inductor"
MOST_PIXELS = {"cpu": 32 * 224 * 224, "cuda": 256 * 224 * 224}  # that are computed at once
MOST_TEXTS = {"cpu": 128, "cuda": 1024}
LENGTHS = 8
RECORDED = ("cuda",)

_RECORDING = threading.Lock()  # PyTorch allows one recording at a time in a process


class Compiled(TorchEngine):
    """Runs the towers of a checkpoint through torch.compile. Meant for GPUs: on a CPU it is hardly faster than eager.

    Any number of rows is computed in bounded memory. What has to be installed is a C++ compiler for the CPU, Triton
    (PyTorch for GPUs brings it) and a C compiler for a GPU. Without them the first batch raises ContraltoError.
    """

    name = "compiled"

    def _prepared(self, side: TowerName, tower: nn.Module) -> Run:
        return _Tower(self._checkpoint.contract, side, tower, self._dtype, self.device).run


class _Tower:
    """A compiled tower, and the batches that suit it. Threads take turns."""

    def __init__(self, contract: Contract, side: TowerName, tower: nn.Module, dtype: torch.dtype, device: str) -> None:
        import torch

        self._contract, self._side, self._device = contract, side, torch.device(device)
        self._recorded = self._device.type in RECORDED
        self._dtype = dtype if side == "image" else torch.int64
        function = _compiled(tower, varies=2 if side == "text" and contract.text.trims else 1)
        self._function: Function = _Recordings(function, self._device) if self._recorded else function
        self._lock = threading.Lock()

    def run(self, batch: NDArray[Any]) -> Float:
        """Pixels (N, 3, h, w) or ids (N, L), at least one row -> embeddings (N, E). Raises ContraltoError."""
        import torch

        most = self._most()
        found = torch.empty((len(batch), self._contract.embedding), device=self._device)
        try:
            with self._lock:
                for start in range(0, len(batch), most):
                    part = batch[start : start + most]
                    found[start : start + most] = self._function(self._staged(part))[: len(part)]
                rows: Float = found.cpu().numpy()  # waits for the GPU
        except RuntimeError as error:
            reason = one_line(str(getattr(error, "inner_exception", error)).strip().partition("\n")[0])
            raise ContraltoError(
                f"engine 'compiled' cannot run the {self._side} tower on {self._device}: {reason} (it needs a C++ "
                "compiler such as g++, on a GPU Triton and gcc: install what is missing, or use engine 'eager')"
            ) from error
        return rows

    def _most(self) -> int:
        """How many rows are computed at once: a power of two."""
        if self._side == "text":
            return MOST_TEXTS[self._device.type]
        height, width = self._contract.image.size
        return 1 << max((MOST_PIXELS[self._device.type] // (height * width)).bit_length() - 1, 0)

    def _staged(self, part: NDArray[Any]) -> Tensor:
        """The part in the tower's dtype, on the CPU, texts as long as LENGTHS asks. For a GPU also filled up to a
        power of two, and page-locked: it is fetched while the next part is being staged."""
        import torch

        if self._side == "text":
            part = _lengthened(part, self._contract)
        count, *shape = part.shape
        rows = 1 << (count - 1).bit_length() if self._recorded else count
        staged = torch.empty((rows, *shape), dtype=self._dtype, pin_memory=self._device.type == "cuda")
        staged[:count] = torch.from_numpy(part if part.flags.writeable else part.copy())
        staged[count:] = staged[0]  # something that no tower stumbles over
        return staged


def _lengthened(ids: NDArray[Any], contract: Contract) -> NDArray[Any]:
    """ids (N, L) padded to the next multiple of LENGTHS, or to the context if that comes first."""
    length = min(-(-ids.shape[1] // LENGTHS) * LENGTHS, contract.text.context)
    return np.pad(ids, ((0, 0), (0, length - ids.shape[1])), constant_values=contract.text.pad)


def _compiled(tower: nn.Module, varies: int) -> Function:
    """The tower as a function of any batch. varies: how many dimensions, from the first on, may change their size.

    torch.compile keeps what it makes with a function's code, up to 8 variants of it, and towers of one kind would
    share those; so this function has code of its own.
    """
    import torch

    # Convolutions are faster in this order, and no other layer has weights of four axes.
    tower = tower.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def run(given: Tensor) -> Tensor:
        if given.ndim == 4:
            given = given.contiguous(memory_format=torch.channels_last)
        rows: Tensor = tower(given).float()
        return rows

    own = types.FunctionType(run.__code__.replace(), run.__globals__, closure=run.__closure__)
    compiled: Function = torch.compile(own, backend=BACKEND, fullgraph=True, dynamic=False)

    def call(given: Tensor) -> Tensor:
        for dimension in range(varies):
            if given.shape[dimension] > 1:  # PyTorch compiles a size of 1 for itself
                torch._dynamo.mark_dynamic(given, dimension)
        return compiled(given)

    return call


class _Recordings:
    """A function on a GPU with a recording (a CUDA graph) for each shape that came, all in the same memory."""

    def __init__(self, function: Function, device: torch.device) -> None:
        import torch

        self._function, self._device = function, device
        self._memory = torch.cuda.graph_pool_handle()
        self._graphs: dict[tuple[int, ...], tuple[torch.cuda.CUDAGraph, Tensor, Tensor]] = {}

    def __call__(self, staged: Tensor) -> Tensor:
        """Input on the CPU -> rows on the GPU, which the next call overwrites."""
        import torch

        shape = tuple(staged.shape)
        with torch.cuda.device(self._device):
            if shape not in self._graphs:
                self._graphs[shape] = self._record(staged.to(self._device))
            graph, given, rows = self._graphs[shape]
            given.copy_(staged, non_blocking=True)
            graph.replay()
        return rows

    def _record(self, given: Tensor) -> tuple[torch.cuda.CUDAGraph, Tensor, Tensor]:
        """A graph with the input that it reads and the rows that it writes."""
        import torch

        with _RECORDING:
            aside = torch.cuda.Stream()  # type: ignore[no-untyped-call]
            aside.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(aside):  # compiles, tunes and loads kernels, which a recording may not
                for _ in range(2):
                    self._function(given)
            torch.cuda.current_stream().wait_stream(aside)
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph, pool=self._memory, capture_error_mode="thread_local"):
                rows = self._function(given)
        return graph, given, rows
