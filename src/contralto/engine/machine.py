"""The facts that determine an engine's speed and error here: processor, runtime, and version of Contralto."""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import json
from pathlib import Path
from typing import Final

from contralto.engine.cpus import available_cpus, cpu_flags
from contralto.engine.openvino import core, version
from contralto.version import __version__

SPEED_FLAGS: Final = (
    *("avx2", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "avx512_fp16", "amx_tile", "amx_bf16", "amx_int8"),
    *("asimddp", "i8mm", "bf16", "sve"),  # ARM
)


def instructions() -> tuple[str, ...]:
    """The instruction sets of this processor that decide a tower's speed; empty if the system does not state them."""
    present = cpu_flags()
    return tuple(flag for flag in SPEED_FLAGS if flag in present)


def runtime(engine: str) -> str:
    """The runtime of an engine, OpenVINO or PyTorch, with its version: "openvino-2026.4.1"; "" if it is not installed.

    This is the name of the .dist-info folder next to the package: importing the package, or importlib.metadata, takes
    longer than everything else in a cache key.
    """
    package = "openvino" if engine == "openvino" else "torch"
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        return ""
    folders = Path(spec.origin).parents[1].glob(f"{package}-*.dist-info")
    return ", ".join(sorted(path.name.removesuffix(".dist-info") for path in folders)) or package


@functools.cache
def fingerprint() -> str:
    """16 hex digits that change with the processor, the number of usable CPUs, the runtime's version and ours."""
    names = [core().get_property("CPU", "FULL_DEVICE_NAME"), *core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")]
    stated = [*names, *instructions(), available_cpus(), version(), __version__]
    return hashlib.sha256(json.dumps(stated).encode()).hexdigest()[:16]
