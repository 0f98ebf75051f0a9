"""What the figures depend on: the processor's instruction sets, and what else it did meanwhile."""

from __future__ import annotations

import statistics
import time
from pathlib import Path

from contralto.engine.cpus import available_cpus
from contralto.engine.machine import instructions

PAUSE = 0.1  # seconds


def described() -> str:
    return f"instructions: {' '.join(instructions()) or 'unknown'}; {available_cpus()} processors"


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
