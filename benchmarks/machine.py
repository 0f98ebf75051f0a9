"""What the figures depend on: the processor's instruction sets, and what a tower costs by its plain definition."""

from __future__ import annotations

import statistics
import time
from pathlib import Path

from contralto.architecture import CausalText, ViT
from contralto.contract import Contract
from contralto.engine.cpus import available_cpus

PAUSE = 0.1  # seconds
FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "amx_tile", "amx_bf16", "asimddp", "bf16")


def flags() -> list[str]:
    """Those of the processor's instruction sets that decide how fast a tower is (Linux only)."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return ["unknown"]
    present = next((line.split() for line in lines if line.startswith(("flags", "Features"))), [])
    return [flag for flag in FLAGS if flag in present]


def described() -> str:
    return f"instructions: {' '.join(flags())}; {available_cpus()} processors"


class Disturbance:
    """What others made the processors do while no contender computed."""

    def __init__(self) -> None:
        self._parts: list[float] = []

    def pause(self) -> None:
        """Between turns: the threads of the last contender cease to spin, then the others' load is looked at."""
        time.sleep(PAUSE)
        before = _processor_time()
        time.sleep(PAUSE)
        busy, total = (now - then for now, then in zip(_processor_time(), before, strict=True))
        self._parts.append(busy / total if total else 0.0)

    @property
    def part(self) -> float:
        """Of all processors, 0 to 1."""
        return statistics.mean(self._parts) if self._parts else 0.0


def _processor_time() -> tuple[float, float]:
    """(busy, all) time of all processors since the start, whoever took it (Linux only, else zeros)."""
    try:
        fields = [float(value) for value in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    except OSError:
        return 0.0, 0.0
    return sum(fields) - fields[3] - fields[4], sum(fields)  # less idle and waiting for a disk


def picture_operations(contract: Contract) -> float | None:
    """Operations (2 a multiply-add) of the plain tower for one picture: every position in every block. ViT only."""
    tower = contract.image.tower
    if not isinstance(tower, ViT):
        return None
    height, width = (side // tower.patch for side in contract.image.size)
    patches = height * width
    positions = patches + 1
    patching = patches * 3 * tower.patch**2 * tower.width
    block = positions * (4 * tower.width**2 + 2 * tower.width * tower.mlp) + 2 * positions**2 * tower.width
    return 2.0 * (patching + tower.layers * block + tower.width * contract.embedding)


def token_operations(contract: Contract) -> float | None:
    """Operations of the plain causal tower for one real token, without attention's own products (1% at 14 tokens)."""
    tower = contract.text.tower
    if not isinstance(tower, CausalText):
        return None
    return 2.0 * tower.layers * (4 * tower.width**2 + 2 * tower.width * tower.mlp)
