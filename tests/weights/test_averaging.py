"""The mean of adaptations computes the mean of what they compute."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support import adaptations
from support.adaptations import unit_rows

from contralto.contract import preset
from contralto.errors import WeightsError
from contralto.weights.adaptation import StoredAdaptation
from contralto.weights.averaging import mean
from contralto.zeroshot.adapted import AdaptedClassifier

CONTRACT = preset("tiny")
WIDTH = CONTRACT.embedding
ROWS = unit_rows(np.random.default_rng(5), 20, WIDTH)
Q, HEAD = "text.blocks.0.attention.q", "image.head.linear"


def classifiers(folder: Path, method: str, count: int) -> list[StoredAdaptation]:
    return [
        adaptations.write(folder / str(n), method, CONTRACT, adaptations.classifier_tensors(method, WIDTH, seed=n))
        for n in range(count)
    ]


def loras(folder: Path, count: int, rank: int = 2) -> list[StoredAdaptation]:
    return [
        adaptations.write(folder / str(n), "lora", CONTRACT, adaptations.pairs(CONTRACT, names, rank, seed=n))
        for n, names in zip(range(count), ((Q, HEAD), (Q,), (Q, HEAD)), strict=False)
    ]


def change(tensors: dict[str, np.ndarray], matrix: str) -> np.ndarray:
    if f"{matrix}.A" not in tensors:
        return np.zeros(1)
    return tensors[f"{matrix}.B"].astype(np.float64) @ tensors[f"{matrix}.A"].astype(np.float64)


def arrays(one: StoredAdaptation) -> dict[str, np.ndarray]:
    return {name: one.array(name) for name in one.tensors}


@pytest.mark.parametrize("method", ["zero-shot", "tip", "tip-f", "kernel", "gaussian", "probe"])
def test_logits_are_averaged(tmp_path: Path, method: str) -> None:
    several = classifiers(tmp_path, method, 3)
    soup = adaptations.write(tmp_path / "soup", method, CONTRACT, mean(several))
    expected = np.mean([AdaptedClassifier.of(one, 20.0).logits(ROWS) for one in several], axis=0)
    assert np.abs(AdaptedClassifier.of(soup, 20.0).logits(ROWS) - expected).max() < 2e-5


def test_rows_of_prototypes_are_averaged_and_of_unit_length(tmp_path: Path) -> None:
    several = classifiers(tmp_path, "prototypes", 2)
    total = several[0].array("prototypes") + several[1].array("prototypes")
    expected = total / np.linalg.norm(total, axis=1, keepdims=True)
    assert np.abs(mean(several)["prototypes"] - expected).max() < 1e-6


def test_probes_around_other_means_with_more_classes_than_numbers_have_no_mean(tmp_path: Path) -> None:
    several = []
    for n in range(2):
        tensors = adaptations.classifier_tensors("probe", WIDTH, features=2, seed=n)
        settings = {"input": "features"}
        several.append(adaptations.write(tmp_path / str(n), "probe", CONTRACT, tensors, settings=settings))
    with pytest.raises(WeightsError, match="have no mean"):
        mean(several)


@pytest.mark.parametrize(("count", "rank"), [(2, 2), (3, 2), (3, 60)])
def test_low_rank_changes_are_averaged_as_products(tmp_path: Path, count: int, rank: int) -> None:
    several = loras(tmp_path, count, rank)
    tensors = mean(several)
    smallest = min(change(tensors, Q).shape)
    assert len(tensors[f"{Q}.A"]) == min(count * rank, smallest)
    for matrix in (Q, HEAD):
        expected = sum(change(arrays(one), matrix) for one in several) / count
        assert np.abs(change(tensors, matrix) - expected).max() < 1e-5


def test_whole_changes_are_averaged_and_an_absent_one_is_zero(tmp_path: Path) -> None:
    name, only = f"{Q}.weight", "text.norm_post.bias"
    shapes = {name: (4, 3), only: (5,)}
    generator = np.random.default_rng(0)
    first = {one: generator.standard_normal(shape).astype(np.float16) for one, shape in shapes.items()}
    second = {name: generator.standard_normal(shapes[name]).astype(np.float16)}
    several = [adaptations.write(tmp_path / str(n), "full", CONTRACT, t) for n, t in enumerate((first, second))]
    tensors = mean(several)
    assert tensors[name].dtype == np.float16
    assert np.abs(tensors[name] - (first[name].astype(float) + second[name]) / 2).max() < 1e-3
    assert np.array_equal(tensors[only], first[only] / 2)


def test_one_adaptation_is_its_own_mean(tmp_path: Path) -> None:
    for one in (*loras(tmp_path / "l", 1), *classifiers(tmp_path / "p", "probe", 1)):
        tensors = mean([one])
        assert tensors.keys() == one.tensors.keys()
        assert all(np.array_equal(tensors[name], one.array(name)) for name in tensors)


def test_what_has_no_mean_is_refused(tmp_path: Path) -> None:
    adapters = [
        adaptations.write(tmp_path / str(n), "adapter", CONTRACT, adaptations.adapter(WIDTH, seed=n)) for n in range(2)
    ]
    with pytest.raises(WeightsError, match="adapter is not linear"):
        mean(adapters)
    one, other = classifiers(tmp_path / "c", "gaussian", 2)
    moved = arrays(other) | {"text": ROWS[:3]}
    with pytest.raises(WeightsError, match="other texts for their classes"):
        mean([one, adaptations.write(tmp_path / "moved", "gaussian", CONTRACT, moved)])
    low = loras(tmp_path / "l", 1)[0]
    whole = adaptations.write(tmp_path / "w", "lora", CONTRACT, {f"{Q}.weight": np.ones((2, 2))})
    with pytest.raises(WeightsError, match="by a low rank here and as a whole there"):
        mean([low, whole])
