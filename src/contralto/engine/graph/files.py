"""Whole towers as ONNX models; `image.onnx` and `text.onnx` beside native weights, into which they point."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from contralto.architecture import CausalText, ConvNeXt, Eva, FastViT, ResNet, ViT
from contralto.engine.graph.convnext import convnext
from contralto.engine.graph.efficientnet import efficientnet
from contralto.engine.graph.eva import eva
from contralto.engine.graph.fastvit import fastvit
from contralto.engine.graph.layers import Layers
from contralto.engine.graph.resnet import resnet
from contralto.engine.graph.text import bert, causal
from contralto.engine.graph.vit import vit
from contralto.engine.onnx import FLOAT, INT64
from contralto.errors import WeightsError
from contralto.files import written_whole
from contralto.weights.checkpoint import Checkpoint
from contralto.weights.native import read

Side = Literal["image", "text"]


def write_graphs(folder: str | Path) -> None:
    """Writes `image.onnx` and `text.onnx` for the native model in `folder`. Raises ContractError, WeightsError."""
    checkpoint = read(folder)
    sides: tuple[Side, Side] = ("image", "text")
    for side in sides:
        path = Path(folder) / f"{side}.onnx"
        try:
            with written_whole(path) as file:
                file.write(graph(checkpoint, side))
        except OSError as error:
            raise WeightsError(f"{path} cannot be written: {error.strerror or error}") from error


def graph(checkpoint: Checkpoint, side: Side, *, weights: Literal["file", "inputs"] = "file") -> bytes:
    """The ONNX model of one tower. image: pixels float32 (N, 3, h, w); text: ids int64 (N, L); features (N, E).

    weights: "file": its tensors lie in the native weight file, beside which the model is to stand; "inputs": they are
    inputs of the model by their native names, in the dtype in which they are stored, for a runtime to be given.
    """
    contract, file = checkpoint.contract, checkpoint.native

    def in_file(name: str) -> tuple[str, int, int]:
        assert file is not None, "only native weights have graph files"
        return file.path.name, file.tensors[name].begin, file.tensors[name].end

    layers = Layers(f"contralto {side} tower", checkpoint.tensors, in_file if weights == "file" else None)
    features = _image(layers, checkpoint) if side == "image" else _text(layers, checkpoint)
    layers.output(features, "features", FLOAT, ["N", contract.embedding])
    return layers.model()


def _image(layers: Layers, checkpoint: Checkpoint) -> str:
    tower, size = checkpoint.contract.image.tower, checkpoint.contract.image.size
    pixels = layers.input("pixels", FLOAT, ["N", 3, *size])
    if isinstance(tower, ViT):
        return vit(layers, tower, pixels)
    if isinstance(tower, ResNet):
        return resnet(layers, tower, pixels)
    if isinstance(tower, Eva):
        return eva(layers, tower, pixels, size)
    if isinstance(tower, ConvNeXt):
        return convnext(layers, tower, pixels)
    if isinstance(tower, FastViT):
        return fastvit(layers, tower, pixels)
    return efficientnet(layers, tower, pixels, size)


def _text(layers: Layers, checkpoint: Checkpoint) -> str:
    text = checkpoint.contract.text
    ids = layers.input("ids", INT64, ["N", "L"])
    if isinstance(text.tower, CausalText):
        return causal(layers, text.tower, ids, text.pool)
    return bert(layers, text.tower, ids, text.pad, text.pool)
