"""The runtime behind an engine."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

from contralto.engine.machine import runtime
from contralto.engine.openvino import version


def test_the_runtime_of_an_engine_states_its_version(monkeypatch, tmp_path: Path) -> None:
    assert version().startswith(runtime("openvino").removeprefix("openvino-"))
    for name in (
        "openvino",
        "torch",
        "torch-1.5+cpu.dist-info",
        "openvino-7.dist-info",
        "openvino_telemetry-1.dist-info",
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").touch()
    monkeypatch.setattr(
        "importlib.util.find_spec", lambda name: SimpleNamespace(origin=str(tmp_path / name / "__init__.py"))
    )
    assert [runtime(name) for name in ("openvino", "eager", "compiled")] == ["openvino-7", *2 * ["torch-1.5+cpu"]]
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert runtime("eager") == ""
