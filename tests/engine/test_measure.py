"""What int8 leaves in float, and what that is computed in."""

from __future__ import annotations

import numpy as np
import pytest

from contralto.engine import measure
from contralto.engine.measure import Measured, rest
from contralto.engine.quantise import quantised


def timed(precision: str, per_second: float, cosine: float) -> Measured:
    return Measured("openvino", precision, "text", per_second, cosine)


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
    found = [timed("fp32", 100.0, 1.0)] + ([timed("bf16", *bf16)] if bf16 else [])
    assert rest(found) == taken


@pytest.mark.parametrize(("share", "left"), [(7.0, 4), (1.0, 4), (0.6, 4), (0.5, 3), (0.1, 1), (0.05, 0)])
def test_fewer_maps_make_at_most_the_share_of_the_noise(share, left):
    noises = [1.0, 1.0, 3.0, 4.0, 1.0]
    assert measure._fewer(sorted(noises), share) == left  # sums: 1, 2, 3, 6, 10


def test_only_as_many_maps_as_needed_go_back_to_float(checkpoint, monkeypatch):
    """A model of which rows are too far off as long as its noisiest three maps are in int8: these three go back."""
    model = checkpoint("vit + causal")
    tried: list[int] = []
    levels = measure.levels

    def noisy(*given):
        found = [one._replace(noise=1e-5) for one in levels(*given)]
        return [one._replace(noise=2e-4) if place < 3 else one for place, one in enumerate(found)]

    def counted(checkpoint, read, limit):
        tried.append(sum(one.noise <= limit for one in read))
        return quantised(checkpoint, read, limit)

    def cosine(rows, wanted):
        return 0.998 if tried and tried[-1] > total - 3 else 0.9999

    total = len(levels(model, "image", [pixels(model)]))
    monkeypatch.setattr(measure, "levels", noisy)
    monkeypatch.setattr(measure, "quantised", counted)
    monkeypatch.setattr(measure, "_cosine", cosine)
    found = measure.measure(model, "image", Samples(model), measure.OpenVINO(model))
    assert tried[0] == total
    assert tried[-1] == total - 3
    assert len(tried) <= measure.TRIES
    assert found.measured[-1].cosine == 0.9999


def pixels(checkpoint) -> np.ndarray:
    size = checkpoint.contract.image.size
    return np.random.default_rng(0).standard_normal((1, 3, *size), np.float32)


class Samples:
    def __init__(self, checkpoint) -> None:
        self._pixels = np.concatenate([pixels(checkpoint)] * 4)

    def pixels(self) -> np.ndarray:
        return self._pixels
