"""Measures each precision on this machine: the cosine of its embeddings to those of fp32, and its items per second.

A tower is measured once per model and machine, on samples; `measurements_cache.py` caches the result with the int8
tower.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from contralto import progress
from contralto.engine.base import Float, TowerName
from contralto.engine.openvino import OpenVINO, supports
from contralto.engine.quantise import calibrate, quantise
from contralto.weights.checkpoint import Checkpoint

# Auto chooses only precisions whose embeddings have at least this cosine to fp32. Explicit int8 has the lower bound
# auto.INT8_MIN_COSINE.
AUTO_MIN_COSINE: Final[dict[TowerName, float]] = {"image": 0.999, "text": 0.9999}
AUTO_MIN_COSINE_INT8: Final[dict[TowerName, float]] = {"image": 0.999, "text": 0.999}
# There are few samples, and other items have larger errors: samples may use this part of the error that a bound allows.
SAMPLE_MARGIN: Final = 0.75
MAX_LAYER_NOISE: Final = 1e-3  # of a layer in int8, as a share of the energy of its output
INT8_TRIES: Final = 4  # of towers with ever fewer layers in int8
TIMING_ROUNDS, TIMING_SECONDS = 3, 0.5  # whichever comes first

# The cost of measuring (docs/speed.md): the items that are computed in all, counted as if in fp32; for each weight, the
# time to compile and quantise it; and a constant.
MEASURING_ITEMS: Final[dict[TowerName, int]] = {"image": 120, "text": 1920}
SECONDS_PER_WEIGHT, SECONDS_PER_TOWER = 6e-8, 2.5
ESTIMATE_ITEMS: Final[dict[TowerName, int]] = {"image": 8, "text": 32}  # to time a tower in fp32
CALIBRATION_STEPS: Final = 10  # of the progress, out of about 13


class Samples(Protocol):
    """Pixels float32 (N, 3, h, w) and ids int64 (N, context) on which a model's engines are measured."""

    def pixels(self) -> NDArray[np.float32]: ...
    def ids(self) -> NDArray[np.int64]: ...


@dataclass(frozen=True)
class Measurement:
    """One tower in one precision. cosine: the lowest of any sample's embedding to that of fp32."""

    engine: str
    precision: str
    tower: TowerName
    per_second: float
    cosine: float

    @property
    def bound(self) -> float:
        """The bound on the cosine; the samples must keep it with a margin (`SAMPLE_MARGIN`)."""
        return (AUTO_MIN_COSINE_INT8 if self.precision == "int8" else AUTO_MIN_COSINE)[self.tower]

    @property
    def keeps_the_bound(self) -> bool:
        """Whether auto may choose this precision."""
        return _keeps(self.cosine, self.bound)


class TowerMeasurements(NamedTuple):
    """The measurements of one tower in all precisions, the tower in int8, and the engine that has compiled it."""

    measurements: list[Measurement]
    int8: Checkpoint
    engine: OpenVINO


class Overrun(Exception):
    """Measuring takes longer than it may."""


def measure(
    checkpoint: Checkpoint, tower: TowerName, samples: Samples, exact: OpenVINO, until: float | None = None
) -> TowerMeasurements:
    """Measures every precision that this processor can compute. exact: the engine of the checkpoint in fp32.

    Progress goes to `contralto.progress`. Raises Overrun after `until`, a time of `time.perf_counter`. It may be
    interrupted at any time, as nothing is cached here.
    """
    halves = [precision for precision in ("bf16", "fp16") if supports(precision)]
    steps = _Steps(checkpoint.contract.name, tower, ["fp32", *halves], until)
    batch: NDArray[Any] = samples.pixels() if tower == "image" else samples.ids()
    calibration, held_out = batch[::2], batch[1::2]  # int8 is not measured on the samples that it was calibrated on
    steps.begin("fp32")
    expected = _embeddings(exact, tower, held_out)
    measurements = [_timed(exact, tower, held_out, 1.0)]
    for precision in halves:
        steps.begin(precision)
        if len(measurements) == 1 or not measurements[-1].keeps_the_bound:  # fp16 is no faster than an exact bf16
            engine = OpenVINO(checkpoint, precision)
            cosine = _cosine(_embeddings(engine, tower, held_out), expected)
            measurements.append(_timed(engine, tower, held_out, cosine))
    return _with_int8(checkpoint, tower, measurements, (calibration, held_out, expected), steps)


def _with_int8(
    checkpoint: Checkpoint,
    tower: TowerName,
    measurements: list[Measurement],
    samples: tuple[NDArray[Any], NDArray[Any], Float],
    steps: _Steps,
) -> TowerMeasurements:
    """samples: the ones to calibrate on, the ones to measure on, and the fp32 embeddings of the second ones."""
    calibration, held_out, expected = samples
    quantisations = calibrate(checkpoint, tower, _parts(calibration, tower), steps.calibrated)
    others = float_precision(measurements)
    steps.begin("int8")
    noises = sorted(one.noise for one in quantisations if one.noise <= MAX_LAYER_NOISE)
    noises = noises or [min(one.noise for one in quantisations)]
    best, cosine = None, -1.0
    for _ in range(INT8_TRIES):
        int8 = quantise(checkpoint, quantisations, noises[-1])
        engine = OpenVINO(int8, "int8", others)
        if (lowest := _cosine(_embeddings(engine, tower, held_out), expected)) > cosine or best is None:
            best, cosine = (int8, engine), lowest
        steps.check()
        allowed = SAMPLE_MARGIN * (1 - AUTO_MIN_COSINE_INT8[tower])
        noises = noises[: _layers_within(noises, allowed / max(1 - lowest, 1e-9))]
        if not noises or _keeps(cosine, AUTO_MIN_COSINE_INT8[tower]):
            break
    assert best is not None, "the first try sets it"
    measurements = [*measurements, _timed(best[1], tower, held_out, cosine)]
    steps.end()
    return TowerMeasurements(measurements, *best)


class _Steps:
    """Reports the progress of measuring, and stops it when its time is over."""

    def __init__(self, name: str, tower: TowerName, floats: list[str], until: float | None) -> None:
        self._until, self._floats, self._done = until, floats, -1
        self._total = len(floats) + CALIBRATION_STEPS + 1
        self._stage = f"measuring this machine, once, for the {tower} tower of {name}"

    def begin(self, precision: str) -> None:
        """Raises Overrun."""
        done = self._floats.index(precision) if precision in self._floats else self._total - 1
        self._tell(precision if done else ", ".join([*self._floats, "int8"]), done)
        self.check()

    def calibrated(self, done: int, total: int) -> None:
        """Reports that `done` of `total` activations are calibrated. Raises Overrun."""
        reached = len(self._floats) + CALIBRATION_STEPS * done // total
        if reached > self._done:
            self._tell("int8, calibration", reached)
        self.check()

    def check(self) -> None:
        """Raises Overrun."""
        if self._until is not None and time.perf_counter() > self._until:
            self._tell("stopped", self._total)
            raise Overrun

    def end(self) -> None:
        self._tell("done", self._total)

    def _tell(self, now: str, done: int) -> None:
        self._done = done
        progress.log_progress(self._stage, done, self._total, now)


def expected_seconds(checkpoint: Checkpoint, tower: TowerName, per_second: float) -> float:
    """Expected seconds of `measure`, for a tower that computes `per_second` items per second in fp32."""
    weights = sum(stored.array.size for name, stored in checkpoint.tensors.items() if name.startswith(f"{tower}."))
    return SECONDS_PER_TOWER + SECONDS_PER_WEIGHT * weights + MEASURING_ITEMS[tower] / per_second


def estimate_rate(engine: OpenVINO, tower: TowerName, samples: Samples) -> float:
    """Items per second of this engine, from a few samples."""
    batch: NDArray[Any] = samples.ids() if tower == "text" else samples.pixels()
    return rate(lambda: _run(engine, tower, batch[: ESTIMATE_ITEMS[tower]]), ESTIMATE_ITEMS[tower], 1, 0)


def fastest_precision(measurements: Sequence[Measurement]) -> Measurement:
    """The fastest precision within its bound; fp32 always is."""
    return max((one for one in measurements if one.keeps_the_bound), key=lambda one: one.per_second)


def _timed(engine: OpenVINO, tower: TowerName, batch: NDArray[Any], cosine: float) -> Measurement:
    """engine: has computed this batch before. A precision that is too coarse to be chosen is timed only once."""
    untimed = Measurement(engine.name, engine.precision, tower, 0.0, cosine)
    rounds = TIMING_ROUNDS if untimed.keeps_the_bound else 1
    return replace(untimed, per_second=_rate(lambda: _run(engine, tower, batch), len(batch), rounds, TIMING_SECONDS))


def _keeps(cosine: float, bound: float) -> bool:
    return 1 - cosine <= SAMPLE_MARGIN * (1 - bound)


def float_precision(measurements: Sequence[Measurement]) -> str:
    """The precision for everything in an int8 tower that is not int8: norms, softmax, and the noisiest layers.

    bf16 where it is exact enough and faster here: some processors have bf16 instructions, but are slow at them.
    """
    exact = next(one for one in measurements if one.precision == "fp32")
    bf16 = [one for one in measurements if one.precision == "bf16" and one.cosine >= AUTO_MIN_COSINE[one.tower]]
    return "bf16" if any(one.per_second > exact.per_second for one in bf16) else "fp32"


def _layers_within(noises: Sequence[float], share: float) -> int:
    """The number of layers that add up to at most this share of all noise; fewer than all. noises: ascending.

    The error of an embedding grows at most with the sum of the noises: the noisiest layers of a tower are its first,
    whose noise goes through all others.
    """
    sums = np.cumsum(noises)
    return min(len(noises) - 1, int(np.searchsorted(sums, share * sums[-1], side="right")))


def _parts(batch: NDArray[Any], tower: TowerName) -> list[NDArray[Any]]:
    """Pictures one by one, because calibration keeps every activation of its input in memory."""
    return [batch[i : i + 1] for i in range(len(batch))] if tower == "image" else [batch]


def rate(work: Callable[[], object], count: int, rounds: int, limit: float) -> float:
    """Median items per second over `rounds` or `limit` seconds, after a warm-up. count: items per call of `work`."""
    work()
    return _rate(work, count, rounds, limit)


def _rate(work: Callable[[], object], count: int, rounds: int, limit: float) -> float:
    seconds: list[float] = []
    while not seconds or (len(seconds) < rounds and sum(seconds) < limit):
        begin = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - begin)
    return count / statistics.median(seconds)


def _run(engine: OpenVINO, tower: TowerName, batch: NDArray[Any]) -> Float:
    return engine.image(batch) if tower == "image" else engine.text(batch)


def _embeddings(engine: OpenVINO, tower: TowerName, batch: NDArray[Any]) -> Float:
    """Embeddings (N, E) of unit length."""
    raw = _run(engine, tower, batch)
    unit: Float = raw / np.linalg.norm(raw, axis=1, keepdims=True)
    return unit


def _cosine(embeddings: Float, expected: Float) -> float:
    """The lowest cosine of any embedding to the expected one of the same item."""
    return float((embeddings * expected).sum(axis=1).min())
