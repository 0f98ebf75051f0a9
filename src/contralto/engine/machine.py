"""What decides how fast and how exact an engine is here: the processor, the runtime, and this version of Contralto."""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import json
from pathlib import Path

from contralto.engine.cpus import available_cpus
from contralto.engine.openvino import core, version
from contralto.version import __version__

FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "avx512_fp16", "amx_tile", "amx_bf16", "amx_int8")
ARM_FLAGS = ("asimddp", "i8mm", "bf16", "sve")


def instructions() -> tuple[str, ...]:
    """Those of the processor's instruction sets that decide how fast a tower is; none where they cannot be told."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return ()
    present = next((line.split() for line in lines if line.startswith(("flags", "Features"))), [])
    return tuple(flag for flag in (*FLAGS, *ARM_FLAGS) if flag in present)


def runtime(engine: str) -> str:
    """What an engine computes with, OpenVINO or PyTorch, and its version: "openvino-2026.4.1", "" if it is not there.

    The name of the folder that its installer has left beside it: to import the package, or importlib.metadata, takes
    longer than all else that a cache needs to know.
    """
    package = "openvino" if engine == "openvino" else "torch"
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        return ""
    beside = Path(spec.origin).parents[1].glob(f"{package}-*.dist-info")
    return ", ".join(sorted(path.name.removesuffix(".dist-info") for path in beside)) or package


@functools.cache
def fingerprint() -> str:
    """Changes with the processor, how many of it may be used, the runtime's version and ours. 16 hex digits."""
    names = [core().get_property("CPU", "FULL_DEVICE_NAME"), *core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")]
    stated = [*names, *instructions(), available_cpus(), version(), __version__]
    return hashlib.sha256(json.dumps(stated).encode()).hexdigest()[:16]
