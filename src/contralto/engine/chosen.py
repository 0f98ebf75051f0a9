"""The engine that chooses: each tower in fp32 while there is little to do, then in the fastest precision that is exact
enough on this machine."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from contralto.engine import measure, remembered
from contralto.engine.base import Float, TowerName
from contralto.engine.measure import Found, Measured, Overrun, Samples
from contralto.engine.openvino import OpenVINO
from contralto.errors import ContraltoError
from contralto.weights.checkpoint import Checkpoint

TOWER_NAMES: tuple[TowerName, TowerName] = ("image", "text")
NOUNS: dict[TowerName, str] = {"image": "pictures", "text": "texts"}
FEW: dict[TowerName, int] = {"image": 64, "text": 256}  # fewer than these in all are little work
SHARE = 0.1  # of the time that the work of a call takes in fp32: so long may measuring take
LEAST = 0.99  # of the cosine of a sample's row in int8 to that of fp32: below it, int8 is refused to who asks for it

log = logging.getLogger("contralto")


@dataclass(frozen=True)
class Choice:
    """What much work with a tower is computed in, why, and what was measured: nothing, if it never was."""

    precision: str
    why: str
    measured: tuple[Measured, ...] = ()


class Chosen:
    """OpenVINO, each tower in a precision of its own. Threads may share it.

    A call keeps the precision that it began with: `expect` gives the engine for it.
    """

    name = "openvino"
    images_at_once = OpenVINO.images_at_once

    def __init__(self, checkpoint: Checkpoint, samples: Samples, wanted: str | None) -> None:
        """wanted: int8, or None for the fastest that keeps the bound."""
        self._wanted = wanted
        self._towers: dict[TowerName, _Tower] = {
            side: _Tower(checkpoint, side, samples, wanted) for side in TOWER_NAMES
        }

    def image(self, pixels: NDArray[Any]) -> Float:
        """pixels float32 (N, 3, h, w) -> embeddings float32 (N, E), not normalised."""
        return self.expect("image", len(pixels)).image(pixels)

    def text(self, ids: NDArray[Any]) -> Float:
        """ids int64 (N, L) -> embeddings float32 (N, E), not normalised."""
        return self.expect("text", len(ids)).text(ids)

    def expect(self, side: TowerName, count: int) -> OpenVINO:
        """The engine for `count` items. It measures before, if they are enough to pay it."""
        return self._towers[side].expect(count)

    @property
    def precision(self) -> str:
        """What is computed in now: one word where both towers agree, else "int8 (image), fp32 (text)"."""
        return both(*(self._towers[side].precision for side in TOWER_NAMES))

    def choices(self, *, measures: bool) -> list[Choice]:
        """Of both towers, the image tower first. measures: measured now if they never were, and settled."""
        return [tower.settled() if measures else tower.outlook() for tower in self._towers.values()]

    def made_in(self, side: TowerName) -> str:
        """See the function of this name in `choose`."""
        return self._towers[side].made_in()

    def refit(self, samples: Samples) -> None:
        """Measures both towers anew, and settles them."""
        for tower in self._towers.values():
            tower.refit(samples)


def both(image: str, text: str) -> str:
    """The precisions of two towers in words."""
    return image if image == text else f"{image} (image), {text} (text)"


class _Tower:
    """One tower, in fp32 until it is settled."""

    def __init__(self, checkpoint: Checkpoint, side: TowerName, samples: Samples, wanted: str | None) -> None:
        self._checkpoint, self._side, self._samples, self._wanted = checkpoint, side, samples, wanted
        self._engine = OpenVINO(checkpoint)
        self._choice: Choice | None = None  # once it is settled
        self._asked = 0  # items since the start
        self._rate: float | None = None  # items a second in fp32
        self._gave_up = False  # as measuring took longer than it may
        self._lock = threading.RLock()

    @property
    def precision(self) -> str:
        choice = self._choice
        return choice.precision if choice else self._wanted or "fp32"

    def expect(self, count: int) -> OpenVINO:
        with self._lock:
            self._asked += count
            if self._choice is None and self._wanted is not None:
                self.settled()
            elif self._choice is None and self._asked >= FEW[self._side]:
                self._decide(count)
            return self._engine

    def settled(self) -> Choice:
        with self._lock:
            if self._choice is not None:
                return self._choice
            return self._settle_by_memory() or self._settle_by(self._found())

    def outlook(self) -> Choice:
        """What is settled, or what `settled` would come to; it measures nothing."""
        with self._lock:
            if self._choice is not None:
                return self._choice
            measured = remembered.recall(self._checkpoint, self._side)
        if measured:
            choice = self._choice_of(measured)
            waits = self._wanted is None and choice.precision != "fp32"
            later = f", from {FEW[self._side]} {NOUNS[self._side]} on" if waits else ""
            return Choice(choice.precision, choice.why + later, choice.measured)
        return Choice(self.precision, f"{self._side} {self.precision}: not measured on this machine yet")

    def made_in(self) -> str:
        with self._lock:
            if self._wanted is not None:
                self.settled()
            if self._choice is None:
                return "auto"
            if self._choice.precision != "int8":
                return self._choice.precision
            return f"int8 {remembered.fitted(self._engine.checkpoint, self._checkpoint)}"

    def refit(self, samples: Samples) -> None:
        with self._lock:
            self._samples = samples
            self._settle_by(self._found())

    def _decide(self, count: int) -> None:
        """Settles the tower before `count` items, if it was measured before or if they pay it."""
        if self._settle_by_memory() is None and not self._gave_up and (seconds := self._affordable(count)):
            try:
                self._settle_by(self._found(seconds))
            except Overrun:
                self._gave_up = True
                log.info("measuring the %s tower takes too long now: it is computed in fp32", self._side)

    def _affordable(self, count: int) -> float | None:
        """Seconds that measuring may take before `count` items, or None if it would take longer."""
        if SHARE * count < measure.ITEMS[self._side]:  # it would not pay however slow the tower is
            return None
        if self._rate is None:
            self._rate = measure.probe(self._engine, self._side, self._samples)
        seconds = SHARE * count / self._rate
        return seconds if measure.cost(self._checkpoint, self._side, self._rate) <= seconds else None

    def _found(self, seconds: float | None = None) -> Found:
        """Measured now, within the time if one is given, and remembered. Raises Overrun."""
        exact = self._engine if self._engine.precision == "fp32" else OpenVINO(self._checkpoint)
        until = None if seconds is None else time.perf_counter() + seconds
        found = measure.measure(self._checkpoint, self._side, self._samples, exact, until)
        remembered.keep(self._checkpoint, self._side, found.measured, found.int8)
        return found

    def _settle_by_memory(self) -> Choice | None:
        """None if nothing is remembered, or the tower in int8 is damaged."""
        measured = remembered.recall(self._checkpoint, self._side)
        if not measured:
            return None
        choice = self._choice_of(measured)
        if choice.precision != "int8":
            return self._take(choice, OpenVINO(self._checkpoint, choice.precision))
        made = remembered.recall_int8(self._checkpoint, self._side)
        if made is None:
            return None
        return self._take(choice, OpenVINO(made, "int8", measure.rest(measured)))

    def _settle_by(self, found: Found) -> Choice:
        """By what has just been measured."""
        choice = self._choice_of(found.measured)
        is_int8 = choice.precision == "int8"
        return self._take(choice, found.engine if is_int8 else OpenVINO(self._checkpoint, choice.precision))

    def _take(self, choice: Choice, engine: OpenVINO) -> Choice:
        if engine.precision != self._engine.precision or engine.precision == "int8":
            self._engine = engine
        self._choice = choice
        return choice

    def _choice_of(self, measured: list[Measured]) -> Choice:
        """Raises ContraltoError if int8 was asked for and is too coarse."""
        side = self._side
        if self._wanted is None:
            best = measure.fastest(measured)
            others = [one for one in measured if one.precision != best.precision and not one.keeps_the_bound]
            coarse = "".join(f", {one.precision} is too coarse ({one.cosine:.5f})" for one in others)
            why = f"{side} {best.precision}: the fastest here with a cosine of {best.bound} to fp32{coarse}"
            return Choice(best.precision, why, tuple(measured))
        found = next(one for one in measured if one.precision == self._wanted)
        if not found.cosine >= LEAST:
            raise ContraltoError(
                f"int8 is too coarse for the {side} tower of {self._checkpoint.contract.name}: a cosine of "
                f"{found.cosine:.4f} to fp32, where {LEAST} is the least: use precision auto"
            )
        return Choice(
            self._wanted, f"{side} int8: as asked for, a cosine of {found.cosine:.5f} to fp32", tuple(measured)
        )
