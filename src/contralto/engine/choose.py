"""Which engine runs a checkpoint, and in which precision: as asked for, or the fastest that is exact enough here."""

from __future__ import annotations

from typing import NamedTuple

from contralto.engine.base import Engine, TowerName
from contralto.engine.chosen import Chosen, both
from contralto.engine.measure import Measured, Samples
from contralto.engine.openvino import OpenVINO, computes
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

    precision: auto is fp32 for the first 63 pictures and 255 texts. After them it is the fastest with a cosine of at
    least 0.999 (pictures; texts in int8) or 0.9999 (texts) to the rows of fp32, if the tower was measured on this
    machine, or is measured now as a call brings ten times the work that measuring takes. int8 is measured as well, and
    refused below 0.99. Without samples auto is fp32. bf16 and fp16 are taken by openvino only where the processor has
    them; on a GPU auto is one of them.
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


class Report(NamedTuple):
    """What an engine computes in, the reason in words, and what was measured."""

    engine: str
    precision: str
    why: str
    measured: tuple[Measured, ...]


def report(engine: Engine, *, measure: bool = True) -> Report:
    """Of any engine that `start` gave. Where it chooses, and unless `measure` is False, the towers are measured now if
    they never were, and computed in what is chosen from here on; else it tells what is known."""
    if not isinstance(engine, Chosen):
        return Report(engine.name, engine.precision, "as asked for", ())
    image, text = engine.choices(measures=measure)
    precision = both(image.precision, text.precision)
    return Report(engine.name, precision, f"{image.why}; {text.why}", image.measured + text.measured)


def made_in(engine: Engine, side: TowerName) -> str:
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
