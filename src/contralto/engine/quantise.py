"""A tower in int8: weights in 127 levels a side for each output, and what a map reads in levels of one step.

Weights are easy, and what is read is not: a few channels of a trained tower are a hundred times larger than the others
(outliers), and one step for all would leave nothing of the small ones. Two things are done about it, both measured on
sample pictures or texts that go through the tower in fp32 first.

- Each channel is divided by a number of its own before it is put into levels, and the weights that read it are
  multiplied by it (Xiao et al. 2023, SmoothQuant): the product is the same, and the two share the spread.
- A map whose result int8 would still spoil is left in float: the noise that int8 adds to it is worked out on the
  samples, as a share of its own energy, before anything is run in int8.

The product of levels is then computed in whole numbers, exactly; what is stated here is all there is of rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from contralto.engine.base import TowerName
from contralto.engine.forest import forests, grows, lengths
from contralto.engine.graph.files import runtime_graph
from contralto.engine.graph.layers import SMOOTH, STEP, Map
from contralto.engine.openvino import NODES, configuration, core, infer, model
from contralto.weights.checkpoint import SCALE, Checkpoint, StoredTensor

Float = NDArray[np.float32]

HEAD = ".head."  # maps of which one row a picture or text is computed stay in float: nothing would be won
LEVELS, STEPS = 127, 255  # the largest number of a weight; of steps between the levels of what is read
ROWS = 256  # of what a map reads, on which its noise is worked out
SHARES = (0.0, 0.5)  # of the spread, on a logarithmic scale, that goes from what is read to the weights; tried in turn
HEADROOM = 1.25  # of the levels over what samples showed: others go further, and what is cut off costs most


class Seen(NamedTuple):
    """What the maps of one value read: the ends of each channel, and some rows, as a matrix product takes them."""

    maps: tuple[Map, ...]
    low: Float  # (C,), at most 0
    high: Float  # (C,), at least 0
    rows: Float  # (R, C x kernel)


class Levels(NamedTuple):
    """How one value is put into levels, and its maps' weights; noise: of the worst map, as a share of its energy."""

    smooth: Float  # (C,)
    step: np.float32
    zero: int  # the level of 0
    weights: dict[str, tuple[NDArray[np.int8], Float]]  # of each map: levels, and a scale for each output
    noise: float


def levels(
    checkpoint: Checkpoint,
    side: TowerName,
    batches: Sequence[NDArray[Any]],
    progress: Callable[[int, int], object] = lambda done, total: None,
) -> list[Levels]:
    """The levels of everything that the tower's maps read, from what they read of the samples.

    batches: of pixels float32 (N, 3, h, w), or of ids int64 (N, L). They go through one by one, in fp32. progress is
    called with (done, total) in between, and ends the work by what it raises.
    """
    seen = _watched(checkpoint, side, list(_inputs(checkpoint, side, batches)), progress)
    found = []
    for place, one in enumerate(seen, 1):
        found.append(_levels(checkpoint, one))
        progress(len(seen) + place, 2 * len(seen))
    checkpoint.release(side)
    return found


def quantised(checkpoint: Checkpoint, found: Sequence[Levels], most_noise: float) -> Checkpoint:
    """The checkpoint with those maps in int8 whose noise is at most `most_noise`; the others are left as they are."""
    tensors = dict(checkpoint.tensors)
    for one in found:
        if one.noise <= most_noise:
            tensors |= _stored(one)
    return Checkpoint(checkpoint.contract, tensors, checkpoint.files)


def _stored(one: Levels) -> dict[str, StoredTensor]:
    step = StoredTensor("F32", np.array([one.step, one.zero], np.float32))
    tensors: dict[str, StoredTensor] = {}
    for name, (numbers, scale) in one.weights.items():
        weight = f"{name}.weight"
        tensors |= {
            weight: StoredTensor("I8", numbers),
            weight + SCALE: StoredTensor("F32", scale),
            weight + STEP: step,
        }
        tensors[weight + SMOOTH] = StoredTensor("F32", one.smooth)
    return tensors


def _watched(
    checkpoint: Checkpoint,
    side: TowerName,
    inputs: Sequence[list[NDArray[Any]]],
    progress: Callable[[int, int], object],
) -> list[Seen]:
    """Runs the samples through the tower in fp32 and looks at every value that a map reads: half of the work."""
    progress(0, 2 * len(inputs))
    layers = runtime_graph(checkpoint, side)
    readers: dict[str, list[Map]] = {}
    for one in layers.maps:
        if HEAD not in one.name:
            readers.setdefault(one.input, []).append(one)
    values = [name for name in readers if name != "pixels"]
    watched = model(checkpoint, layers)
    watched.add_outputs(values)
    request = core().compile_model(watched, "CPU", configuration("fp32")).create_infer_request()
    ends: dict[str, tuple[Float, Float]] = {}
    rows: dict[str, list[Float]] = {name: [] for name in values}
    random = np.random.default_rng(0)
    for place, given in enumerate(inputs, 1):
        infer(request, given)
        for index, name in enumerate(values, 1):
            value = request.get_output_tensor(index).data
            channel = 1 if _kernel(checkpoint, readers[name][0]) else value.ndim - 1
            others = tuple(axis for axis in range(value.ndim) if axis != channel)
            low, high = ends.get(name, (np.float32(0), np.float32(0)))
            ends[name] = np.minimum(low, value.min(axis=others)), np.maximum(high, value.max(axis=others))
            rows[name].append(_rows(checkpoint, readers[name][0], value, -(-ROWS // len(inputs)), random))
        progress(place, 2 * len(inputs))
    return [Seen(tuple(readers[name]), *ends[name], np.concatenate(rows[name])) for name in values]


def _inputs(checkpoint: Checkpoint, side: TowerName, batches: Sequence[NDArray[Any]]) -> Iterator[list[NDArray[Any]]]:
    text = checkpoint.contract.text
    for batch in batches:
        if side == "image" or not grows(text):
            yield [batch]
        else:
            for forest in forests(batch, lengths(batch, text), NODES):
                yield list(forest.inputs)


def _kernel(checkpoint: Checkpoint, one: Map) -> tuple[int, ...]:
    """(height, width) of a convolution, whose value is (N, C, h, w); nothing for a linear map, which reads (..., C)."""
    return checkpoint.raw(f"{one.name}.weight").shape[2:]


def _rows(checkpoint: Checkpoint, one: Map, value: Float, count: int, random: np.random.Generator) -> Float:
    """`count` rows (at most) of what the map multiplies with its weight, taken at random."""
    if kernel := _kernel(checkpoint, one):
        top, left, bottom, right = one.pads
        padded = np.pad(value, ((0, 0), (0, 0), (top, bottom), (left, right)))
        patches = np.lib.stride_tricks.sliding_window_view(padded, kernel, axis=(2, 3))
        patches = patches[:, :, :: one.stride, :: one.stride]
        n, y, x = (random.integers(0, patches.shape[axis], count) for axis in (0, 2, 3))
        return np.ascontiguousarray(patches[n, :, y, x].reshape(count, -1))
    flat = value.reshape(-1, value.shape[-1])
    return flat[random.permutation(len(flat))[:count]]


def _levels(checkpoint: Checkpoint, seen: Seen) -> Levels:
    """The share of the spread that leaves the least noise."""
    weights = {one.name: checkpoint.array(f"{one.name}.weight") for one in seen.maps}
    wanted = {name: seen.rows @ weight.reshape(len(weight), -1).T for name, weight in weights.items()}
    return min((_with_share(seen, weights, wanted, share) for share in SHARES), key=lambda one: one.noise)


def _with_share(seen: Seen, weights: dict[str, Float], wanted: dict[str, Float], share: float) -> Levels:
    """wanted: what the maps make of the rows in fp32."""
    smooth = _smooth(seen, weights, share)
    each = np.repeat(smooth, seen.rows.shape[1] // len(smooth))  # of each column of a weight, as a matrix
    low, high = (HEADROOM * float(end) for end in ((seen.low / smooth).min(), (seen.high / smooth).max()))
    step = np.float32(max(high - low, 1e-30) / STEPS)
    zero = round(float(-low / step))
    read = _rounded(seen.rows / each, step, zero)
    stored, noise = {}, 0.0
    for name, weight in weights.items():
        numbers, scale = _numbers(weight.reshape(len(weight), -1) * each)
        stored[name] = numbers.astype(np.int8).reshape(weight.shape), scale
        off = (read @ numbers.T) * scale - wanted[name]
        noise = max(noise, float(np.square(off).sum() / max(np.square(wanted[name]).sum(), 1e-30)))
    return Levels(smooth, step, zero, stored, noise)


def _smooth(seen: Seen, weights: dict[str, Float], share: float) -> Float:
    """(C,): what each channel is divided by; around 1."""
    read = np.maximum(-seen.low, seen.high)
    if share == 0:
        return np.ones_like(read)
    across = np.max([_by_channel(weight) for weight in weights.values()], axis=0)
    usable = (read > 0) & (across > 0)
    if not usable.any():
        return np.ones_like(read)
    read, across = np.where(usable, read, 1), np.where(usable, across, 1)
    smooth = np.where(usable, np.exp(share * np.log(read) - (1 - share) * np.log(across)), 1).astype(np.float32)
    found: Float = smooth / np.float32(np.median(smooth[usable]))
    return found


def _by_channel(weight: Float) -> Float:
    """(C,): the largest weight that reads each channel."""
    largest: Float = np.abs(weight).max(axis=tuple(axis for axis in range(weight.ndim) if axis != 1))
    return largest


def _rounded(values: Float, step: np.float32, zero: int) -> Float:
    """Values as their levels, 0 to 255, stand for them."""
    found: Float = np.rint(values / step).clip(-zero, STEPS - zero) * step
    return found


def _numbers(rows: Float) -> tuple[Float, Float]:
    """Rows (O, K) as levels, whole numbers, in their place; and the scale of each."""
    largest = np.maximum(rows.max(axis=1, initial=0), -rows.min(axis=1, initial=0))
    scale = (largest / LEVELS).astype(np.float32)
    scale[scale == 0] = 1
    rows /= scale[:, None]
    return np.rint(rows, out=rows), scale
