"""Samples that count their use, and measurements of a tower: what the tests of automatic precision share."""

from __future__ import annotations

import numpy as np
from support.small_models import ids, pixels

from contralto.contract import Contract
from contralto.engine import measure
from contralto.engine.base import TowerName
from contralto.engine.measure import Measurement, TowerMeasurements
from contralto.engine.openvino import OpenVINO
from contralto.weights.checkpoint import Checkpoint


class CountingSamples:
    """Batches of a small contract. uses: the number of batches taken so far."""

    def __init__(self, contract: Contract) -> None:
        self.contract, self.uses = contract, 0

    def pixels(self) -> np.ndarray:
        self.uses += 1
        return pixels(self.contract, 8)

    def ids(self) -> np.ndarray:
        self.uses += 1
        return ids(self.contract, 8)


def measurement(precision: str, per_second: float, cosine: float, tower: TowerName = "image") -> Measurement:
    return Measurement("openvino", precision, tower, per_second, cosine)


def measure_tower(model: Checkpoint, tower: TowerName, samples: CountingSamples | None = None) -> TowerMeasurements:
    return measure.measure(model, tower, samples or CountingSamples(model.contract), OpenVINO(model))
