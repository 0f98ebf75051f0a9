"""The number of processors, from control groups laid out in a folder."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from contralto.engine.cpus import available_cpus


@pytest.fixture(autouse=True)
def eight(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)


def group(root: Path, files: dict[str, str], own: str = "") -> int:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    (root / "own").write_text(own)
    return available_cpus(root, root / "own")


def test_without_groups_it_is_the_affinity(tmp_path: Path) -> None:
    assert available_cpus(tmp_path / "absent", tmp_path / "absent") == 8


@pytest.mark.parametrize(
    ("limit", "count"), [("200000 100000", 2), ("150000 100000", 2), ("5000 100000", 1), ("max 100000", 8), ("odd", 8)]
)
def test_version_2(tmp_path: Path, limit: str, count: int) -> None:
    assert group(tmp_path, {"cpu.max": limit}) == count


def test_version_2_counts_the_groups_above(tmp_path: Path) -> None:
    files = {"a/cpu.max": "300000 100000", "a/b/cpu.max": "max 100000"}
    assert group(tmp_path, files, "0::/a/b\n") == 3


def test_version_1(tmp_path: Path) -> None:
    files = {"cpu/job/cpu.cfs_quota_us": "400000", "cpu/job/cpu.cfs_period_us": "100000"}
    assert group(tmp_path, files, "4:memory:/x\n3:cpu,cpuacct:/job\n") == 4
    assert group(tmp_path, {"cpu/job/cpu.cfs_quota_us": "-1"}, "3:cpu,cpuacct:/job\n") == 8
