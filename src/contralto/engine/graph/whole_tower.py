"""Assembles whole towers as ONNX models, and writes `image.onnx` and `text.onnx` next to native weights.

Their plain twins are the towers in contralto.model; tests/engine/test_openvino_parity.py compares the two.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final, assert_never

from contralto.architecture import Bert, CausalText, ConvNeXt, EfficientNet, Eva, FastViT, ResNet, ViT
from contralto.contract import Contract
from contralto.engine.base import TOWER_NAMES, TowerName
from contralto.engine.forest import NODE_BLOCK, supports_forest
from contralto.engine.graph.convnext import convnext, convnext_grid
from contralto.engine.graph.detector import cell_numbers, detector
from contralto.engine.graph.efficientnet import efficientnet, efficientnet_grid
from contralto.engine.graph.eva import eva, eva_grid
from contralto.engine.graph.fastvit import fastvit, fastvit_grid
from contralto.engine.graph.layers import Layers
from contralto.engine.graph.resnet import resnet, resnet_grid
from contralto.engine.graph.text import bert, causal, forest
from contralto.engine.graph.vit import vit, vit_grid
from contralto.engine.onnx import FLOAT, INT64
from contralto.errors import WeightsError
from contralto.files import written_whole
from contralto.weights.checkpoint import Checkpoint
from contralto.weights.native import read

FEATURES: Final = "features"  # the name of the only output of a whole tower
GRID: Final = "grid"  # of a tower that ends at its grid


def write_graphs(folder: str | Path) -> None:
    """Writes `image.onnx` and `text.onnx` for the native model in `folder`. Raises ContractError, WeightsError."""
    checkpoint = read(folder)
    for tower in TOWER_NAMES:
        path = Path(folder) / f"{tower}.onnx"
        try:
            with written_whole(path) as file:
                file.write(graph(checkpoint, tower))
        except OSError as error:
            raise WeightsError(f"{path} cannot be written: {error.strerror or error}") from error


def graph(checkpoint: Checkpoint, tower: TowerName) -> bytes:
    """The ONNX model of one tower, for the folder of native weights: its tensors are ranges of the weight file.

    Input: pixels float32 (N, 3, h, w), or ids int64 (N, L). Output: features float32 (N, E); a detector's image tower
    gives its grid.
    """
    file = checkpoint.native
    assert file is not None, "only native weights have graph files"

    def in_file(name: str) -> tuple[str, int, int]:
        return file.path.name, file.tensors[name].begin, file.tensors[name].end

    layers = Layers(f"contralto {tower} tower", checkpoint.tensors, in_file)
    if tower == "image" and checkpoint.contract.detector is not None:
        _grid(layers, checkpoint.contract)
        return layers.model()
    features = _image(layers, checkpoint.contract) if tower == "image" else _text(layers, checkpoint.contract)
    layers.output(features, FEATURES, FLOAT, ["N", checkpoint.contract.embedding])
    return layers.model()


def runtime_graph(checkpoint: Checkpoint, tower: TowerName) -> Layers:
    """The graph for a runtime that gets the weights separately: they are inputs, with their names and stored types.

    A causal text tower reads texts as a forest (see contralto.engine.forest); its inputs are `Forest.inputs`.
    """
    layers = Layers(f"contralto {tower} tower", checkpoint.tensors, None)
    text = checkpoint.contract.text
    if tower == "image":
        features = _image(layers, checkpoint.contract)
    elif supports_forest(text):
        assert isinstance(text.tower, CausalText)
        ids, depths = (layers.input(name, INT64, ["L"]) for name in ("ids", "depths"))
        keys, mask = layers.input("keys", INT64, ["B", "S"]), layers.input("mask", FLOAT, ["B", 1, NODE_BLOCK, "S"])
        features = forest(layers, text.tower, ids, depths, keys, mask, layers.input("ends", INT64, ["T"]))
    else:
        features = _text(layers, checkpoint.contract)
    layers.output(features, FEATURES, FLOAT, ["N", checkpoint.contract.embedding])
    return layers


def grid_graph(checkpoint: Checkpoint) -> Layers:
    """Like `runtime_graph` of the image tower, but it ends at the grid: what the tower's pool or last block reads.

    Output: tokens (N, L, W) of a ViT or Eva, else a map (N, C, h, w). `contralto.encoder.finish` computes the rest. Of
    a detector: the numbers that its heads give for each cell, (N, L, E + 6 or 7).
    """
    layers = Layers("contralto image grid", checkpoint.tensors, None)
    _grid(layers, checkpoint.contract)
    return layers


def _grid(layers: Layers, contract: Contract) -> None:
    """From an input of pixels to an output called GRID."""
    tower, size = contract.image.tower, contract.image.size
    pixels = _pixels(layers, contract)
    match tower:
        case ViT() if contract.detector is not None:
            grid = detector(layers, contract.detector, tower, pixels, size)
        case ViT():
            grid = vit_grid(layers, tower, pixels, size)
        case Eva():
            grid = eva_grid(layers, tower, pixels, size)
        case ResNet():
            grid = resnet_grid(layers, tower, pixels)
        case ConvNeXt():
            grid = convnext_grid(layers, tower, pixels)
        case FastViT():
            grid = fastvit_grid(layers, tower, pixels)
        case EfficientNet():
            grid = efficientnet_grid(layers, tower, pixels, size)
        case _:
            assert_never(tower)
    width = tower.features if contract.detector is None else cell_numbers(contract.detector, contract.embedding)
    shape: list[int | str] = ["N", "L", width] if isinstance(tower, ViT | Eva) else ["N", width, "rows", "columns"]
    layers.output(grid, GRID, FLOAT, shape)


def _pixels(layers: Layers, contract: Contract) -> str:
    return layers.input("pixels", FLOAT, ["N", 3, *contract.image.size])


def _image(layers: Layers, contract: Contract) -> str:
    tower, size = contract.image.tower, contract.image.size
    pixels = _pixels(layers, contract)
    match tower:
        case ViT():
            return vit(layers, tower, pixels, size)
        case ResNet():
            return resnet(layers, tower, pixels)
        case Eva():
            return eva(layers, tower, pixels, size)
        case ConvNeXt():
            return convnext(layers, tower, pixels)
        case FastViT():
            return fastvit(layers, tower, pixels)
        case EfficientNet():
            return efficientnet(layers, tower, pixels, size)
        case _:
            assert_never(tower)


def _text(layers: Layers, contract: Contract) -> str:
    text = contract.text
    ids = layers.input("ids", INT64, ["N", "L"])
    match text.tower:
        case CausalText():
            return causal(layers, text.tower, ids, text.pool)
        case Bert():
            return bert(layers, text.tower, ids, text.pad, text.pool)
        case _:
            assert_never(text.tower)
