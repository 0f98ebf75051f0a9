from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.small_models import CONTRACTS, random_arrays

from contralto.engine import measurements_cache
from contralto.engine.graph.whole_tower import write_graphs
from contralto.weights.checkpoint import Checkpoint
from contralto.weights.native import read, write


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Checkpoint]:
    """checkpoint(name, dtype): one of CONTRACTS with random weights in a folder, made once."""
    made: dict[object, Path] = {}

    def make(name: str = "vit + causal", dtype: str = "float32") -> Checkpoint:
        key = (name, dtype)
        if key not in made:
            made[key] = tmp_path_factory.mktemp("model")
            write(made[key], CONTRACTS[name], random_arrays(CONTRACTS[name]), dtype)  # type: ignore[arg-type]
            write_graphs(made[key])
        return read(made[key])

    return make


@pytest.fixture
def cache(own_cache: Path) -> Path:
    """The folder of cached measurements."""
    return own_cache / measurements_cache.ENGINES_FOLDER


@pytest.fixture
def model(checkpoint: Callable[..., Checkpoint]) -> Checkpoint:
    return checkpoint("vit + causal")


@pytest.fixture
def graphs(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The graphs compiled so far, by a backend that runs them as they are."""
    from contralto.engine import compiled

    made: list[Any] = []

    def backend(graph: Any, inputs: list[Any]) -> Any:
        made.append(graph)
        return graph.forward

    monkeypatch.setattr(compiled, "BACKEND", backend)
    return made
