"""The measured limit of the machine: what is measured, and that the graphs compute the products they claim to."""

from __future__ import annotations

import numpy as np
import pytest

from contralto.engine import peak
from contralto.engine.openvino import configuration, core, supports

SMALL = (16, 64, 128)


def test_each_precision_of_the_processor_has_a_rate() -> None:
    rates = peak.peaks((SMALL,), runs=1)
    assert {"fp32", "int8"} <= rates.keys()
    assert ("bf16" in rates) == supports("bf16")
    assert all(rate > 0 for rate in rates.values())


def test_precisions_that_would_be_emulated_are_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peak, "supports", lambda _: False)
    assert peak.peaks((SMALL,), runs=1).keys() == {"fp32", "int8"}


def test_the_rate_is_that_of_the_best_shape(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peak, "_rate", lambda precision, shape, runs: float(shape[0]))
    assert set(peak.peaks(((8, 1, 1), (32, 1, 1), (16, 1, 1))).values()) == {32.0}


@pytest.mark.parametrize(("precision", "bound"), [("fp32", 1e-5), ("int8", 5e-2)])
def test_the_graph_multiplies_by_both_matrices(precision: str, bound: float) -> None:
    rows, inner, outer = SMALL
    model = peak._products(precision, SMALL, np.random.default_rng(0))
    batch = np.random.default_rng(1).standard_normal((rows, inner), np.float32)
    output = core().compile_model(model, "CPU", configuration("fp32"))([batch])[0]
    random, expected = np.random.default_rng(0), batch
    for inputs, outputs in ((inner, outer), (outer, inner)):
        matrix = random.standard_normal((outputs, inputs), np.float32) / inputs**0.5
        expected = np.maximum(expected @ matrix.T, 0)
    assert np.abs(output - expected).max() < bound * np.abs(expected).max()
