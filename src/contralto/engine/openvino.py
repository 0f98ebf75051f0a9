"""The default engine: OpenVINO on the CPU, over graphs whose weights are the memory-mapped file itself. No torch.

Its plain twin is the eager engine; tests/engine/test_openvino_parity.py compares the two.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import sys
import threading
import weakref
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from contralto.architecture import FastViT
from contralto.engine.base import (
    LENGTH_MULTIPLE,
    Float,
    PartName,
    TowerName,
    checked_ids,
    checked_pixels,
    require_embeddings,
)
from contralto.engine.cpus import available_cpus
from contralto.engine.forest import by_length, forests, needed_lengths, supports_forest
from contralto.engine.graph.layers import Layers
from contralto.engine.graph.whole_tower import grid_graph, runtime_graph
from contralto.errors import ContraltoError, one_line
from contralto.weights.checkpoint import Checkpoint

PRECISION_HINTS: Final = {"fp32": "f32", "bf16": "bf16", "fp16": "f16"}  # precision -> its name in the runtime

# The runtime's fused attention fails in bf16 for some numbers of texts (2026.4: "SetLoadStoreScalar expects static
# shapes"), and is not faster for texts.
TOWER_SETTINGS: Final[dict[PartName, dict[str, str]]] = {"image": {}, "grid": {}, "text": {"SNIPPETS_MODE": "DISABLE"}}

# Nodes of a forest of texts: enough for fast matrix products, and for shared prefixes to be computed once. Nothing else
# depends on the size of a forest.
FOREST_NODES: Final = 256
IMAGE_BATCH: Final = 32
TEXT_BATCH: Final = 32  # for towers that read a matrix of ids
WAIT_MILLISECONDS: Final = 100
PARALLEL_FROM: Final = 6  # batches of texts: from here on, compiling the tower again for several at a time pays off

# Weights stored in 16 bits. The runtime would expand them to float32 and hold that in addition to the packed weights;
# with this mark, which its own converter sets, it packs them as they are.
HALF_DTYPES, HALF_MARK = ("F16", "BF16"), "decompression_0"

Inputs = tuple[NDArray[Any], ...]


class OpenVINO:
    """Runs the towers of a checkpoint in OpenVINO. A tower is compiled on first use, once per process.

    precision: fp32; bf16 or fp16 if `supports` says so (weights and norms may stay in float32); or int8, for a
    checkpoint from `contralto.engine.quantise`. float_precision: for the parts of an int8 tower that are not int8.
    """

    name = "openvino"
    images_at_once = IMAGE_BATCH

    def __init__(self, checkpoint: Checkpoint, precision: str = "fp32", float_precision: str = "fp32") -> None:
        self.precision = precision
        self._float_precision = float_precision if precision == "int8" else precision
        self._checkpoint = checkpoint
        self._towers: dict[tuple[PartName, int], _Tower] = {}
        self._lock = threading.Lock()
        if hasattr(os, "register_at_fork"):
            engine = weakref.ref(self)
            os.register_at_fork(after_in_child=lambda: _reset_after_fork(engine()))

    @property
    def checkpoint(self) -> Checkpoint:
        """The weights in use; for int8, the quantised checkpoint."""
        return self._checkpoint

    def image(self, pixels: NDArray[Any]) -> Float:
        """pixels float32 (N, 3, h, w) -> embeddings float32 (N, E), not normalised."""
        require_embeddings(self._checkpoint.contract)
        pixels = checked_pixels(self._checkpoint.contract, pixels)
        parts = [self._image_batch(pixels[part]) for part in batch_slices(len(pixels), IMAGE_BATCH)]
        return np.concatenate([self._empty(0), *parts])

    def _image_batch(self, pixels: Float) -> Float:
        """One batch.

        For some FastViTs in int8, the runtime (2026.4) computes a batch of one picture wrongly (a cosine of 0.92 to
        fp32, where two pictures have 0.9999), so a single picture is computed twice.
        """
        needs_two = self.precision == "int8" and isinstance(self._checkpoint.contract.image.tower, FastViT)
        batch = np.repeat(pixels, 2, axis=0) if needs_two and len(pixels) == 1 else pixels
        return self._tower("image").run(batch)[: len(pixels)]

    def grid(self, pixels: NDArray[Any]) -> Float:
        """pixels float32 (N, 3, h, w), N at least 1 -> what the end of the tower reads; see `Engine.grid`."""
        pixels = checked_pixels(self._checkpoint.contract, pixels)
        return np.concatenate(
            [self._tower("grid").run(pixels[part]) for part in batch_slices(len(pixels), IMAGE_BATCH)]
        )

    def text(self, ids: NDArray[Any]) -> Float:
        """ids int64 (N, L) -> embeddings float32 (N, E), not normalised."""
        ids = checked_ids(self._checkpoint.contract, ids)
        embeddings, parts = self._empty(len(ids)), list(self._parts(ids))
        work = [inputs for _, inputs in parts]
        parallel = len(work) >= PARALLEL_FROM
        results = self._in_parallel(work) if parallel else [self._tower("text").run(*one) for one in work]
        for (indices, _), some in zip(parts, results, strict=True):
            embeddings[indices] = some[: len(indices)]
        return embeddings

    def _parts(self, ids: NDArray[np.int64]) -> Iterator[tuple[NDArray[np.int64], Inputs]]:
        """The indices of some texts, and the tower's inputs for them; its first embeddings belong to these texts."""
        text = self._checkpoint.contract.text
        needed = needed_lengths(ids, text)
        if supports_forest(text):
            for forest in forests(ids, needed, FOREST_NODES):
                yield forest.indices, forest.inputs
        else:
            for indices in by_length(needed, TEXT_BATCH):
                length = -(-needed[indices].max() // LENGTH_MULTIPLE) * LENGTH_MULTIPLE
                for part in batch_slices(len(indices), TEXT_BATCH):
                    yield indices[part], (np.ascontiguousarray(ids[indices[part], :length]),)

    def _in_parallel(self, parts: list[Inputs]) -> list[Float]:
        """Each part on one processor, several at a time: layers this small end too soon to be divided."""
        tower = self._tower("text", available_cpus())
        with ThreadPoolExecutor(available_cpus(), thread_name_prefix="contralto-texts") as pool:
            return list(pool.map(lambda inputs: tower.run(*inputs), parts))

    def engine_for(self, tower: TowerName, count: int) -> OpenVINO:
        """This engine, as it has one precision."""
        return self

    def _empty(self, count: int) -> Float:
        return np.empty((count, self._checkpoint.contract.embedding), np.float32)

    def _tower(self, name: PartName, at_once: int = 1) -> _Tower:
        with self._lock:
            if (name, at_once) not in self._towers:
                self._towers[name, at_once] = _Tower(self._checkpoint, name, self._float_precision, at_once)
        return self._towers[name, at_once]

    def reset_after_fork(self) -> None:
        """In a forked child: the parent's runtime is gone with its threads, so the towers are compiled again.

        The runtime's objects must not be freed either: they would wait for those threads, at the latest when the child
        ends. So they get a reference that is never released.
        """
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._towers))
        self._towers, self._lock = {}, threading.Lock()


def batch_slices(count: int, largest: int) -> Iterator[slice]:
    """Parts of `count` items in order: parts of `largest` (a power of two), and the remainder in powers of two.

    The runtime prepares every batch size that it meets and holds memory for it, so there should be few.
    """
    begin = 0
    while begin < count:
        size = min(largest, 1 << ((count - begin).bit_length() - 1))
        yield slice(begin, begin + size)
        begin += size


class _Tower:
    """A compiled tower and its idle requests: one request for each thread that runs at the same time.

    at_once: with 1, all processors work on one batch, for the lowest latency; else the number of parallel batches.
    """

    def __init__(self, checkpoint: Checkpoint, name: PartName, precision: str, at_once: int) -> None:
        self._checkpoint = checkpoint
        self._tower: TowerName = "text" if name == "text" else "image"  # the runtime reads from the checkpoint's arrays
        self._shapes: set[tuple[tuple[int, ...], ...]] = set()  # the input shapes computed so far
        try:
            layers = grid_graph(checkpoint) if name == "grid" else runtime_graph(checkpoint, name)
            graph = model(checkpoint, layers)
            settings = configuration(precision) | TOWER_SETTINGS[name]
            if at_once > 1:
                settings |= {"PERFORMANCE_HINT": "THROUGHPUT", "NUM_STREAMS": at_once}
            self._compiled = core().compile_model(graph, "CPU", settings)
        except RuntimeError as error:
            reason = one_line(str(error))
            raise ContraltoError(
                f"openvino cannot load the {self._tower} tower of {checkpoint.folder}: {reason}"
            ) from error
        checkpoint.release(self._tower)
        self._idle: deque[Any] = deque()

    def run(self, *inputs: NDArray[Any]) -> Float:
        """The embeddings of one batch. Ctrl-C interrupts it."""
        try:
            request = self._idle.pop()
        except IndexError:
            request = self._compiled.create_infer_request()
        infer(request, inputs)
        embeddings: Float = request.get_output_tensor(0).data.copy()
        self._idle.append(request)
        shapes = tuple(one.shape for one in inputs)
        if shapes not in self._shapes:  # the runtime has read the weights, and packed them for this shape
            self._shapes.add(shapes)
            self._checkpoint.release(self._tower)
        return embeddings


def infer(request: Any, inputs: Sequence[NDArray[Any]]) -> None:
    """Computes one batch. It waits in short turns, as Python handles signals between them.

    An interrupted batch ends at its next layer.
    """
    request.start_async(inputs, share_inputs=True)
    try:
        while not request.wait_for(WAIT_MILLISECONDS):
            pass
    except BaseException:
        request.cancel()
        with contextlib.suppress(RuntimeError):  # "cancelled"
            request.wait()
        raise


def model(checkpoint: Checkpoint, layers: Layers) -> Any:
    """The runtime's model of a graph. Its weights are the arrays of the checkpoint, which are not copied.

    The .onnx file next to the weights is not read: a change in it would change the results. And the runtime copies
    external data unless they are in the folder of the graph.
    """
    openvino = _import_openvino()
    graph = core().read_model(layers.model())
    for parameter in graph.get_parameters():
        name = parameter.get_friendly_name()
        if name not in checkpoint.tensors:
            continue  # the pixels or ids
        array = checkpoint.raw(name)
        tensor = openvino.Tensor(array, openvino.Shape(array.shape), parameter.get_element_type())
        constant = openvino.op.Constant(tensor, shared_memory=True).output(0)
        for consumer in parameter.output(0).get_target_inputs():
            consumer.replace_source_output(constant)
            reader = consumer.get_node()
            if reader.get_type_name() == "Convert" and checkpoint.stored(name).dtype in HALF_DTYPES:
                reader.get_rt_info()[HALF_MARK] = ""
        graph.remove_parameter(parameter)
    return graph


def supports(precision: str) -> bool:
    """Whether the processor has instructions for this precision, according to the runtime."""
    return precision.upper() in core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def version() -> str:
    """The version of the runtime."""
    return str(_import_openvino().__version__)


def core() -> Any:
    """The runtime of this process: one for all towers."""
    return _core(os.getpid())


@functools.cache
def _core(process: int) -> Any:
    """One runtime per process, never freed.

    The CPU plugin gives the thread that loads it a signal stack and removes that when it is freed. With several
    plugins, freed in any order, the next Ctrl-C would run on a removed stack and crash.
    """
    runtime = _import_openvino().Core()
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(runtime))
    return runtime


def configuration(precision: str) -> dict[str, Any]:
    """The runtime's settings.

    If the group size is above 0, the runtime silently quantises the activations of layers with int8 weights too.
    """
    settings = {
        "INFERENCE_PRECISION_HINT": PRECISION_HINTS[precision],
        "DYNAMIC_QUANTIZATION_GROUP_SIZE": 0,
        "PERFORMANCE_HINT": "LATENCY",
    }
    if available_cpus() < (os.cpu_count() or 1):
        settings["INFERENCE_NUM_THREADS"] = available_cpus()
    return settings


def _import_openvino() -> Any:
    """The openvino package, imported so that it does not report the import to Intel over the network.

    Its __init__ imports a conversion tool that sends an event through openvino_telemetry if it can import that. With
    None in sys.modules that import fails, and the tool uses its stand-in for this case.
    """
    loaded = sys.modules.get("openvino_telemetry")
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
    try:
        import openvino
    finally:
        sys.modules.pop("openvino_telemetry", None)
        if loaded is not None:
            sys.modules["openvino_telemetry"] = loaded
    return openvino


def _reset_after_fork(engine: OpenVINO | None) -> None:
    if engine is not None:
        engine.reset_after_fork()
