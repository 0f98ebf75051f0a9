"""Graph files: written whole, small, never run by us."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from support.small_models import CONTRACTS, pixels, random_arrays

from contralto.engine import start
from contralto.engine.graph.whole_tower import graph, runtime_graph, write_graphs
from contralto.engine.onnx import FLOAT, Graph
from contralto.engine.openvino import model
from contralto.errors import ContraltoError, WeightsError
from contralto.weights.checkpoint import Checkpoint
from contralto.weights.native import read, write

CONTRACT = CONTRACTS["vit + causal"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path, CONTRACT, random_arrays(CONTRACT), "int8")
    write_graphs(tmp_path)
    return tmp_path


def test_they_lie_beside_the_weights_and_hold_none(folder: Path) -> None:
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["contralto.json", "image.onnx", "model.safetensors", "text.onnx"]
    checkpoint = read(folder)
    assert (folder / "image.onnx").read_bytes() == graph(checkpoint, "image")
    assert len(graph(checkpoint, "image")) < 30_000
    assert checkpoint.raw("image.patch.weight").tobytes() not in graph(checkpoint, "image")


@pytest.mark.parametrize("damage", [b"", b"not a graph"])
def test_a_changed_file_is_not_run(folder: Path, damage: bytes) -> None:
    want = start(read(folder)).image(pixels(CONTRACT))
    (folder / "image.onnx").write_bytes(damage)
    assert (start(read(folder)).image(pixels(CONTRACT)) == want).all()


def test_weights_saved_over_an_open_checkpoint_do_not_mix(folder: Path) -> None:
    """The open checkpoint keeps to the weights it opened."""
    opened = read(folder)
    want = start(opened).image(pixels(CONTRACT))
    write(folder, CONTRACT, random_arrays(CONTRACT, seed=1), "int8")
    assert (start(opened).image(pixels(CONTRACT)) == want).all()
    assert (start(read(folder)).image(pixels(CONTRACT)) != want).any()


def test_the_runtime_computes_on_the_mapped_file_itself(folder: Path) -> None:
    """No tensor is in the graph, and none is copied on the way to the runtime."""
    checkpoint = read(folder)
    content = runtime_graph(checkpoint, "image").model()
    assert len(content) < 30_000
    assert checkpoint.raw("image.patch.weight").tobytes() not in content
    constants = {
        int(node.data.ctypes.data): node for node in model(checkpoint, runtime_graph(checkpoint, "image")).get_ops()
        if node.get_type_name() == "Constant"
    }  # fmt: skip
    names = [name for name in checkpoint.tensors if name.startswith("image.")]
    assert len(names) > 40
    assert all(checkpoint.raw(name).ctypes.data in constants for name in names)


def test_a_folder_that_cannot_be_written_is_one_error(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(WeightsError, match=r"image\.onnx cannot be written: Permission denied"):
        write_graphs(folder)
    assert not list(folder.glob(".*"))


def test_a_graph_that_the_runtime_refuses_is_one_error(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def nonsense(*_: object) -> Graph:
        broken = Graph("broken")
        x = broken.input("pixels", FLOAT, ["N", 3, 8, 8])
        broken.output(broken.node("NoSuchOperator", x), "features", FLOAT, ["N", 24])
        return broken

    monkeypatch.setattr("contralto.engine.openvino.runtime_graph", nonsense)
    checkpoint: Checkpoint = read(folder)
    with pytest.raises(ContraltoError, match="openvino cannot load the image tower") as caught:
        start(checkpoint).image(pixels(CONTRACT))
    assert "\n" not in str(caught.value)


class NewTower:
    pass


@pytest.mark.parametrize("tower", ["image", "text"])
def test_a_new_tower_is_not_taken_for_another(tower: Any) -> None:
    section = SimpleNamespace(tower=NewTower(), size=(8, 8), trims=True)
    checkpoint: Any = SimpleNamespace(tensors={}, contract=SimpleNamespace(image=section, text=section))
    with pytest.raises(AssertionError, match="NewTower"):
        runtime_graph(checkpoint, tower)
