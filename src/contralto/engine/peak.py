"""Measures the machine's limit: operations per second of matrix products in each precision. No torch."""

from __future__ import annotations

import statistics
import time
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from contralto.engine.openvino import PRECISION_HINTS, _import_openvino, configuration, core, supports

Shape = tuple[int, int, int]

PEAK_SHAPES: Final[tuple[Shape, ...]] = ((1600, 768, 3072), (1600, 1024, 4096), (1024, 1024, 1024))
ACTIVATION_RANGE: Final = 4.0  # Larger activations are clipped in int8; inputs have unit variance.


def peaks(shapes: tuple[Shape, ...] = PEAK_SHAPES, runs: int = 7) -> dict[str, float]:
    """Precision -> operations per second (a multiplication and an addition are two), for the fastest of the shapes.

    fp32 and int8 are always measured; bf16 and fp16 only if the processor has instructions for them. A shape (M, K, N)
    is a pair of products as in a block of a tower: (M, K) by (K, N), and the result by (N, K). A ReLU follows each, so
    that only the products take time. Its rate is the median of `runs`. In int8, weights and activations both have 8
    bits, with a scale for each column of the weights.
    """
    precisions = [name for name in PRECISION_HINTS if name == "fp32" or supports(name)]
    return {name: max(_rate(name, shape, runs) for shape in shapes) for name in [*precisions, "int8"]}


def _rate(precision: str, shape: Shape, runs: int) -> float:
    rows, inner, outer = shape
    random = np.random.default_rng(0)
    compiled = core().compile_model(
        _products(precision, shape, random), "CPU", configuration("fp32" if precision == "int8" else precision)
    )
    request, batch = compiled.create_infer_request(), random.standard_normal((rows, inner), np.float32)
    seconds = []
    for _ in range(runs + 1):
        begin = time.perf_counter()
        request.infer([batch], share_inputs=True)
        seconds.append(time.perf_counter() - begin)
    return 2 * 2 * rows * inner * outer / statistics.median(seconds[1:])  # the first run allocates memory


def _products(precision: str, shape: Shape, random: np.random.Generator) -> Any:
    """The pair of products as an OpenVINO model."""
    openvino = _import_openvino()
    from openvino import opset13 as ops

    rows, inner, outer = shape
    batch = ops.parameter([rows, inner], np.float32)
    values = batch
    for inputs, outputs in ((inner, outer), (outer, inner)):
        matrix = random.standard_normal((outputs, inputs), np.float32) / np.float32(inputs) ** 0.5
        if precision == "int8":
            values, weights = _to_8_bits(ops, values), _stored_in_8_bits(ops, matrix)
        else:
            weights = ops.constant(matrix)
        values = ops.relu(ops.matmul(values, weights, False, True))
    return openvino.Model([values], [batch])


def _to_8_bits(ops: Any, values: Any) -> Any:
    """Activations rounded to 256 codes of a fixed range: this makes the runtime multiply in int8."""
    low, high = ops.constant(np.float32(-ACTIVATION_RANGE * 128 / 127)), ops.constant(np.float32(ACTIVATION_RANGE))
    return ops.fake_quantize(values, low, high, low, high, 256)


def _stored_in_8_bits(ops: Any, matrix: NDArray[np.float32]) -> Any:
    scales = np.abs(matrix).max(axis=1, keepdims=True) / np.float32(127)
    codes = ops.constant(np.rint(matrix / scales).astype(np.int8))
    return ops.multiply(ops.convert(codes, "f32"), ops.constant(scales))
