"""Which engine runs a checkpoint."""

from __future__ import annotations

from contralto.engine.base import Engine
from contralto.errors import ContraltoError
from contralto.weights.checkpoint import Checkpoint

ENGINES = ("auto", "eager", "openvino", "compiled")
PRECISIONS = ("auto", "fp32", "bf16", "fp16", "int8")
DEVICES = ("auto", "cpu")


def start(checkpoint: Checkpoint, *, engine: str = "auto", precision: str = "auto", device: str = "auto") -> Engine:
    """An engine for the checkpoint. auto: openvino in fp32 on the CPU, which gives the reference's rows to 1e-4.

    bf16, fp16: a cosine of 0.999 and more to the rows of fp32. openvino takes them only where the processor has them;
    eager everywhere, without being faster for it. Nothing is loaded before the first batch. Raises ContraltoError for
    a name or combination that does not exist, or that this machine cannot run; MissingExtraError for eager without
    torch.
    """
    for what, given, known in (("engine", engine, ENGINES), ("precision", precision, PRECISIONS)):
        if given not in known:
            raise ContraltoError(f"{what} must be one of {', '.join(known)}, got {given!r}")
    if device not in DEVICES:
        raise ContraltoError(f"device {device!r} is not available yet: use auto or cpu")
    if engine == "compiled":
        raise ContraltoError("engine 'compiled' is not available yet: use auto, openvino or eager")
    name = "openvino" if engine == "auto" else engine
    precision = "fp32" if precision == "auto" else precision
    if precision == "int8":
        raise ContraltoError(f"engine {name!r} does not compute in int8 yet: use precision auto or fp32")
    return _eager(checkpoint, precision) if name == "eager" else _openvino(checkpoint, precision)


def _eager(checkpoint: Checkpoint, precision: str) -> Engine:
    from contralto.engine.eager import Eager

    return Eager(checkpoint, precision)


def _openvino(checkpoint: Checkpoint, precision: str) -> Engine:
    from contralto.engine.openvino import OpenVINO, computes

    if precision != "fp32" and not computes(precision):
        raise ContraltoError(f"this processor has no {precision} instructions, and emulating them is slow: use fp32")
    return OpenVINO(checkpoint, precision)
