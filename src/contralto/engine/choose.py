"""Starts the engine for a checkpoint: the requested one, or the fastest that is exact enough on this machine."""

from __future__ import annotations

from typing import NamedTuple

from contralto import arguments
from contralto.engine.auto import AutoPrecision, precision_label
from contralto.engine.base import TOWER_NAMES, Engine, TowerName
from contralto.engine.measure import Measurement, Samples
from contralto.engine.openvino import OpenVINO, supports
from contralto.engine_names import ENGINES, PRECISIONS
from contralto.errors import ContraltoError
from contralto.weights.checkpoint import Checkpoint


def start(
    checkpoint: Checkpoint,
    samples: Samples | None = None,
    *,
    engine: str = "auto",
    precision: str = "auto",
    device: str = "auto",
) -> Engine:
    """An engine for the checkpoint. Nothing is loaded before the first batch.

    engine: auto is compiled on a GPU, else openvino.
    precision: with openvino, auto is fp32 for the first 63 pictures and 255 texts. After that it is the fastest
    precision with a cosine to fp32 of at least 0.999 (pictures; texts in int8) or 0.9999 (texts). For this the tower
    must have been measured on this machine; a call that brings ten times the work of measuring starts the measurement.
    Without samples, auto is fp32. Explicit int8 is measured too, and refused below a cosine of 0.99. bf16 and fp16 with
    openvino need a processor with instructions for them. With compiled on a GPU, auto is bf16 if the GPU computes it
    natively, else fp16; with eager, and with compiled on the CPU, auto is fp32.
    device: auto is the CPU; cuda and cuda:N are GPUs, which only compiled and eager use.

    Raises ContraltoError for an unknown name, and for a combination that does not exist or cannot run on this machine;
    MissingExtraError for eager and compiled without torch.
    """
    for what, value, known in (("engine", engine, ENGINES), ("precision", precision, PRECISIONS)):
        if value not in known:
            raise ContraltoError(f"{what} must be one of {', '.join(known)}, got {value!r}")
    if engine == "auto":
        engine = "compiled" if device.partition(":")[0] == "cuda" else "openvino"
    if engine != "openvino":
        return _on_torch(checkpoint, engine, precision, device)
    if device not in ("auto", "cpu"):
        raise ContraltoError(f"device {device!r}: engine 'openvino' runs on the cpu: use engine compiled or eager")
    if precision in ("auto", "int8") and samples is not None:
        return AutoPrecision(checkpoint, samples, None if precision == "auto" else precision)
    if precision == "int8":
        raise ContraltoError("int8 is calibrated on samples, and there are none: use contralto.load, or fp32")
    if precision in ("bf16", "fp16") and not supports(precision):
        raise ContraltoError(f"this processor has no {precision} instructions, and emulating them is slow: use fp32")
    return OpenVINO(checkpoint, "fp32" if precision == "auto" else precision)


class EngineReport(NamedTuple):
    """An engine's name and precision, the reason in words, and the measurements that led to it."""

    engine: str
    precision: str
    why: str
    measured: tuple[Measurement, ...]


def report(engine: Engine, *, measure: bool = True) -> EngineReport:
    """Describes any engine that `start` gave.

    If the engine chooses its precision and a tower was never measured, the tower is measured now; the engine then uses
    the chosen precision. With measure=False nothing is measured or changed.
    """
    if not isinstance(engine, AutoPrecision):
        return EngineReport(engine.name, engine.precision, "as requested", ())
    image, text = engine.choices(settle=measure)
    precision = precision_label(image.precision, text.precision)
    return EngineReport(engine.name, precision, f"{image.why}; {text.why}", image.measurements + text.measurements)


def precision_of(engine: Engine, tower: TowerName) -> str:
    """The precision that a tower is computed in now: fp32, bf16, fp16 or int8. Raises ContraltoError."""
    arguments.one_of(tower, "tower", TOWER_NAMES)
    return engine.precision_of(tower) if isinstance(engine, AutoPrecision) else engine.precision


def made_in(engine: Engine, tower: TowerName) -> str:
    """The precision part of a cache key for a tower's embeddings.

    It is the precision, such as "fp32"; for int8 with a digest of the calibration, such as "int8 5f3a..."; and "auto"
    as long as the engine has not settled on a precision. Explicit int8 that was never calibrated on this machine is
    calibrated now. Raises ContraltoError.
    """
    arguments.one_of(tower, "tower", TOWER_NAMES)
    return engine.made_in(tower) if isinstance(engine, AutoPrecision) else engine.precision


def recalibrate(engine: Engine, samples: Samples) -> EngineReport:
    """Measures again on other samples, and caches the result. Raises ContraltoError if the engine does not choose."""
    if not isinstance(engine, AutoPrecision):
        raise ContraltoError(f"engine {engine.name!r} in {engine.precision} was requested: nothing to calibrate")
    engine.recalibrate(samples)
    return report(engine)


def _on_torch(checkpoint: Checkpoint, engine: str, precision: str, device: str) -> Engine:
    from contralto.engine.compiled import Compiled
    from contralto.engine.eager import Eager

    if precision == "int8":
        raise ContraltoError(f"engine {engine!r} does not compute in int8: use engine openvino, or another precision")
    device = "cpu" if device == "auto" else device
    if engine == "eager":
        return Eager(checkpoint, "fp32" if precision == "auto" else precision, device)
    compiled = Compiled(checkpoint, "fp32", device)
    if precision == "auto" and compiled.device != "cpu":
        from contralto.engine.torch_towers import half_precision

        precision = half_precision(compiled.device)
    return compiled if precision in ("auto", "fp32") else Compiled(checkpoint, precision, compiled.device)
