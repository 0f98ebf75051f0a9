"""Facts about the machine that the figures depend on: instruction sets, and load by other processes."""

from __future__ import annotations

import statistics
import time
from pathlib import Path

from contralto.engine.cpus import available_cpus
from contralto.engine.machine import instructions

PAUSE_SECONDS = 0.1


def described() -> str:
    return f"instructions: {' '.join(instructions()) or 'unknown'}; {available_cpus()} processors"


class Disturbance:
    """The load by other processes while no contender computes."""

    def __init__(self) -> None:
        self._parts: list[float] = []

    def pause(self) -> None:
        """Waits until the threads of the last contender stop spinning, then measures the load by others."""
        time.sleep(PAUSE_SECONDS)
        before = _processor_time()
        time.sleep(PAUSE_SECONDS)
        busy, total = (now - then for now, then in zip(_processor_time(), before, strict=True))
        self._parts.append(busy / total if total else 0.0)

    @property
    def part(self) -> float:
        """The mean share of all processors that others used, 0 to 1."""
        return statistics.mean(self._parts) if self._parts else 0.0


def _processor_time() -> tuple[float, float]:
    """(busy, total) time of all processors since the start, over all processes (Linux only, otherwise zeros)."""
    try:
        fields = [float(value) for value in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    except OSError:
        return 0.0, 0.0
    return sum(fields) - fields[3] - fields[4], sum(fields)  # without idle time and waiting for a disk
