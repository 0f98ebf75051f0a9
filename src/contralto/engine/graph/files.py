"""Graph files: `image.onnx` and `text.onnx` beside `model.safetensors`, into which they point."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from contralto.architecture import CausalText, ResNet, ViT
from contralto.engine.graph.efficientnet import efficientnet
from contralto.engine.graph.layers import Layers, Locate
from contralto.engine.graph.resnet import resnet
from contralto.engine.graph.text import bert, causal
from contralto.engine.graph.vit import vit
from contralto.engine.onnx import FLOAT, INT64
from contralto.errors import WeightsError
from contralto.files import written_whole
from contralto.weights.checkpoint import Checkpoint
from contralto.weights.native import read

# The location by which OpenVINO and ONNX Runtime know that an offset is an address in this process.
IN_MEMORY = "*/_ORT_MEM_ADDR_/*"

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


def runnable_graph(checkpoint: Checkpoint, side: Side) -> Path | bytes:
    """The tower's graph for a runtime in this process; `checkpoint` must outlive whatever is made of it.

    The file beside native weights if it is, byte for byte, what this version writes: one that is stale, or that
    somebody changed, is never run. Else a model in memory whose tensors are the addresses of the mapped weight file; so
    a folder without graph files, or one that cannot be written, needs no second copy of anything.
    """
    beside = checkpoint.folder / f"{side}.onnx"
    if checkpoint.native is not None and checkpoint.native.in_place() and _holds(beside, graph(checkpoint, side)):
        return beside

    def locate(name: str) -> tuple[str, int, int]:
        raw = checkpoint.raw(name)
        return IN_MEMORY, raw.ctypes.data, raw.ctypes.data + raw.nbytes

    return graph(checkpoint, side, locate)


def graph(checkpoint: Checkpoint, side: Side, locate: Locate | None = None) -> bytes:
    """The ONNX model of one tower. image: pixels float32 (N, 3, h, w); text: ids int64 (N, L); features (N, E).

    Its tensors lie where `locate` says, by default in the native weight file, beside which the model is then to stand.
    """
    contract, file = checkpoint.contract, checkpoint.native

    def in_file(name: str) -> tuple[str, int, int]:
        assert file is not None, "only native weights have graph files"
        return file.path.name, file.tensors[name].begin, file.tensors[name].end

    layers = Layers(f"contralto {side} tower", checkpoint.tensors, locate or in_file)
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
    return efficientnet(layers, tower, pixels, size)


def _text(layers: Layers, checkpoint: Checkpoint) -> str:
    text = checkpoint.contract.text
    ids = layers.input("ids", INT64, ["N", "L"])
    if isinstance(text.tower, CausalText):
        return causal(layers, text.tower, ids)
    return bert(layers, text.tower, ids, text.pad, text.pool)


def _holds(path: Path, content: bytes) -> bool:
    try:
        return path.stat().st_size == len(content) and path.read_bytes() == content
    except OSError:
        return False
