"""Which engine runs a checkpoint, and in which precision: as asked for, or the fastest that is exact enough here."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from numpy.typing import NDArray

from contralto.engine import remembered
from contralto.engine.base import Engine, Float, Side
from contralto.engine.measure import BOUNDS, INT8_BOUNDS, Measured, Samples, measure, per_second, rest
from contralto.engine.openvino import OpenVINO, computes
from contralto.errors import ContraltoError
from contralto.weights.checkpoint import Checkpoint

ENGINES = ("auto", "eager", "openvino", "compiled")
PRECISIONS = ("auto", "fp32", "bf16", "fp16", "int8")
SIDES: tuple[Side, Side] = ("image", "text")
FEW: dict[Side, int] = {"image": 64, "text": 256}
WORTH = 15.0  # seconds of work in fp32 that measuring, which takes some, is worth
LEAST = 0.99  # of the cosine of a sample's row in int8 to that of fp32: below it, int8 is refused to who asks for it


def start(
    checkpoint: Checkpoint,
    samples: Samples | None = None,
    *,
    engine: str = "auto",
    precision: str = "auto",
    device: str = "auto",
) -> Engine:
    """An engine for the checkpoint. Nothing is loaded before the first batch.

    precision: auto measures each tower when there is much to compute, once on a machine, and takes the fastest that has
    a cosine of at least 0.999 (pictures; texts in int8) or 0.9999 (texts) to the rows of fp32, on the samples. int8 is
    measured as well, and refused below 0.99. Without samples auto is fp32. bf16 and fp16 are taken by openvino only
    where the processor has them; on a GPU auto is one of them.
    device: auto is the CPU; cuda and cuda:N are GPUs, for the engines compiled (auto takes it there) and eager.

    Raises ContraltoError for a name or combination that does not exist, or that this machine cannot run;
    MissingExtraError for eager and compiled without torch.
    """
    for what, given, known in (("engine", engine, ENGINES), ("precision", precision, PRECISIONS)):
        if given not in known:
            raise ContraltoError(f"{what} must be one of {', '.join(known)}, got {given!r}")
    if engine == "auto":
        engine = "compiled" if device.partition(":")[0] == "cuda" else "openvino"
    if engine != "openvino":
        return _on_torch(checkpoint, engine, precision, device)
    if device not in ("auto", "cpu"):
        raise ContraltoError(f"device {device!r}: engine 'openvino' runs on the cpu: use engine compiled or eager")
    if precision in ("auto", "int8") and samples is not None:
        return Chosen(checkpoint, samples, None if precision == "auto" else precision)
    if precision == "int8":
        raise ContraltoError("int8 is fitted to samples, and there are none: use contralto.load, or fp32")
    if precision in ("bf16", "fp16") and not computes(precision):
        raise ContraltoError(f"this processor has no {precision} instructions, and emulating them is slow: use fp32")
    return OpenVINO(checkpoint, "fp32" if precision == "auto" else precision)


@dataclass(frozen=True)
class Choice:
    """What a tower is run in, and what was measured to choose it."""

    precision: str
    measured: tuple[Measured, ...]


class Chosen:
    """OpenVINO, each tower in a precision that is measured when there is enough to compute with it.

    Until then auto is fp32, so that one picture need not wait for what pays only with thousands.
    """

    name = "openvino"
    images_at_once = OpenVINO.images_at_once

    def __init__(self, checkpoint: Checkpoint, samples: Samples, wanted: str | None) -> None:
        """wanted: int8, or None for the fastest that keeps the bound."""
        self._checkpoint, self._samples, self._wanted = checkpoint, samples, wanted
        self._asked = dict.fromkeys(SIDES, 0)
        self._rates: dict[Side, float] = {}  # in fp32
        self._engines: dict[Side, OpenVINO] = {}  # of what is settled
        self._made: dict[Side, Checkpoint] = {}  # what they run
        self._exact = {side: OpenVINO(checkpoint) for side in SIDES}  # until then
        self._choices: dict[Side, Choice] = {}
        self._lock = threading.RLock()

    def image(self, pixels: NDArray[Any]) -> Float:
        """pixels float32 (N, 3, h, w) -> embeddings float32 (N, E), not normalised."""
        return self._engine("image", len(pixels)).image(pixels)

    def text(self, ids: NDArray[Any]) -> Float:
        """ids int64 (N, L) -> embeddings float32 (N, E), not normalised."""
        return self._engine("text", len(ids)).text(ids)

    def _engine(self, side: Side, count: int) -> OpenVINO:
        if side not in self._engines and self._wanted is not None:
            self.expect(side, count)  # nobody said so before; what was asked for is given all the same
        return self._engines.get(side, self._exact[side])

    def expect(self, side: Side, count: int) -> None:
        """Decides what the tower is run in from here on, unless that is settled."""
        with self._lock:
            if side in self._engines:
                return
            self._asked[side] += count
            measured = remembered.recall(self._checkpoint, side)
            if measured is not None or self._wanted is not None or self._is_much(side):
                self._settle(side, measured)

    def _is_much(self, side: Side) -> bool:
        """Whether what was asked for takes longer in fp32 than measuring is worth."""
        if self._asked[side] < FEW[side]:
            return False
        if side not in self._rates:
            batch: NDArray[Any] = self._samples.pixels() if side == "image" else self._samples.ids()
            self._rates[side] = per_second(self._exact[side], side, batch[: FEW[side] // 8])
        return self._asked[side] / self._rates[side] >= WORTH

    @property
    def asked(self) -> str:
        """auto, or int8."""
        return self._wanted or "auto"

    @property
    def precision(self) -> str:
        """What is computed in: one word where both towers agree, else "int8 (image), fp32 (text)". Measures nothing."""
        image, text = (self._stated(side) for side in SIDES)
        return image if image == text else f"{image} (image), {text} (text)"

    def _stated(self, side: Side) -> str:
        with self._lock:
            if side in self._choices:
                return self._choices[side].precision
            measured = remembered.recall(self._checkpoint, side)
            return self._wanted or (fastest(measured).precision if measured else "fp32")

    def choice(self, side: Side) -> Choice:
        """What the tower is run in, measured now if it never was."""
        with self._lock:
            if side not in self._choices:
                self._settle(side, remembered.recall(self._checkpoint, side))
            return self._choices[side]

    def made_in(self, side: Side) -> str:
        """See the function of this name."""
        with self._lock:
            if self._wanted is not None:
                self.choice(side)
            if side not in self._choices:
                return "auto"
            precision = self._choices[side].precision
            return f"int8 {remembered.fitted(self._made[side], self._checkpoint)}" if precision == "int8" else precision

    def refit(self, samples: Samples) -> None:
        """Measures both towers anew."""
        with self._lock:
            self._samples = samples
            for side in SIDES:
                self._settle(side, None)

    def _settle(self, side: Side, measured: list[Measured] | None) -> None:
        int8 = None
        if measured is None:
            measured, int8 = self._measured(side)
        precision = self._wanted or fastest(measured).precision
        self._refuse(side, next(one for one in measured if one.precision == precision))
        made = self._checkpoint
        if precision == "int8":
            made = int8 or remembered.recall_int8(self._checkpoint, side) or self._measured(side)[1]
        self._made[side] = made
        self._engines[side] = OpenVINO(made, precision, rest(measured))
        self._exact[side] = OpenVINO(self._checkpoint)  # its tower is not needed any more
        self._choices[side] = Choice(precision, tuple(measured))

    def _refuse(self, side: Side, found: Measured) -> None:
        if not found.cosine >= LEAST:
            raise ContraltoError(
                f"int8 is too coarse for the {side} tower of {self._checkpoint.contract.name}: a cosine of "
                f"{found.cosine:.4f} to fp32, where {LEAST} is the least: use precision auto"
            )

    def _measured(self, side: Side) -> tuple[list[Measured], Checkpoint]:
        measured, int8 = measure(self._checkpoint, side, self._samples)
        remembered.keep(self._checkpoint, side, measured, int8)
        return measured, int8


def fastest(measured: Sequence[Measured]) -> Measured:
    """The fastest that keeps the bound, which fp32 always does."""
    return max((one for one in measured if one.keeps_the_bound), key=lambda one: one.per_second)


class Report(NamedTuple):
    """What an engine computes in, the reason in words, and what was measured."""

    engine: str
    precision: str
    why: str
    measured: tuple[Measured, ...]


def report(engine: Engine) -> Report:
    """Of any engine that `start` gave. Where it chooses, the towers are measured now if they never were."""
    if not isinstance(engine, Chosen):
        return Report(engine.name, engine.precision, "as asked for", ())
    choices = {side: engine.choice(side) for side in SIDES}
    why = "; ".join(f"{side} {_why(choice, side)}" for side, choice in choices.items())
    return Report(engine.name, engine.precision, why, tuple(one for side in SIDES for one in choices[side].measured))


def made_in(engine: Engine, side: Side) -> str:
    """What decides a tower's rows besides the checkpoint, for who keeps them: the precision, for int8 with a digest of
    what it was fitted to. "auto" as long as the engine has not settled on one.

    Where int8 was asked for and was never fitted on this machine, it is fitted now.
    """
    return engine.made_in(side) if isinstance(engine, Chosen) else engine.precision


def refit(engine: Engine, samples: Samples) -> Report:
    """Measures anew on other samples, which are remembered. Raises ContraltoError if the engine does not choose."""
    if not isinstance(engine, Chosen):
        raise ContraltoError(f"engine {engine.name!r} in {engine.precision} was asked for: there is nothing to fit")
    engine.refit(samples)
    return report(engine)


def _why(choice: Choice, side: Side) -> str:
    bound = (INT8_BOUNDS if choice.precision == "int8" else BOUNDS)[side]
    others = [one for one in choice.measured if one.precision != choice.precision and not one.keeps_the_bound]
    coarse = "".join(f", {one.precision} is too coarse ({one.cosine:.5f})" for one in others)
    return f"{choice.precision}: the fastest here with a cosine of {bound} to fp32{coarse}"


def _on_torch(checkpoint: Checkpoint, engine: str, precision: str, device: str) -> Engine:
    from contralto.engine.compiled import Compiled
    from contralto.engine.eager import Eager

    if precision == "int8":
        raise ContraltoError(f"engine {engine!r} does not compute in int8: use engine openvino, or another precision")
    device = "cpu" if device == "auto" else device
    if engine == "eager":
        return Eager(checkpoint, "fp32" if precision == "auto" else precision, device)
    made = Compiled(checkpoint, "fp32", device)
    if precision == "auto" and made.device != "cpu":
        from contralto.engine.torch_towers import half_precision

        precision = half_precision(made.device)
    return made if precision in ("auto", "fp32") else Compiled(checkpoint, precision, made.device)
