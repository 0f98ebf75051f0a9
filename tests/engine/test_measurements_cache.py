"""Cached measurements: damaged files, other machines, and a cache folder that cannot be written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.small_models import pixels
from support.tower_measurements import CountingSamples

from contralto.engine import measure, measurements_cache, report, start


def _int8(model, samples: CountingSamples) -> np.ndarray:
    engine = start(model, samples, precision="int8")
    return engine.image(pixels(model.contract))


def test_a_damaged_file_is_made_anew(model, cache: Path, monkeypatch) -> None:
    monkeypatch.setattr(
        measure, "float_precision", lambda measurements: "fp32"
    )  # else whichever is faster at that moment
    samples = CountingSamples(model.contract)
    start(model, samples, precision="int8").engine_for("image", 1)
    (path,) = cache.iterdir()
    whole = path.read_bytes()
    rows = _int8(model, samples)
    assert samples.uses == 1
    for damaged in (whole[:-1], whole[:-9] + b"\x01" + whole[-8:], b"", b"nonsense"):
        path.write_bytes(damaged)
        before = samples.uses
        assert _int8(model, samples) == pytest.approx(rows, abs=1e-6)
        assert samples.uses == before + 1
        assert len(path.read_bytes()) == len(whole)


def test_another_processor_or_version_measures_for_itself(model, monkeypatch) -> None:
    samples = CountingSamples(model.contract)
    report(start(model, samples))
    monkeypatch.setattr(measurements_cache, "fingerprint", lambda: "another")
    report(start(model, samples))
    assert samples.uses == 4


def test_a_cache_that_cannot_be_written_costs_only_the_measuring(model, monkeypatch, tmp_path: Path, caplog) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("CONTRALTO_CACHE", str(tmp_path / "file"))
    samples = CountingSamples(model.contract)
    rows = _int8(model, samples)
    assert rows.shape[1] == model.contract.embedding
    assert "are not cached" in caplog.text
