"""The heads of a detector in every engine, and in the graph beside the weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.plain_towers import layer_norm
from support.small_models import DETECTORS, ids, pixels, random_arrays

from contralto.contract import Contract
from contralto.engine import report, start
from contralto.engine.graph.detector import cell_numbers
from contralto.engine.graph.whole_tower import write_graphs
from contralto.engine.openvino import configuration, core
from contralto.errors import ContraltoError
from contralto.weights.checkpoint import Checkpoint
from contralto.weights.native import read, write


@pytest.fixture(params=DETECTORS)
def detector(request: pytest.FixtureRequest, tmp_path: Path) -> Checkpoint:
    return written(tmp_path, request.param)


def written(folder: Path, name: str) -> Checkpoint:
    write(folder, DETECTORS[name], random_arrays(DETECTORS[name]))
    write_graphs(folder)
    return read(folder)


def numbers(contract: Contract) -> int:
    return contract.embedding + (7 if contract.detector is not None and contract.detector.objectness else 6)


def near(given: np.ndarray, expected: np.ndarray) -> None:
    """Both as large as the largest number of a cell."""
    assert given.dtype == np.float32
    assert np.abs(given - expected).max() < 1e-5 * np.abs(expected).max()


@pytest.mark.parametrize(("name", "engine"), [("owlvit", "eager"), ("owlv2", "eager"), ("owlv2", "compiled")])
def test_all_engines_give_the_same_cells(tmp_path: Path, name: str, engine: str, graphs: list[Any]) -> None:
    pytest.importorskip("torch")
    detector = written(tmp_path, name)
    given = pixels(detector.contract, 3)
    cells = start(detector).grid(given)
    assert cells.shape == (3, 2 * 3, numbers(detector.contract))
    near(start(detector, engine=engine).grid(given), cells)
    near(start(detector).grid(given[1:2]), cells[1:2])


def test_the_heads_by_their_definition(detector: Checkpoint) -> None:
    """From the tokens that the last block gives, which a model without heads gives as well."""
    torch = pytest.importorskip("torch")
    from contralto.encoder.torch_model import module
    from contralto.model.vit import ViT

    given, tower = pixels(detector.contract, 1), module(detector).image
    with torch.no_grad():
        tokens = tower.blocks[-1](ViT.grid(tower, torch.tensor(given)))[0].double().numpy()
    eps = detector.contract.image.tower.norm_eps  # type: ignore[union-attr]

    def linear(name: str, x: np.ndarray) -> np.ndarray:
        return x @ detector[f"image.detector.{name}.weight"].T + detector[f"image.detector.{name}.bias"]

    def gelu(x: np.ndarray) -> np.ndarray:
        return x * (1 + torch.erf(torch.tensor(x / 2**0.5)).numpy()) / 2

    z = layer_norm(tokens, dict(detector), "image.norm_post", eps)
    x = layer_norm(z[1:] * z[0], dict(detector), "image.detector.norm", eps)
    heads = ["box", "objectness"] if numbers(detector.contract) == detector.contract.embedding + 7 else ["box"]
    mlps = [linear(f"{h}.2", gelu(linear(f"{h}.1", gelu(linear(f"{h}.0", x))))) for h in heads]
    expected = np.concatenate([linear("row", x), linear("shift", x), linear("scale", x), *mlps], axis=1)
    near(start(detector).grid(given)[0], expected)


def test_the_graph_beside_the_weights_gives_the_cells(detector: Checkpoint) -> None:
    given = pixels(detector.contract, 2)
    compiled = core().compile_model(str(detector.folder / "image.onnx"), "CPU", configuration("fp32"))
    assert "grid" in compiled.output(0).names
    near(compiled(given)[0], start(detector).grid(given))


@pytest.mark.parametrize("engine", ["openvino", "eager"])
def test_a_detector_embeds_no_picture_but_texts(detector: Checkpoint, engine: str) -> None:
    if engine == "eager":
        pytest.importorskip("torch")
    started = start(detector, engine=engine)
    with pytest.raises(ContraltoError, match=r"small has no picture embeddings: it is a detector.*contralto\.detect"):
        started.image(pixels(detector.contract, 1))
    assert started.text(ids(detector.contract)).shape == (3, detector.contract.embedding)


class _Samples:
    def __init__(self, contract: Contract) -> None:
        self._contract = contract

    def pixels(self) -> np.ndarray:
        raise AssertionError("a detector's pictures are not measured")

    def ids(self) -> np.ndarray:
        return ids(self._contract, 16)


def test_auto_measures_the_texts_alone(tmp_path: Path) -> None:
    detector = written(tmp_path, "owlv2")
    engine = start(detector, _Samples(detector.contract))
    near(engine.grid(pixels(detector.contract, 1)), start(detector).grid(pixels(detector.contract, 1)))
    stated = report(engine)
    assert {one.tower for one in stated.measured} == {"text"}
    assert stated.why.startswith("image fp32: a detector; text ")
    assert engine.engine_for("image", 10**6).precision == "fp32"


def test_weights_in_int8_are_read(tmp_path: Path) -> None:
    contract = DETECTORS["owlv2"]
    write(tmp_path, contract, random_arrays(contract), "int8")
    given, stored = pixels(contract, 1), read(tmp_path)
    write(tmp_path / "wide", contract, {name: stored[name] for name in stored})
    near(start(stored).grid(given), start(read(tmp_path / "wide")).grid(given))


def test_cell_numbers_are_what_the_heads_give() -> None:
    for contract in DETECTORS.values():
        assert contract.detector is not None
        assert cell_numbers(contract.detector, contract.embedding) == numbers(contract)
