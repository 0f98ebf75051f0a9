"""The engine with automatic precision: each tower runs in fp32 first, then in the fastest precision that is exact
enough on this machine."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from typing import Any, Final

from numpy.typing import NDArray

from contralto.engine import measure, measurements_cache
from contralto.engine.base import TOWER_NAMES, Float, TowerName
from contralto.engine.measure import Measurement, Overrun, Samples, TowerMeasurements
from contralto.engine.openvino import OpenVINO
from contralto.errors import ContraltoError
from contralto.weights.checkpoint import Checkpoint

ITEM_NOUNS: Final[dict[TowerName, str]] = {"image": "pictures", "text": "texts"}
AUTO_FROM: Final[dict[TowerName, int]] = {"image": 64, "text": 256}  # with fewer items in all, auto stays in fp32
MEASURING_SHARE: Final = 0.1  # Measuring may take this share of the time that the call's items take in fp32.
# Explicit int8 is refused if any sample's embedding has a lower cosine to fp32. The bounds of precision auto are
# measure.AUTO_MIN_COSINE and AUTO_MIN_COSINE_INT8.
INT8_MIN_COSINE: Final = 0.99

log = logging.getLogger("contralto")


@dataclass(frozen=True)
class PrecisionChoice:
    """The precision of a tower for large amounts of work, the reason, and its measurements (none if not measured)."""

    precision: str
    why: str
    measurements: tuple[Measurement, ...] = ()


class AutoPrecision:
    """OpenVINO with a precision per tower. Threads may share it.

    A call keeps the precision that it began with: `engine_for` gives the engine for it.
    """

    name = "openvino"
    images_at_once = OpenVINO.images_at_once

    def __init__(self, checkpoint: Checkpoint, samples: Samples, requested: str | None) -> None:
        """requested: int8, or None for the fastest precision within the bounds."""
        self._towers: dict[TowerName, _Tower] = {
            tower: _Tower(checkpoint, tower, samples, requested) for tower in TOWER_NAMES
        }
        self._grids = OpenVINO(checkpoint)

    def image(self, pixels: NDArray[Any]) -> Float:
        """pixels float32 (N, 3, h, w) -> embeddings float32 (N, E), not normalised."""
        return self.engine_for("image", len(pixels)).image(pixels)

    def grid(self, pixels: NDArray[Any]) -> Float:
        """pixels float32 (N, 3, h, w) -> what the end of the tower reads, in fp32; see `Engine.grid`."""
        return self._grids.grid(pixels)

    def text(self, ids: NDArray[Any]) -> Float:
        """ids int64 (N, L) -> embeddings float32 (N, E), not normalised."""
        return self.engine_for("text", len(ids)).text(ids)

    def engine_for(self, tower: TowerName, count: int) -> OpenVINO:
        """The engine for `count` items. Measures first if there are so many items that measuring saves time."""
        return self._towers[tower].engine_for(count)

    @property
    def precision(self) -> str:
        """The precision in use now: one word if both towers agree, else "int8 (image), fp32 (text)"."""
        return precision_label(self.precision_of("image"), self.precision_of("text"))

    def precision_of(self, tower: TowerName) -> str:
        """The precision that a tower is computed in now."""
        return self._towers[tower].precision

    def choices(self, *, settle: bool) -> list[PrecisionChoice]:
        """The choice for each tower, the image tower first.

        settle: settle both towers now, and measure those that were never measured.
        """
        return [tower.settle() if settle else tower.expected_choice() for tower in self._towers.values()]

    def made_in(self, tower: TowerName) -> str:
        """The precision part of a cache key; see `choose.made_in`."""
        return self._towers[tower].made_in()

    def recalibrate(self, samples: Samples) -> None:
        """Measures both towers again on these samples, and settles them."""
        for tower in self._towers.values():
            tower.recalibrate(samples)


def precision_label(image: str, text: str) -> str:
    """The precisions of both towers for people: "int8", or "int8 (image), fp32 (text)". Never parse it."""
    return image if image == text else f"{image} (image), {text} (text)"


class _Tower:
    """One tower, in fp32 until its precision is settled."""

    def __init__(self, checkpoint: Checkpoint, tower: TowerName, samples: Samples, requested: str | None) -> None:
        self._checkpoint, self._tower, self._samples, self._requested = checkpoint, tower, samples, requested
        self._engine = OpenVINO(checkpoint)
        # Once it is settled. A detector's image tower gives no embeddings to be measured; its boxes need exact numbers.
        self._detects = tower == "image" and checkpoint.contract.detector is not None
        self._choice = PrecisionChoice("fp32", "image fp32: a detector") if self._detects else None
        self._expected = 0  # items since the start
        self._fp32_rate: float | None = None  # items per second
        self._gave_up = False  # because measuring took too long
        self._lock = threading.RLock()

    @property
    def precision(self) -> str:
        choice = self._choice
        return choice.precision if choice else self._requested or "fp32"

    def engine_for(self, count: int) -> OpenVINO:
        with self._lock:
            self._expected += count
            if self._choice is None and self._requested is not None:
                self.settle()
            elif self._choice is None and self._expected >= AUTO_FROM[self._tower]:
                self._decide(count)
            return self._engine

    def settle(self) -> PrecisionChoice:
        with self._lock:
            if self._choice is not None:
                return self._choice
            return self._settle_from_cache() or self._settle_on(self._measure())

    def expected_choice(self) -> PrecisionChoice:
        """The settled choice, or the one that `settle` would make. Measures nothing."""
        with self._lock:
            if self._choice is not None:
                return self._choice
            measurements = measurements_cache.load_measurements(self._checkpoint, self._tower)
        if measurements:
            choice = self._choose(measurements)
            waits = self._requested is None and choice.precision != "fp32"
            later = f", from {AUTO_FROM[self._tower]} {ITEM_NOUNS[self._tower]} on" if waits else ""
            return PrecisionChoice(choice.precision, choice.why + later, choice.measurements)
        return PrecisionChoice(self.precision, f"{self._tower} {self.precision}: not measured on this machine yet")

    def made_in(self) -> str:
        with self._lock:
            if self._requested is not None:
                self.settle()
            if self._choice is None:
                return "auto"
            if self._choice.precision != "int8":
                return self._choice.precision
            return f"int8 {measurements_cache.int8_digest(self._engine.checkpoint, self._checkpoint)}"

    def recalibrate(self, samples: Samples) -> None:
        if self._detects:
            return
        with self._lock:
            self._samples = samples
            self._settle_on(self._measure())

    def _decide(self, count: int) -> None:
        """Settles the tower before `count` items if it has cached measurements, or if the items pay for measuring."""
        if self._settle_from_cache() is None and not self._gave_up and (seconds := self._allowed_seconds(count)):
            try:
                self._settle_on(self._measure(seconds))
            except Overrun:
                self._gave_up = True
                log.info("measuring the %s tower takes too long now: it is computed in fp32", self._tower)

    def _allowed_seconds(self, count: int) -> float | None:
        """Seconds that measuring may take before `count` items, or None if it would take longer."""
        if MEASURING_SHARE * count < measure.MEASURING_ITEMS[self._tower]:  # too few, however slow the tower is
            return None
        if self._fp32_rate is None:
            self._fp32_rate = measure.estimate_rate(self._engine, self._tower, self._samples)
        seconds = MEASURING_SHARE * count / self._fp32_rate
        return seconds if measure.expected_seconds(self._checkpoint, self._tower, self._fp32_rate) <= seconds else None

    def _measure(self, seconds: float | None = None) -> TowerMeasurements:
        """Measures now and caches the result. Raises Overrun if it takes more than `seconds`."""
        exact = self._engine if self._engine.precision == "fp32" else OpenVINO(self._checkpoint)
        until = None if seconds is None else time.perf_counter() + seconds
        result = measure.measure(self._checkpoint, self._tower, self._samples, exact, until)
        measurements_cache.save_measurements(self._checkpoint, self._tower, result.measurements, result.int8)
        return result

    def _settle_from_cache(self) -> PrecisionChoice | None:
        """None if nothing is cached, or if the cached int8 tower is damaged."""
        measurements = measurements_cache.load_measurements(self._checkpoint, self._tower)
        if not measurements:
            return None
        choice = self._choose(measurements)
        if choice.precision != "int8":
            return self._use(choice, OpenVINO(self._checkpoint, choice.precision))
        int8 = measurements_cache.load_int8(self._checkpoint, self._tower)
        if int8 is None:
            return None
        return self._use(choice, OpenVINO(int8, "int8", measure.float_precision(measurements)))

    def _settle_on(self, result: TowerMeasurements) -> PrecisionChoice:
        choice = self._choose(result.measurements)
        is_int8 = choice.precision == "int8"
        return self._use(choice, result.engine if is_int8 else OpenVINO(self._checkpoint, choice.precision))

    def _use(self, choice: PrecisionChoice, engine: OpenVINO) -> PrecisionChoice:
        if engine.precision != self._engine.precision or engine.precision == "int8":
            self._engine = engine
        self._choice = choice
        return choice

    def _choose(self, measurements: list[Measurement]) -> PrecisionChoice:
        """Raises ContraltoError if int8 was requested and is too coarse."""
        tower = self._tower
        if self._requested is None:
            best = measure.fastest_precision(measurements)
            others = [one for one in measurements if one.precision != best.precision and not one.keeps_the_bound]
            coarse = "".join(f", {one.precision} is too coarse ({one.cosine:.5f})" for one in others)
            why = f"{tower} {best.precision}: the fastest here with a cosine of {best.bound} to fp32{coarse}"
            return PrecisionChoice(best.precision, why, tuple(measurements))
        requested = next(one for one in measurements if one.precision == self._requested)
        if not requested.cosine >= INT8_MIN_COSINE:
            raise ContraltoError(
                f"int8 is too coarse for the {tower} tower of {self._checkpoint.contract.name}: a cosine of "
                f"{requested.cosine:.4f} to fp32, where {INT8_MIN_COSINE} is the least: use precision auto"
            )
        why = f"{tower} int8: as requested, a cosine of {requested.cosine:.5f} to fp32"
        return PrecisionChoice(self._requested, why, tuple(measurements))
