"""The processors of this process: how many it may use (affinity and container quota), and their instruction sets."""

from __future__ import annotations

import math
import os
from pathlib import Path


def available_cpus(cgroups: Path = Path("/sys/fs/cgroup"), membership: Path = Path("/proc/self/cgroup")) -> int:
    """The number of processors that this process may use, at least 1.

    The quota comes from control groups, version 2 or 1, of this process or of any group above it.
    """
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quotas = [_quota(folder) for folder in _groups(cgroups, membership)]
    return max(1, min([allowed, *(math.ceil(quota) for quota in quotas if quota)]))


def cpu_flags() -> frozenset[str]:
    """The processor's instruction sets as Linux names them, such as avx512f; empty on other systems."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return frozenset()
    return frozenset(next((line.split() for line in lines if line.startswith(("flags", "Features"))), []))


def _groups(cgroups: Path, membership: Path) -> list[Path]:
    """The folders that may limit this process.

    The lines of `membership` are ID:CONTROLLERS:PATH, where PATH is below a mount point.
    """
    try:
        lines = membership.read_text().splitlines()
    except (OSError, UnicodeDecodeError):
        lines = []
    folders = [cgroups, cgroups / "cpu"]
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "" or "cpu" in controllers.split(","):
            root = cgroups / "cpu" if controllers else cgroups
            inner = Path(path.lstrip("/"))
            folders += [root / part for part in (inner, *inner.parents)]
    return folders


def _quota(folder: Path) -> float | None:
    """The quota in processors, or None if there is no limit."""
    try:
        if (limit := folder / "cpu.max").exists():
            quota, period = limit.read_text().split()[:2]
        else:
            quota = (folder / "cpu.cfs_quota_us").read_text()
            period = (folder / "cpu.cfs_period_us").read_text()
        return int(quota) / int(period) if quota != "max" and int(quota) > 0 else None
    except (OSError, ValueError, ZeroDivisionError):
        return None
