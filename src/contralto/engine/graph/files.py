"""Whole towers as ONNX models; `image.onnx` and `text.onnx` beside native weights, into which they point."""

from __future__ import annotations

from pathlib import Path

from contralto.architecture import CausalText, ConvNeXt, Eva, FastViT, ResNet, ViT
from contralto.contract import Contract
from contralto.engine.base import TowerName
from contralto.engine.forest import BLOCK, grows
from contralto.engine.graph.convnext import convnext
from contralto.engine.graph.efficientnet import efficientnet
from contralto.engine.graph.eva import eva
from contralto.engine.graph.fastvit import fastvit
from contralto.engine.graph.layers import Layers
from contralto.engine.graph.resnet import resnet
from contralto.engine.graph.text import bert, causal, forest
from contralto.engine.graph.vit import vit
from contralto.engine.onnx import FLOAT, INT64
from contralto.errors import WeightsError
from contralto.files import written_whole
from contralto.weights.checkpoint import Checkpoint
from contralto.weights.native import read

FEATURES = "features"  # what the one output is called


def write_graphs(folder: str | Path) -> None:
    """Writes `image.onnx` and `text.onnx` for the native model in `folder`. Raises ContractError, WeightsError."""
    checkpoint = read(folder)
    sides: tuple[TowerName, TowerName] = ("image", "text")
    for side in sides:
        path = Path(folder) / f"{side}.onnx"
        try:
            with written_whole(path) as file:
                file.write(graph(checkpoint, side))
        except OSError as error:
            raise WeightsError(f"{path} cannot be written: {error.strerror or error}") from error


def graph(checkpoint: Checkpoint, side: TowerName) -> bytes:
    """The ONNX model of one tower, to stand beside native weights: its tensors are places in the weight file.

    image: pixels float32 (N, 3, h, w); text: ids int64 (N, L); both give features float32 (N, E).
    """
    file = checkpoint.native
    assert file is not None, "only native weights have graph files"

    def in_file(name: str) -> tuple[str, int, int]:
        return file.path.name, file.tensors[name].begin, file.tensors[name].end

    layers = Layers(f"contralto {side} tower", checkpoint.tensors, in_file)
    features = _image(layers, checkpoint.contract) if side == "image" else _text(layers, checkpoint.contract)
    layers.output(features, FEATURES, FLOAT, ["N", checkpoint.contract.embedding])
    return layers.model()


def runtime_graph(checkpoint: Checkpoint, side: TowerName) -> Layers:
    """The same for a runtime that is to be given the weights: they are inputs by their names, as they are stored.

    A causal text tower reads texts as a forest (see contralto.engine.forest): its inputs are those of a `Forest`.
    """
    layers = Layers(f"contralto {side} tower", checkpoint.tensors, None)
    text = checkpoint.contract.text
    if side == "image":
        features = _image(layers, checkpoint.contract)
    elif grows(text):
        assert isinstance(text.tower, CausalText)
        ids, depths = (layers.input(name, INT64, ["L"]) for name in ("ids", "depths"))
        keys, mask = layers.input("keys", INT64, ["B", "S"]), layers.input("mask", FLOAT, ["B", 1, BLOCK, "S"])
        features = forest(layers, text.tower, ids, depths, keys, mask, layers.input("ends", INT64, ["T"]))
    else:
        features = _text(layers, checkpoint.contract)
    layers.output(features, FEATURES, FLOAT, ["N", checkpoint.contract.embedding])
    return layers


def _image(layers: Layers, contract: Contract) -> str:
    tower, size = contract.image.tower, contract.image.size
    pixels = layers.input("pixels", FLOAT, ["N", 3, *size])
    if isinstance(tower, ViT):
        return vit(layers, tower, pixels, size)
    if isinstance(tower, ResNet):
        return resnet(layers, tower, pixels)
    if isinstance(tower, Eva):
        return eva(layers, tower, pixels, size)
    if isinstance(tower, ConvNeXt):
        return convnext(layers, tower, pixels)
    if isinstance(tower, FastViT):
        return fastvit(layers, tower, pixels)
    return efficientnet(layers, tower, pixels, size)


def _text(layers: Layers, contract: Contract) -> str:
    text = contract.text
    ids = layers.input("ids", INT64, ["N", "L"])
    if isinstance(text.tower, CausalText):
        return causal(layers, text.tower, ids, text.pool)
    return bert(layers, text.tower, ids, text.pad, text.pool)
