"""Quantises a tower to int8: weights with a scale for each output, activations with one scale and zero point.

Weights quantise well; activations do not. A few channels of a trained tower are a hundred times larger than the others
(outliers), and a scale that fits them rounds the small ones to zero. Two remedies help. Both are calibrated on sample
pictures or texts that go through the tower in fp32 first.

- Smoothing (Xiao et al. 2023, SmoothQuant): each channel of an activation is divided by a factor of its own before
  quantisation, and the weights that read the channel are multiplied by it. The product stays the same, and activation
  and weights share the spread.
- A layer whose output would still suffer stays in float. The noise that int8 adds to its output is computed on the
  samples, as a share of the output's energy, before anything runs in int8.

The product of codes is computed in integers, exactly, so all rounding happens in this module. Its plain twin is the
definition by hand in tests/engine/test_quantise.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from contralto.engine.base import Float, TowerName
from contralto.engine.forest import forests, needed_lengths, supports_forest
from contralto.engine.graph.layers import ACTIVATION_SCALE, SMOOTHING, LinearLayer
from contralto.engine.graph.whole_tower import runtime_graph
from contralto.engine.openvino import FOREST_NODES, configuration, core, infer, model
from contralto.weights.checkpoint import SCALE, Checkpoint, StoredTensor

HEAD_LAYERS: Final = ".head."  # They run once per picture or text, so they stay in float: int8 would gain nothing.
MAX_WEIGHT_CODE, MAX_ACTIVATION_CODE = 127, 255  # weights: -127 to 127; activations: 0 to 255
SAMPLED_ROWS: Final = 256  # of a layer's input, on which its noise is computed
# Shares of the spread, on a logarithmic scale, that smoothing moves from the activations to the weights. All are tried.
SMOOTHING_SHARES: Final = (0.0, 0.5)
# The range of codes over the range of the samples: other items go further, and clipping causes the largest errors.
RANGE_HEADROOM: Final = 1.25


class Activations(NamedTuple):
    """The range of one activation on the samples, some of its rows, and the layers that read it."""

    layers: tuple[LinearLayer, ...]
    low: Float  # (C,), at most 0
    high: Float  # (C,), at least 0
    rows: Float  # (R, C x kernel): some rows of the layers' matrix product


class Quantisation(NamedTuple):
    """The codes of one activation and of the weights that read it.

    noise: the noise of the worst layer, as a share of the energy of its output.
    """

    smoothing: Float  # (C,)
    scale: np.float32  # of the activation: value = scale * (code - zero_point)
    zero_point: int
    weights: dict[str, tuple[NDArray[np.int8], Float]]  # layer name -> codes, and a scale for each output
    noise: float


def calibrate(
    checkpoint: Checkpoint,
    tower: TowerName,
    batches: Sequence[NDArray[Any]],
    progress: Callable[[int, int], object] = lambda done, total: None,
) -> list[Quantisation]:
    """The quantisation of every activation that the tower's linear layers read, from its values on the samples.

    batches: pixels float32 (N, 3, h, w), or ids int64 (N, L). They go through the tower one by one, in fp32. progress
    is called with (done, total) in between; an exception that it raises ends the work.
    """
    activations = _watched(checkpoint, tower, list(_inputs(checkpoint, tower, batches)), progress)
    quantisations = []
    for done, one in enumerate(activations, 1):
        quantisations.append(_quantisation(checkpoint, one))
        progress(len(activations) + done, 2 * len(activations))
    checkpoint.release(tower)
    return quantisations


def quantise(checkpoint: Checkpoint, quantisations: Sequence[Quantisation], max_noise: float) -> Checkpoint:
    """The checkpoint with those layers in int8 whose noise is at most `max_noise`; the others stay as they are."""
    tensors = dict(checkpoint.tensors)
    for one in quantisations:
        if one.noise <= max_noise:
            tensors |= _stored(one)
    return Checkpoint(checkpoint.contract, tensors, checkpoint.files)


def _stored(one: Quantisation) -> dict[str, StoredTensor]:
    activation_scale = StoredTensor("F32", np.array([one.scale, one.zero_point], np.float32))
    tensors: dict[str, StoredTensor] = {}
    for name, (codes, scale) in one.weights.items():
        weight = f"{name}.weight"
        tensors |= {weight: StoredTensor("I8", codes), weight + SCALE: StoredTensor("F32", scale)}
        tensors |= {weight + ACTIVATION_SCALE: activation_scale, weight + SMOOTHING: StoredTensor("F32", one.smoothing)}
    return tensors


def _watched(
    checkpoint: Checkpoint,
    tower: TowerName,
    inputs: Sequence[list[NDArray[Any]]],
    progress: Callable[[int, int], object],
) -> list[Activations]:
    """Runs the samples through the tower in fp32 and records every input of a linear layer. Half of the work."""
    progress(0, 2 * len(inputs))
    layers = runtime_graph(checkpoint, tower)
    readers: dict[str, list[LinearLayer]] = {}
    for layer in layers.linear_layers:
        if HEAD_LAYERS not in layer.name:
            readers.setdefault(layer.input, []).append(layer)
    values = [name for name in readers if name != "pixels"]
    watched = model(checkpoint, layers)
    watched.add_outputs(values)
    request = core().compile_model(watched, "CPU", configuration("fp32")).create_infer_request()
    ranges: dict[str, tuple[Float, Float]] = {}
    rows: dict[str, list[Float]] = {name: [] for name in values}
    random = np.random.default_rng(0)
    for done, arrays in enumerate(inputs, 1):
        infer(request, arrays)
        for index, name in enumerate(values, 1):
            value = request.get_output_tensor(index).data
            channel = 1 if _kernel(checkpoint, readers[name][0]) else value.ndim - 1
            others = tuple(axis for axis in range(value.ndim) if axis != channel)
            low, high = ranges.get(name, (np.float32(0), np.float32(0)))
            ranges[name] = np.minimum(low, value.min(axis=others)), np.maximum(high, value.max(axis=others))
            rows[name].append(_rows(checkpoint, readers[name][0], value, -(-SAMPLED_ROWS // len(inputs)), random))
        progress(done, 2 * len(inputs))
    return [Activations(tuple(readers[name]), *ranges[name], np.concatenate(rows[name])) for name in values]


def _inputs(checkpoint: Checkpoint, tower: TowerName, batches: Sequence[NDArray[Any]]) -> Iterator[list[NDArray[Any]]]:
    text = checkpoint.contract.text
    for batch in batches:
        if tower == "image" or not supports_forest(text):
            yield [batch]
        else:
            for forest in forests(batch, needed_lengths(batch, text), FOREST_NODES):
                yield list(forest.inputs)


def _kernel(checkpoint: Checkpoint, layer: LinearLayer) -> tuple[int, ...]:
    """(height, width) of a convolution, which reads (N, C, h, w); () for a linear map, which reads (..., C)."""
    return checkpoint.raw(f"{layer.name}.weight").shape[2:]


def _rows(checkpoint: Checkpoint, layer: LinearLayer, value: Float, count: int, random: np.random.Generator) -> Float:
    """At most `count` random rows of the matrix that the layer multiplies by its weight."""
    if kernel := _kernel(checkpoint, layer):
        top, left, bottom, right = layer.pads
        padded = np.pad(value, ((0, 0), (0, 0), (top, bottom), (left, right)))
        patches = np.lib.stride_tricks.sliding_window_view(padded, kernel, axis=(2, 3))
        patches = patches[:, :, :: layer.stride, :: layer.stride]
        n, y, x = (random.integers(0, patches.shape[axis], count) for axis in (0, 2, 3))
        return np.ascontiguousarray(patches[n, :, y, x].reshape(count, -1))
    flat = value.reshape(-1, value.shape[-1])
    return flat[random.permutation(len(flat))[:count]]


def _quantisation(checkpoint: Checkpoint, activations: Activations) -> Quantisation:
    """The one with the least noise over SMOOTHING_SHARES."""
    weights = {layer.name: checkpoint.array(f"{layer.name}.weight") for layer in activations.layers}
    exact = {name: activations.rows @ weight.reshape(len(weight), -1).T for name, weight in weights.items()}
    tried = (_with_share(activations, weights, exact, share) for share in SMOOTHING_SHARES)
    return min(tried, key=lambda one: one.noise)


def _with_share(
    activations: Activations, weights: dict[str, Float], exact: dict[str, Float], share: float
) -> Quantisation:
    """exact: the layers' outputs for the rows in fp32."""
    smoothing = _smoothing(activations, weights, share)
    by_column = np.repeat(smoothing, activations.rows.shape[1] // len(smoothing))  # of a weight as a matrix
    low, high = (
        RANGE_HEADROOM * float(end)
        for end in ((activations.low / smoothing).min(), (activations.high / smoothing).max())
    )
    scale = np.float32(max(high - low, 1e-30) / MAX_ACTIVATION_CODE)
    zero_point = round(float(-low / scale))
    rounded = _rounded(activations.rows / by_column, scale, zero_point)
    codes_by_layer, noise = {}, 0.0
    for name, weight in weights.items():
        codes, weight_scale = _weight_codes(weight.reshape(len(weight), -1) * by_column)
        codes_by_layer[name] = codes.astype(np.int8).reshape(weight.shape), weight_scale
        error = (rounded @ codes.T) * weight_scale - exact[name]
        noise = max(noise, float(np.square(error).sum() / max(np.square(exact[name]).sum(), 1e-30)))
    return Quantisation(smoothing, scale, zero_point, codes_by_layer, noise)


def _smoothing(activations: Activations, weights: dict[str, Float], share: float) -> Float:
    """(C,): the divisor of each channel, with median 1."""
    largest = np.maximum(-activations.low, activations.high)
    if share == 0:
        return np.ones_like(largest)
    largest_weight = np.max([_largest_by_channel(weight) for weight in weights.values()], axis=0)
    usable = (largest > 0) & (largest_weight > 0)
    if not usable.any():
        return np.ones_like(largest)
    largest, largest_weight = np.where(usable, largest, 1), np.where(usable, largest_weight, 1)
    powers = np.exp(share * np.log(largest) - (1 - share) * np.log(largest_weight))
    smoothing = np.where(usable, powers, 1).astype(np.float32)
    centred: Float = smoothing / np.float32(np.median(smoothing[usable]))
    return centred


def _largest_by_channel(weight: Float) -> Float:
    """(C,): the largest weight of each input channel."""
    largest: Float = np.abs(weight).max(axis=tuple(axis for axis in range(weight.ndim) if axis != 1))
    return largest


def _rounded(values: Float, scale: np.float32, zero_point: int) -> Float:
    """Values as their codes, 0 to 255, represent them."""
    rounded: Float = np.rint(values / scale).clip(-zero_point, MAX_ACTIVATION_CODE - zero_point) * scale
    return rounded


def _weight_codes(rows: Float) -> tuple[Float, Float]:
    """The codes of rows (O, K), which they overwrite, and the scale (O,) of each row."""
    largest = np.maximum(rows.max(axis=1, initial=0), -rows.min(axis=1, initial=0))
    scale = (largest / MAX_WEIGHT_CODE).astype(np.float32)
    scale[scale == 0] = 1
    rows /= scale[:, None]
    return np.rint(rows, out=rows), scale
