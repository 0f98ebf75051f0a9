"""What each precision makes here: its rows' cosine to those of fp32, and how many go through in a second.

Measured once for a model, a tower and a machine, on samples; kept in the cache folder, with the tower in int8.
"""

from __future__ import annotations

import logging
import math
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from contralto.engine.base import Float, Side
from contralto.engine.openvino import OpenVINO, computes
from contralto.engine.quantise import levels, quantised
from contralto.weights.checkpoint import Checkpoint

BOUNDS = {"image": 0.999, "text": 0.9999}  # what auto keeps: the lowest cosine of a sample's row to that of fp32
INT8_BOUNDS = {"image": 0.999, "text": 0.999}
# Samples are few, and others will be further off: of what a bound allows, this part may be used on them.
USED = 0.75
MOST_NOISE = 1e-3  # that a map may take from int8, as a share of its own energy
# How many of the maps, those with the least noise, are in int8: the first share that is near enough.
SHARES = (1.0, 0.75, 0.5, 0.25)
ROUNDS, SECONDS = 5, 0.8  # of timing, whichever comes first

log = logging.getLogger("contralto")


class Samples(Protocol):
    """Pixels float32 (N, 3, h, w) and ids int64 (N, context) on which a model's engines are measured."""

    def pixels(self) -> NDArray[np.float32]: ...
    def ids(self) -> NDArray[np.int64]: ...


@dataclass(frozen=True)
class Measured:
    """One tower in one precision: the lowest cosine of a sample's row to that of fp32."""

    engine: str
    precision: str
    tower: Side
    per_second: float
    cosine: float

    @property
    def keeps_the_bound(self) -> bool:
        """Whether auto may choose it."""
        return _keeps(self.cosine, (INT8_BOUNDS if self.precision == "int8" else BOUNDS)[self.tower])


def measure(checkpoint: Checkpoint, side: Side, samples: Samples) -> tuple[list[Measured], Checkpoint]:
    """Every precision that this processor computes in, and the tower in int8. One tower is held at a time."""
    log.info("measuring the %s tower of %s on this machine, once ...", side, checkpoint.contract.name)
    batch: NDArray[Any] = samples.pixels() if side == "image" else samples.ids()
    fitted, held = batch[::2], batch[1::2]  # int8 is not measured on what it was fitted to
    found: list[Measured] = []

    def measured(engine: OpenVINO, cosine: float) -> Measured:
        return Measured(engine.name, engine.precision, side, per_second(engine, side, batch), cosine)

    engine = OpenVINO(checkpoint)
    wanted = _rows(engine, side, held)
    found.append(measured(engine, 1.0))
    for precision in ("bf16", "fp16"):
        if computes(precision):
            engine = OpenVINO(checkpoint, precision)  # takes the place of the one before, whose tower is freed
            found.append(measured(engine, _cosine(_rows(engine, side, held), wanted)))
    del engine
    read, others = levels(checkpoint, side, _parts(fitted, side)), rest(found)
    best, cosine = checkpoint, -1.0
    for limit in _limits([one.noise for one in read]):
        made = quantised(checkpoint, read, limit)
        if (lowest := _cosine(_rows(OpenVINO(made, "int8", others), side, held), wanted)) > cosine:
            best, cosine = made, lowest
        if _keeps(cosine, INT8_BOUNDS[side]):
            break
    return [*found, measured(OpenVINO(best, "int8", others), cosine)], best


def _keeps(cosine: float, bound: float) -> bool:
    return 1 - cosine <= USED * (1 - bound)


def rest(measured: Sequence[Measured]) -> str:
    """What a tower in int8 computes all else in: norms, softmax, and the maps that int8 would spoil."""
    bf16 = [one for one in measured if one.precision == "bf16" and one.cosine >= BOUNDS[one.tower]]
    return "bf16" if bf16 else "fp32"


def _limits(noises: Sequence[float]) -> list[float]:
    """The most noise of a map in int8, for each of SHARES."""
    usable = sorted(noise for noise in noises if noise <= MOST_NOISE) or [min(noises)]
    return list(dict.fromkeys(usable[math.ceil(share * len(usable)) - 1] for share in SHARES))


def _parts(batch: NDArray[Any], side: Side) -> list[NDArray[Any]]:
    """Pictures go one by one, as everything that the tower computes of them is looked at."""
    return [batch[i : i + 1] for i in range(len(batch))] if side == "image" else [batch]


def per_second(engine: OpenVINO, side: Side, batch: NDArray[Any]) -> float:
    """Items of the batch."""
    return rate(lambda: _run(engine, side, batch), len(batch), ROUNDS, SECONDS)


def rate(work: Callable[[], object], count: int, rounds: int, limit: float) -> float:
    """Of `count` things a second, the median of so many rounds or seconds, after one that loads what it needs."""
    work()
    seconds: list[float] = []
    while len(seconds) < rounds and sum(seconds) < limit:
        begin = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - begin)
    return count / statistics.median(seconds)


def _run(engine: OpenVINO, side: Side, batch: NDArray[Any]) -> Float:
    return engine.image(batch) if side == "image" else engine.text(batch)


def _rows(engine: OpenVINO, side: Side, batch: NDArray[Any]) -> Float:
    """Of unit length."""
    rows = _run(engine, side, batch)
    found: Float = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return found


def _cosine(rows: Float, wanted: Float) -> float:
    """The lowest of any row with its own."""
    return float((rows * wanted).sum(axis=1).min())
