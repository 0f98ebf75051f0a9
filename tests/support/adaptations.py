"""Random adaptations of every method, for any contract."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from contralto.contract import Contract
from contralto.weights import adaptation
from contralto.weights.adaptation import AdaptationBase, AdaptationDescription, StoredAdaptation, TrainedOn
from contralto.weights.names import expected

CLASSES = (("cat", "kitty"), ("dog",), ("red circle",))
KEYS = 5
CLASSIFIERS = ("zero-shot", "prototypes", "prompt", "tip", "tip-f", "kernel", "gaussian", "probe")
SETTINGS: dict[str, dict[str, Any]] = {
    "tip": {"beta": 5.5},
    "tip-f": {"beta": 5.5},
    "kernel": {"beta": 5.5},
    "probe": {"input": "embeddings"},
    "adapter": {"ratio": 0.4},
}


def unit_rows(generator: np.random.Generator, count: int, width: int) -> np.ndarray:
    rows = generator.standard_normal((count, width))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def classifier_tensors(method: str, width: int, *, seed: int = 0, features: int | None = None) -> dict[str, np.ndarray]:
    """The tensors of a classifier of CLASSES. width: of embeddings; features: what a probe reads, if not those."""
    generator, count = np.random.default_rng(seed), len(CLASSES)
    text = unit_rows(np.random.default_rng(99), count, width)  # that of the base, so it is the same for each seed
    match method:
        case "prototypes" | "prompt":
            return {"text": text, "prototypes": unit_rows(generator, count, width)}
        case "tip" | "tip-f" | "kernel":
            weights = generator.standard_normal((KEYS, count), np.float32)
            return {"text": text, "keys": unit_rows(generator, KEYS, width), "weights": weights}
        case "gaussian":
            weight = generator.standard_normal((count, width), np.float32)
            return {"text": text, "weight": weight, "bias": generator.standard_normal(count, np.float32)}
        case "probe":
            read = features or width
            weight, mean = generator.standard_normal((count, read), np.float32), 0.1 * generator.standard_normal(read)
            return {"text": text, "weight": weight, "mean": mean, "scale": np.float32(0.7)}
        case _:
            return {"text": text}


def pairs(contract: Contract, matrices: tuple[str, ...], rank: int = 2, seed: int = 0) -> dict[str, np.ndarray]:
    """A and B of these modules; their product is of the size of random weights."""
    generator, tensors = np.random.default_rng(seed), {}
    for matrix in matrices:
        out, inputs = expected(contract)[f"{matrix}.weight"][:2]
        tensors[f"{matrix}.A"] = generator.standard_normal((rank, inputs), np.float32) / np.float32(inputs**0.5)
        tensors[f"{matrix}.B"] = generator.standard_normal((out, rank), np.float32) * np.float32(0.3)
    return tensors


def adapter(width: int, hidden: int = 4, seed: int = 0, towers: tuple[str, ...] = ("image",)) -> dict[str, np.ndarray]:
    generator, tensors = np.random.default_rng(seed), {}
    for tower in towers:
        tensors[f"{tower}.adapter.A"] = generator.standard_normal((width, hidden), np.float32)
        tensors[f"{tower}.adapter.B"] = generator.standard_normal((hidden, width), np.float32)
    return tensors


def pooler(width: int) -> dict[str, np.ndarray]:
    """Any pooler of the parts of a long text."""
    zeros = np.zeros(2, np.float32)
    return {
        "pooler.query": np.ones(width, np.float32),
        "pooler.place": zeros,
        "pooler.length": np.zeros((), np.float32),
    }


def described(method: str, contract: Contract, source: str | None = None, **changes: Any) -> AdaptationDescription:
    """A description of CLASSES. source: where the base is."""
    base = AdaptationBase(contract.name, contract.hash, source)
    fields: dict[str, Any] = {
        "classes": CLASSES,
        "templates": ("a photo of a {}.", "{}"),
        "settings": dict(SETTINGS.get(method, {})),
        "trained_on": TrainedOn("drawn", "train", 12, "0" * 64),
        "licence": "CC0-1.0",
        "provenance": "a test",
    }
    return AdaptationDescription(method, base, **fields | changes)  # type: ignore[arg-type]


def write(
    folder: Path,
    method: str,
    contract: Contract,
    tensors: dict[str, Any],
    source: str | Path | None = None,
    **changes: Any,
) -> StoredAdaptation:
    stated = described(method, contract, None if source is None else str(source), **changes)
    return adaptation.write(folder, stated, tensors)
