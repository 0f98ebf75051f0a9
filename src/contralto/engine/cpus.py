"""How many processors this process may use: its affinity and its container's quota, not the machine's size."""

from __future__ import annotations

import math
import os
from pathlib import Path


def available_cpus(cgroups: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")) -> int:
    """At least 1. The quota is that of control groups, version 2 or 1, of this process or of any group above it."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quotas = [_quota(folder) for folder in _groups(cgroups, own)]
    return max(1, min([allowed, *(math.ceil(quota) for quota in quotas if quota)]))


def _groups(cgroups: Path, own: Path) -> list[Path]:
    """The folders that may limit this process: lines of `own` are ID:CONTROLLERS:PATH, PATH below a mount point."""
    try:
        lines = own.read_text().splitlines()
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
    """Processors' worth of time a period, or None where there is no limit."""
    try:
        if (limit := folder / "cpu.max").exists():
            quota, period = limit.read_text().split()[:2]
        else:
            quota = (folder / "cpu.cfs_quota_us").read_text()
            period = (folder / "cpu.cfs_period_us").read_text()
        return int(quota) / int(period) if quota != "max" and int(quota) > 0 else None
    except (OSError, ValueError, ZeroDivisionError):
        return None
