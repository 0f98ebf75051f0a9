"""The default engine: OpenVINO on the CPU, over graphs whose weights are the memory-mapped file itself. No torch."""

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
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contralto.architecture import FastViT
from contralto.engine.base import Float, TowerName, checked_ids, checked_pixels
from contralto.engine.cpus import available_cpus
from contralto.engine.forest import alike, forests, grows, lengths
from contralto.engine.graph.files import runtime_graph
from contralto.engine.graph.layers import Layers
from contralto.errors import ContraltoError, one_line
from contralto.weights.checkpoint import Checkpoint

HINTS = {"fp32": "f32", "bf16": "bf16", "fp16": "f16"}  # precision -> what the runtime calls it

# Fused attention of the runtime fails in bf16 for some numbers of texts (2026.4: "SetLoadStoreScalar expects static
# shapes"), and is not faster for texts.
PARTICULAR: dict[TowerName, dict[str, str]] = {"image": {}, "text": {"SNIPPETS_MODE": "DISABLE"}}

# Nodes of a forest of texts: enough for the matrix products to reach their speed, and for what texts share to be there
# once; of the length of a forest nothing else depends.
NODES = 256
IMAGES_AT_ONCE = 32
TEXTS_AT_ONCE, LENGTHS = 32, 8  # of towers that read a matrix of ids; lengths are multiples
TURN = 100  # milliseconds
MANY = 6  # forests or batches of texts, for which it pays to compile the tower once more, for several side by side

# Weights stored in 16 bits. The runtime would expand them to float32 and keep that beside what it packs from it; this
# mark, which its own converter sets, lets it pack them as they are.
HALVES, STAYS = ("F16", "BF16"), "decompression_0"

Inputs = tuple[NDArray[Any], ...]


class OpenVINO:
    """Runs the towers of a checkpoint in OpenVINO. A tower is compiled on first use, once in a process.

    precision: fp32; bf16, fp16 where `computes` says so, in which weights and norms may stay in float32; or int8, for
    a checkpoint that `contralto.engine.quantise` has made, in which what is not in int8 is computed in `rest`.
    """

    name = "openvino"
    images_at_once = IMAGES_AT_ONCE

    def __init__(self, checkpoint: Checkpoint, precision: str = "fp32", rest: str = "fp32") -> None:
        self.precision = precision
        self._computed = rest if precision == "int8" else precision
        self._checkpoint = checkpoint
        self._towers: dict[tuple[TowerName, int], _Tower] = {}
        self._lock = threading.Lock()
        if hasattr(os, "register_at_fork"):
            engine = weakref.ref(self)
            os.register_at_fork(after_in_child=lambda: _forget_parent(engine()))

    @property
    def checkpoint(self) -> Checkpoint:
        """Whose towers these are; in int8 the one that was made for it."""
        return self._checkpoint

    def image(self, pixels: NDArray[Any]) -> Float:
        """pixels float32 (N, 3, h, w) -> embeddings float32 (N, E), not normalised."""
        pixels = checked_pixels(self._checkpoint.contract, pixels)
        parts = [self._pictures(pixels[part]) for part in few_sizes(len(pixels), IMAGES_AT_ONCE)]
        return np.concatenate([self._empty(0), *parts])

    def _pictures(self, pixels: Float) -> Float:
        """One batch. The runtime (2026.4) computes a single picture of some FastViTs in int8 wrongly (a cosine of 0.92
        to fp32, where two pictures have 0.9999): it is given twice."""
        is_odd = self.precision == "int8" and isinstance(self._checkpoint.contract.image.tower, FastViT)
        given = np.repeat(pixels, 2, axis=0) if is_odd and len(pixels) == 1 else pixels
        return self._tower("image").run(given)[: len(pixels)]

    def text(self, ids: NDArray[Any]) -> Float:
        """ids int64 (N, L) -> embeddings float32 (N, E), not normalised."""
        ids = checked_ids(self._checkpoint.contract, ids)
        rows, parts = self._empty(len(ids)), list(self._parts(ids))
        work = [inputs for _, inputs in parts]
        found = self._side_by_side(work) if len(work) >= MANY else [self._tower("text").run(*one) for one in work]
        for (places, _), some in zip(parts, found, strict=True):
            rows[places] = some[: len(places)]
        return rows

    def _parts(self, ids: NDArray[np.int64]) -> Iterator[tuple[NDArray[np.int64], Inputs]]:
        """Which texts, and what the text tower reads of them; the first rows that it gives are theirs."""
        text = self._checkpoint.contract.text
        needed = lengths(ids, text)
        if grows(text):
            for forest in forests(ids, needed, NODES):
                yield forest.places, forest.inputs
        else:
            for places in alike(needed, TEXTS_AT_ONCE):
                length = -(-needed[places].max() // LENGTHS) * LENGTHS
                for part in few_sizes(len(places), TEXTS_AT_ONCE):
                    yield places[part], (np.ascontiguousarray(ids[places[part], :length]),)

    def _side_by_side(self, parts: list[Inputs]) -> list[Float]:
        """Each on one processor, several at a time: layers of so few rows are over too soon to be shared out."""
        tower = self._tower("text", available_cpus())
        with ThreadPoolExecutor(available_cpus(), thread_name_prefix="contralto-texts") as pool:
            return list(pool.map(lambda inputs: tower.run(*inputs), parts))

    def expect(self, side: TowerName, count: int) -> OpenVINO:
        """Itself, as it has one precision."""
        return self

    def _empty(self, count: int) -> Float:
        return np.empty((count, self._checkpoint.contract.embedding), np.float32)

    def _tower(self, side: TowerName, at_once: int = 1) -> _Tower:
        with self._lock:
            if (side, at_once) not in self._towers:
                self._towers[side, at_once] = _Tower(self._checkpoint, side, self._computed, at_once)
        return self._towers[side, at_once]

    def forget(self) -> None:
        """In a forked child: the parent's runtime is gone with its threads, so the towers are compiled anew.

        Its objects must not be freed either, as they would wait for those threads, at the latest when the child
        ends; so they are given a reference that is never taken back.
        """
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._towers))
        self._towers, self._lock = {}, threading.Lock()


def few_sizes(count: int, most: int) -> Iterator[slice]:
    """Parts of `count` items in order: as many as `most` (a power of two), and what is left in powers of two.

    The runtime prepares every size that it meets and keeps memory for it, so that it should meet few.
    """
    begin = 0
    while begin < count:
        size = min(most, 1 << ((count - begin).bit_length() - 1))
        yield slice(begin, begin + size)
        begin += size


class _Tower:
    """A compiled tower and its idle requests; as many requests come into being as threads run at one time.

    at_once: of 1, all processors work on one batch, the shortest way to its answer; else so many batches side by side.
    """

    def __init__(self, checkpoint: Checkpoint, side: TowerName, precision: str, at_once: int) -> None:
        self._checkpoint, self._side = checkpoint, side  # the runtime reads from its arrays
        self._shapes: set[tuple[tuple[int, ...], ...]] = set()  # that were computed so far
        try:
            graph = model(checkpoint, runtime_graph(checkpoint, side))
            settings = configuration(precision) | PARTICULAR[side]
            if at_once > 1:
                settings |= {"PERFORMANCE_HINT": "THROUGHPUT", "NUM_STREAMS": at_once}
            self._compiled = core().compile_model(graph, "CPU", settings)
        except RuntimeError as error:
            reason = one_line(str(error))
            raise ContraltoError(f"openvino cannot load the {side} tower of {checkpoint.folder}: {reason}") from error
        checkpoint.release(side)
        self._idle: deque[Any] = deque()

    def run(self, *inputs: NDArray[Any]) -> Float:
        """The rows of one batch. Ctrl-C is heard meanwhile."""
        try:
            request = self._idle.pop()
        except IndexError:
            request = self._compiled.create_infer_request()
        infer(request, inputs)
        rows: Float = request.get_output_tensor(0).data.copy()
        self._idle.append(request)
        shapes = tuple(one.shape for one in inputs)
        if shapes not in self._shapes:  # the runtime has read the weights, and packed them for this shape
            self._shapes.add(shapes)
            self._checkpoint.release(self._side)
        return rows


def infer(request: Any, inputs: Sequence[NDArray[Any]]) -> None:
    """Computes one batch, waiting in short turns, as Python handles signals between them. A batch that is interrupted
    ends at its next layer."""
    request.start_async(inputs, share_inputs=True)
    try:
        while not request.wait_for(TURN):
            pass
    except BaseException:
        request.cancel()
        with contextlib.suppress(RuntimeError):  # that it was cancelled
            request.wait()
        raise


def model(checkpoint: Checkpoint, layers: Layers) -> Any:
    """A graph for the runtime, its weights the arrays of the checkpoint, which are not copied.

    A graph file beside the weights is not read: whoever changed it would change what is computed. And external data
    are copied by the runtime unless they lie in the folder of the graph.
    """
    openvino = _import_openvino()
    found = core().read_model(layers.model())
    for parameter in found.get_parameters():
        name = parameter.get_friendly_name()
        if name not in checkpoint.tensors:
            continue  # the pixels or ids
        array = checkpoint.raw(name)
        tensor = openvino.Tensor(array, openvino.Shape(array.shape), parameter.get_element_type())
        constant = openvino.op.Constant(tensor, shared_memory=True).output(0)
        for consumer in parameter.output(0).get_target_inputs():
            consumer.replace_source_output(constant)
            reader = consumer.get_node()
            if reader.get_type_name() == "Convert" and checkpoint.stored(name).dtype in HALVES:
                reader.get_rt_info()[STAYS] = ""
        found.remove_parameter(parameter)
    return found


def computes(precision: str) -> bool:
    """Whether the processor has instructions of its own for this precision, as the runtime sees it."""
    return precision.upper() in core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def version() -> str:
    """The runtime's own."""
    return str(_import_openvino().__version__)


def core() -> Any:
    """The runtime of this process: one for all towers, never freed."""
    return _core(os.getpid())


@functools.cache
def _core(process: int) -> Any:
    """Never freed.

    Its CPU plugin gives the thread that loads it a stack for signals and takes that away when it is freed; with
    several, freed in any order, the next Ctrl-C would be handled on a stack that is gone, and end in a crash.
    """
    made = _import_openvino().Core()
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(made))
    return made


def configuration(precision: str) -> dict[str, Any]:
    """Over int8 weights OpenVINO quantises activations too, silently, unless the group size is 0."""
    found = {
        "INFERENCE_PRECISION_HINT": HINTS[precision],
        "DYNAMIC_QUANTIZATION_GROUP_SIZE": 0,
        "PERFORMANCE_HINT": "LATENCY",
    }
    if available_cpus() < (os.cpu_count() or 1):
        found["INFERENCE_NUM_THREADS"] = available_cpus()
    return found


def _import_openvino() -> Any:
    """The openvino package, imported such that it does not report the import to its makers over the network.

    Its __init__ imports a conversion tool that sends an event through openvino_telemetry if it can import that. None
    in sys.modules makes it believe it cannot, and it takes the stand-in that it has for this case.
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


def _forget_parent(engine: OpenVINO | None) -> None:
    if engine is not None:
        engine.forget()
