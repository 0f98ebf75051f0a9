"""Measuring a tower: which precisions are timed, which layers int8 leaves in float, and the precision of those."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.tower_measurements import measure_tower, measurement

from contralto.engine import measure
from contralto.engine.measure import Measurement, fastest_precision, float_precision
from contralto.engine.openvino import OpenVINO
from contralto.engine.quantise import quantise


@pytest.mark.parametrize(
    ("others", "wanted"),
    [
        ([measurement("bf16", 30, 0.9995), measurement("int8", 40, 0.9995)], "int8"),
        (
            [measurement("bf16", 30, 0.9995), measurement("int8", 40, 0.9992)],
            "bf16",
        ),  # other items may be at 0.999
        ([measurement("bf16", 0.3, 1.0), measurement("int8", 40, 0.9)], "fp32"),  # a processor that emulates bf16
        ([measurement("bf16", 30, 0.99985, "text"), measurement("int8", 9, 0.9995, "text")], "fp32"),
        ([measurement("bf16", 30, 0.99985, "text"), measurement("int8", 11, 0.9995, "text")], "int8"),
        ([measurement("int8", 99, float("nan"))], "fp32"),
    ],
)
def test_the_fastest_that_keeps_the_bound(others: list[Measurement], wanted: str) -> None:
    assert fastest_precision([measurement("fp32", 10, 1.0, others[0].tower), *others]).precision == wanted


def test_measuring_tells_how_far_it_is(model, cache: Path, caplog) -> None:
    caplog.set_level("INFO", "contralto")
    measure_tower(model, "text")
    records = [record for record in caplog.records if hasattr(record, "total")]
    done = [record.done for record in records]
    assert {record.stage for record in records} == {"measuring this machine, once, for the text tower of small"}
    assert (done[0], done[-1]) == (0, records[0].total)
    assert done == sorted(done)
    assert len(set(done)) > 3
    assert [word in caplog.text for word in ("fp32", "int8")] == [True, True]


class Pretender(OpenVINO):
    """Computes in fp32, whatever it says."""

    def __init__(self, checkpoint, precision: str = "fp32", float_precision: str = "fp32") -> None:
        super().__init__(checkpoint)
        self.precision = precision


@pytest.mark.parametrize(
    ("tower", "cosine", "names", "rounds"),
    [
        ("image", 1.0, ["fp32", "bf16", "int8"], [3, 3, 3]),
        ("image", 0.99, ["fp32", "bf16", "fp16", "int8"], [3, 1, 1, 1]),
        ("text", 0.99992, ["fp32", "bf16", "fp16", "int8"], [3, 1, 1, 3]),  # near, but not with what samples may use
    ],
)
def test_what_cannot_be_chosen_costs_little(model, monkeypatch, tower, cosine, names, rounds) -> None:
    """fp16 where bf16 is near enough, and the speed of what is too coarse."""
    timed: list[int] = []
    monkeypatch.setattr(measure, "supports", lambda precision: True)
    monkeypatch.setattr(measure, "OpenVINO", Pretender)
    monkeypatch.setattr(measure, "_cosine", lambda *_: cosine)
    monkeypatch.setattr(measure, "_rate", lambda work, count, most, limit: timed.append(most) or 1.0)
    measurements = measure_tower(model, tower).measurements
    assert ([one.precision for one in measurements], timed) == (names, rounds)


def test_fp32_is_the_measure_of_all(model) -> None:
    for tower in ("image", "text"):
        result = measure_tower(model, tower)
        first, *_, last = result.measurements
        assert (first.precision, first.cosine, last.precision) == ("fp32", 1, "int8")
        assert all(one.per_second > 0 and 0.9 < one.cosine <= 1.000001 for one in result.measurements)
        assert any(stored.dtype == "I8" for stored in result.int8.tensors.values())


@pytest.mark.parametrize(
    ("bf16", "taken"),
    [
        ((200.0, 0.99995), "bf16"),
        ((60.0, 0.99995), "fp32"),  # near enough, and slower than fp32, as on a processor that splits its instructions
        ((200.0, 0.9998), "fp32"),  # faster, and too coarse
        (None, "fp32"),
    ],
)
def test_what_int8_leaves_is_computed_in_the_faster_of_both(bf16, taken):
    measurements = [measurement("fp32", 100.0, 1.0, "text")]
    measurements += [measurement("bf16", *bf16, "text")] if bf16 else []
    assert float_precision(measurements) == taken


@pytest.mark.parametrize(("share", "left"), [(7.0, 4), (1.0, 4), (0.6, 4), (0.5, 3), (0.1, 1), (0.05, 0)])
def test_fewer_layers_make_at_most_the_share_of_the_noise(share, left):
    noises = [1.0, 1.0, 3.0, 4.0, 1.0]
    assert measure._layers_within(sorted(noises), share) == left  # sums: 1, 2, 3, 6, 10


def test_only_as_many_layers_as_needed_go_back_to_float(checkpoint, monkeypatch):
    """A model whose embeddings are too far off while its three noisiest layers are in int8: these go back to float."""
    model = checkpoint("vit + causal")
    tried: list[int] = []
    calibrate = measure.calibrate

    def noisy(*given):
        quantisations = [one._replace(noise=1e-5) for one in calibrate(*given)]
        return [one._replace(noise=2e-4) if place < 3 else one for place, one in enumerate(quantisations)]

    def counted(checkpoint, quantisations, limit):
        tried.append(sum(one.noise <= limit for one in quantisations))
        return quantise(checkpoint, quantisations, limit)

    def cosine(embeddings, expected):
        return 0.998 if tried and tried[-1] > total - 3 else 0.9999

    total = len(calibrate(model, "image", [pixels(model)]))
    monkeypatch.setattr(measure, "calibrate", noisy)
    monkeypatch.setattr(measure, "quantise", counted)
    monkeypatch.setattr(measure, "_cosine", cosine)
    result = measure.measure(model, "image", Samples(model), measure.OpenVINO(model))
    assert tried[0] == total
    assert tried[-1] == total - 3
    assert len(tried) <= measure.INT8_TRIES
    assert result.measurements[-1].cosine == 0.9999


def pixels(checkpoint) -> np.ndarray:
    size = checkpoint.contract.image.size
    return np.random.default_rng(0).standard_normal((1, 3, *size), np.float32)


class Samples:
    def __init__(self, checkpoint) -> None:
        self._pixels = np.concatenate([pixels(checkpoint)] * 4)

    def pixels(self) -> np.ndarray:
        return self._pixels
