"""What each precision makes here: its rows' cosine to those of fp32, and how many go through in a second.

Measured once for a model, a tower and a machine, on samples; kept in the cache folder, with the tower in int8.
"""

from __future__ import annotations

import logging
import math
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from contralto.engine.base import Float
from contralto.engine.graph.files import Side
from contralto.engine.openvino import OpenVINO, computes
from contralto.engine.quantise import levels, quantised
from contralto.weights.checkpoint import Checkpoint

BOUNDS = {"image": 0.999, "text": 0.9999}  # what auto keeps: the lowest cosine of a sample's row to that of fp32
INT8_BOUNDS = {"image": 0.999, "text": 0.999}
# Samples are few, and others will be further off: of what a bound allows, this part may be used on them.
USED = 0.75
MOST_NOISE = 1e-3  # that a map may take from int8, as a share of its own energy
SHARES = (
    1.0,
    0.75,
    0.5,
    0.25,
)  # of the maps that are in int8, those with the least noise; the first that is near enough
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
        bound = (INT8_BOUNDS if self.precision == "int8" else BOUNDS)[self.tower]
        return 1 - self.cosine <= USED * (1 - bound)


def measure(checkpoint: Checkpoint, side: Side, samples: Samples) -> tuple[list[Measured], Checkpoint]:
    """Every precision that this processor computes in, and the tower in int8. One tower is held at a time."""
    log.info("measuring the %s tower of %s on this machine, once ...", side, checkpoint.contract.name)
    batch: NDArray[Any] = samples.pixels() if side == "image" else samples.ids()
    fitted, held = batch[::2], batch[1::2]  # int8 is not measured on what it was fitted to
    exact = OpenVINO(checkpoint, "fp32")
    wanted = _rows(exact, side, held)
    found = [Measured(exact.name, "fp32", side, per_second(exact, side, batch), 1.0)]
    del exact
    for precision in ("bf16", "fp16"):
        if computes(precision):
            half = OpenVINO(checkpoint, precision)
            cosine = _cosine(_rows(half, side, held), wanted)
            found.append(Measured(half.name, precision, side, per_second(half, side, batch), cosine))
    read = levels(checkpoint, side, _parts(fitted, side))
    best: tuple[float, Checkpoint] | None = None
    for limit in _limits([one.noise for one in read]):
        made = quantised(checkpoint, read, limit)
        cosine = _cosine(_rows(OpenVINO(made, "int8", rest(found)), side, held), wanted)
        best = (cosine, made) if best is None or cosine > best[0] else best
        if 1 - cosine <= USED * (1 - INT8_BOUNDS[side]):
            break
    assert best is not None
    engine = OpenVINO(best[1], "int8", rest(found))
    return [*found, Measured(engine.name, "int8", side, per_second(engine, side, batch), best[0])], best[1]


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
    """Items of the batch, the median of a few rounds after one that loads the tower."""
    _run(engine, side, batch)
    seconds: list[float] = []
    while len(seconds) < ROUNDS and sum(seconds) < SECONDS:
        begin = time.perf_counter()
        _run(engine, side, batch)
        seconds.append(time.perf_counter() - begin)
    return len(batch) / statistics.median(seconds)


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
