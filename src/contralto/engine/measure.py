"""What each precision makes here: its rows' cosine to those of fp32, and how many go through in a second.

Measured once for a model, a tower and a machine, on samples; kept in the cache folder, with the tower in int8.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from contralto import progress
from contralto.engine.base import Float, TowerName
from contralto.engine.openvino import OpenVINO, computes
from contralto.engine.quantise import levels, quantised
from contralto.weights.checkpoint import Checkpoint

BOUNDS: dict[TowerName, float] = {
    "image": 0.999,
    "text": 0.9999,
}  # what auto keeps: the lowest cosine of a row to fp32's
INT8_BOUNDS: dict[TowerName, float] = {"image": 0.999, "text": 0.999}
# Samples are few, and others will be further off: of what a bound allows, this part may be used on them.
USED = 0.75
MOST_NOISE = 1e-3  # that a map may take from int8, as a share of its own energy
TRIES = 4  # of towers with ever fewer maps in int8
ROUNDS, SECONDS = 3, 0.5  # of timing, whichever comes first

# What measuring costs (docs/speed.md): so many items go through in all, counted as if in fp32; each weight takes its
# time to be compiled and put into levels; and there is what every tower takes.
ITEMS: dict[TowerName, int] = {"image": 120, "text": 1920}
SECONDS_A_WEIGHT, SECONDS_A_TOWER = 6e-8, 2.5
PROBE: dict[TowerName, int] = {"image": 8, "text": 32}  # items that tell how fast a tower is in fp32
LEVELS_STEPS = 10  # of progress, while levels are looked for


class Samples(Protocol):
    """Pixels float32 (N, 3, h, w) and ids int64 (N, context) on which a model's engines are measured."""

    def pixels(self) -> NDArray[np.float32]: ...
    def ids(self) -> NDArray[np.int64]: ...


@dataclass(frozen=True)
class Measured:
    """One tower in one precision: the lowest cosine of a sample's row to that of fp32."""

    engine: str
    precision: str
    tower: TowerName
    per_second: float
    cosine: float

    @property
    def bound(self) -> float:
        """The least cosine with which auto chooses it."""
        return (INT8_BOUNDS if self.precision == "int8" else BOUNDS)[self.tower]

    @property
    def keeps_the_bound(self) -> bool:
        """Whether auto may choose it."""
        return _keeps(self.cosine, self.bound)


class Found(NamedTuple):
    """What was measured, the tower in int8, and the engine that has it compiled."""

    measured: list[Measured]
    int8: Checkpoint
    engine: OpenVINO


class Overrun(Exception):
    """Measuring takes longer than it may."""


def measure(
    checkpoint: Checkpoint, side: TowerName, samples: Samples, exact: OpenVINO, until: float | None = None
) -> Found:
    """Every precision that can be chosen on this processor. exact: the engine of the checkpoint in fp32.

    How far it is goes to `contralto.progress`. Raises Overrun after `until`, a time of `time.perf_counter`; it may be
    interrupted at any time, as nothing is kept here.
    """
    halves = [precision for precision in ("bf16", "fp16") if computes(precision)]
    steps = _Steps(checkpoint.contract.name, side, ["fp32", *halves], until)
    batch: NDArray[Any] = samples.pixels() if side == "image" else samples.ids()
    fitted, held = batch[::2], batch[1::2]  # int8 is not measured on what it was fitted to
    steps.begin("fp32")
    wanted = _rows(exact, side, held)
    found = [_timed(exact, side, held, 1.0)]
    for precision in halves:
        steps.begin(precision)
        if len(found) == 1 or not found[-1].keeps_the_bound:  # where bf16 is near enough, fp16 is no faster
            engine = OpenVINO(checkpoint, precision)
            found.append(_timed(engine, side, held, _cosine(_rows(engine, side, held), wanted)))
    return _with_int8(checkpoint, side, found, (fitted, held, wanted), steps)


def _with_int8(
    checkpoint: Checkpoint,
    side: TowerName,
    found: list[Measured],
    samples: tuple[NDArray[Any], NDArray[Any], Float],
    steps: _Steps,
) -> Found:
    """samples: those to fit levels to, those to measure on, and the rows of the latter in fp32."""
    fitted, held, wanted = samples
    read, others = levels(checkpoint, side, _parts(fitted, side), steps.levels), rest(found)
    steps.begin("int8")
    noises = sorted(one.noise for one in read if one.noise <= MOST_NOISE) or [min(one.noise for one in read)]
    best, cosine = None, -1.0
    for _ in range(TRIES):
        made = quantised(checkpoint, read, noises[-1])
        engine = OpenVINO(made, "int8", others)
        if (lowest := _cosine(_rows(engine, side, held), wanted)) > cosine or best is None:
            best, cosine = (made, engine), lowest
        steps.check()
        noises = noises[: _fewer(noises, USED * (1 - INT8_BOUNDS[side]) / max(1 - lowest, 1e-9))]
        if not noises or _keeps(cosine, INT8_BOUNDS[side]):
            break
    assert best is not None, "there is always a first try"
    found = [*found, _timed(best[1], side, held, cosine)]
    steps.end()
    return Found(found, *best)


class _Steps:
    """Tells what is being measured, and ends it when its time is over."""

    def __init__(self, name: str, side: TowerName, floats: list[str], until: float | None) -> None:
        self._until, self._floats, self._done = until, floats, -1
        self._total = len(floats) + LEVELS_STEPS + 1
        self._stage = f"measuring this machine, once, for the {side} tower of {name}"

    def begin(self, precision: str) -> None:
        """Raises Overrun."""
        done = self._floats.index(precision) if precision in self._floats else self._total - 1
        self._tell(precision if done else ", ".join([*self._floats, "int8"]), done)
        self.check()

    def levels(self, done: int, total: int) -> None:
        """So many of the values that maps read have their levels. Raises Overrun."""
        reached = len(self._floats) + LEVELS_STEPS * done // total
        if reached > self._done:
            self._tell("int8, its levels", reached)
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
        progress.tell(self._stage, done, self._total, now)


def cost(checkpoint: Checkpoint, side: TowerName, per_second: float) -> float:
    """Seconds that `measure` is expected to take of a tower that makes so many items a second in fp32."""
    weights = sum(stored.array.size for name, stored in checkpoint.tensors.items() if name.startswith(f"{side}."))
    return SECONDS_A_TOWER + SECONDS_A_WEIGHT * weights + ITEMS[side] / per_second


def probe(engine: OpenVINO, side: TowerName, samples: Samples) -> float:
    """Items that the engine makes in a second, from few of them."""
    batch: NDArray[Any] = samples.ids() if side == "text" else samples.pixels()
    return rate(lambda: _run(engine, side, batch[: PROBE[side]]), PROBE[side], 1, 0)


def fastest(measured: Sequence[Measured]) -> Measured:
    """The fastest that keeps the bound, which fp32 always does."""
    return max((one for one in measured if one.keeps_the_bound), key=lambda one: one.per_second)


def _timed(engine: OpenVINO, side: TowerName, batch: NDArray[Any], cosine: float) -> Measured:
    """An engine that has computed the batch before. What is too coarse to be chosen is timed no more than once."""
    once = Measured(engine.name, engine.precision, side, 0.0, cosine)
    found = _rate(lambda: _run(engine, side, batch), len(batch), ROUNDS if once.keeps_the_bound else 1, SECONDS)
    return replace(once, per_second=found)


def _keeps(cosine: float, bound: float) -> bool:
    return 1 - cosine <= USED * (1 - bound)


def rest(measured: Sequence[Measured]) -> str:
    """What a tower in int8 computes all else in: norms, softmax, and the maps that int8 would spoil.

    bf16 where it is near enough and faster here: some processors have its instructions, but compute slowly with them.
    """
    exact = next(one for one in measured if one.precision == "fp32")
    bf16 = [one for one in measured if one.precision == "bf16" and one.cosine >= BOUNDS[one.tower]]
    return "bf16" if any(one.per_second > exact.per_second for one in bf16) else "fp32"


def _fewer(noises: Sequence[float], share: float) -> int:
    """How many maps, of these noises in ascending order, make at most this share of their noise; fewer than all.

    What a row is off by grows with the sum of the noises at most, as the noisiest maps of a tower are its first, whose
    noise goes through all others.
    """
    sums = np.cumsum(noises)
    return min(len(noises) - 1, int(np.searchsorted(sums, share * sums[-1], side="right")))


def _parts(batch: NDArray[Any], side: TowerName) -> list[NDArray[Any]]:
    """Pictures go one by one, as everything that the tower computes of them is looked at."""
    return [batch[i : i + 1] for i in range(len(batch))] if side == "image" else [batch]


def rate(work: Callable[[], object], count: int, rounds: int, limit: float) -> float:
    """Of `count` things a second, the median of so many rounds or seconds, after one that loads what it needs."""
    work()
    return _rate(work, count, rounds, limit)


def _rate(work: Callable[[], object], count: int, rounds: int, limit: float) -> float:
    seconds: list[float] = []
    while not seconds or (len(seconds) < rounds and sum(seconds) < limit):
        begin = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - begin)
    return count / statistics.median(seconds)


def _run(engine: OpenVINO, side: TowerName, batch: NDArray[Any]) -> Float:
    return engine.image(batch) if side == "image" else engine.text(batch)


def _rows(engine: OpenVINO, side: TowerName, batch: NDArray[Any]) -> Float:
    """Of unit length."""
    rows = _run(engine, side, batch)
    found: Float = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return found


def _cosine(rows: Float, wanted: Float) -> float:
    """The lowest of any row with its own."""
    return float((rows * wanted).sum(axis=1).min())
