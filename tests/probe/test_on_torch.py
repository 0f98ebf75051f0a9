"""The pass over the rows by PyTorch, here on its CPU: the same numbers as by NumPy, and the same probe."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from support.drawn_features import drawn

from contralto.errors import ContraltoError, MissingExtraError
from contralto.probe import LinearProbe, sweep
from contralto.probe.objective import Objective
from contralto.probe.on_torch import TorchObjective


@pytest.mark.parametrize(("dtype", "bound"), [(np.float32, 3e-6), (np.float64, 1e-12)])
@pytest.mark.parametrize("far", [0.1, 30.0])
def test_value_gradient_and_spread_are_those_of_numpy(dtype, bound, far):
    rows, labels = drawn(700, 24, 5)
    plain, torch_s = Objective(rows, labels, 5), TorchObjective(rows, labels, 5, "cpu")
    theta = np.random.default_rng(0).normal(0, far, plain.start().shape)
    one, other = plain.at(theta, 1e-3, dtype), torch_s.at(theta, 1e-3, dtype)
    assert other.value == pytest.approx(one.value, rel=bound)
    assert np.abs(other.gradient - one.gradient).max() < bound * max(1, np.abs(one.gradient).max())
    assert np.abs(other.spread - one.spread).max() < bound


def test_the_probe_and_the_sweep_are_the_same():
    rows, labels = drawn(600, 16, 4)
    for strength in (1e-3, 1.0, 1e3):
        one, other = LinearProbe(strength).fit(rows, labels), LinearProbe(strength, device="cpu").fit(rows, labels)
        assert np.abs(one.coef_ - other.coef_).max() < 1e-2 * np.abs(one.coef_).max()
        assert (one.predict(rows) == other.predict(rows)).mean() > 0.995
    given = (rows[:400], labels[:400], rows[400:], labels[400:])
    assert sweep(*given, device="cpu").strength == sweep(*given).strength


def test_what_cannot_be_used_is_one_line(monkeypatch):
    rows, labels = drawn(50, 4, 2)
    with pytest.raises(ContraltoError, match="device 'cuda:99' cannot be used"):
        LinearProbe(device="cuda:99").fit(rows, labels)
    monkeypatch.setitem(sys.modules, "contralto.probe.on_torch", None)
    with pytest.raises(MissingExtraError, match=r"contralto\[torch\]"):
        LinearProbe(device="cuda").fit(rows, labels)
