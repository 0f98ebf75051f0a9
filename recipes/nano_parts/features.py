"""Features of every training picture in several views by the locked picture tower, computed once and cached."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image as Picture
from torch import Generator, Tensor

from contralto.contract import Contract, Image
from contralto.data.class_folders import ClassFolders
from contralto.data.sample import Source
from contralto.data.tar import members
from contralto.data.webdataset import WebDataset
from contralto.encoder.featurizer import headless
from contralto.engine.openvino import OpenVINO, supports
from contralto.files import written_whole
from contralto.image.decode import decode
from contralto.image.transform import resized
from contralto.model.clip import CLIP
from contralto.weights.checkpoint import Checkpoint, StoredTensor
from nano_parts import views
from nano_parts.words import SETS

BATCH = 32
PHOTOGRAPH = (
    views.whole,
    views.mirrored,
    views.crop,
    views.crop,
    views.crop,
    views.recoloured,
    views.small,
    views.drawn,
)
PLAIN_VIEWS = 6  # the views before this one look like photographs
EMOJI_PLACED = 3  # random places among an emoji's views


@dataclass(frozen=True)
class Pictures:
    """features: float16 (N, views, 1280), the first view is the picture itself. about: facts about each picture."""

    features: Tensor
    about: list[dict[str, Any]]

    def __len__(self) -> int:
        return len(self.about)


def captioned(tower: Runner, data: Path, cache: Path) -> Pictures:
    """Flickr8k's train split and coco-mini. about: captions."""
    source = WebDataset(_captioned_tars(data))
    about = [{"captions": list(source[i].captions)} for i in range(len(source))]
    return _photographs("captioned", source, about, tower, cache)


def labelled(tower: Runner, data: Path, cache: Path) -> list[Pictures]:
    """The train splits of the labelled sets. about: class (the name), and title where a product has one."""
    sets = []
    for name in SETS:
        source = ClassFolders(data / f"sets/{name}.tar", "train")
        stated = json.loads((data / f"sets/{name}.json").read_bytes())
        titles = {item["file"]: item["title"] for item in stated.get("items", [])}
        samples = [source[i] for i in range(len(source))]
        about = [{"class": source.names[s.label], "title": titles.get(s.key)} for s in samples if s.label is not None]
        sets.append(_photographs(name, source, about, tower, cache))
    return sets


def emoji(tower: Runner, data: Path, cache: Path) -> Pictures:
    """Both drawing styles, on white and at random places on colours. about: id, style, name, keywords."""
    known = {one["id"]: one for one in json.loads((data / "emoji/emoji.json").read_bytes())}
    files = [member for member in members(data / "emoji/emoji.tar") if member.name.endswith(".png")]
    about = []
    for file in files:
        style, name = file.name.removesuffix(".png").split("/")
        about.append({"style": style} | {key: known[name][key] for key in ("id", "name", "keywords")})

    def make(indices: range, random: Generator) -> list[Tensor]:
        rgba = [Picture.open(io.BytesIO(files[i].read())).convert("RGBA").resize((64, 64)) for i in indices]
        x = torch.from_numpy(np.stack([np.array(one) for one in rgba])).permute(0, 3, 1, 2).float()
        plain = views.emoji(x, None)
        placed = [views.emoji(x, random) for _ in range(EMOJI_PLACED)]
        return [plain, *placed, views.small(plain, random), views.grey(plain, random)]

    return Pictures(_cached(cache / "emoji.npy", len(files), make, tower), about)


def digests(data: Path) -> Iterator[bytes]:
    """sha256 of the file of every training picture of these three sources."""
    captions = WebDataset(_captioned_tars(data))
    sources: list[Source] = [captions, *(ClassFolders(data / f"sets/{name}.tar", "train") for name in SETS)]
    for source in sources:
        for i in range(len(source)):
            picture = source[i].picture
            assert isinstance(picture, bytes), "it lies in a tar"
            yield hashlib.sha256(picture).digest()
    for member in members(data / "emoji/emoji.tar"):
        yield hashlib.sha256(member.read()).digest()


def _captioned_tars(data: Path) -> list[Path]:
    return [*sorted((data / "flickr8k").glob("flickr8k-train-*.tar")), data / "coco-mini/coco-mini-train.tar"]


def _photographs(name: str, source: Source, about: list[dict[str, Any]], tower: Runner, cache: Path) -> Pictures:
    def make(indices: range, random: Generator) -> list[Tensor]:
        x = pixels(source, indices, tower.spec)
        return [view(x, random) for view in PHOTOGRAPH]

    return Pictures(_cached(cache / f"{name}.npy", len(source), make, tower), about)


def pixels(source: Source, indices: range, spec: Image) -> Tensor:
    """float (N, 3, 224, 224) in 0..255: pictures prepared by the contract, before normalisation."""
    with ThreadPoolExecutor(2) as pool:
        pictures = pool.map(lambda i: resized(decode(source[i].picture), spec), indices)
        return torch.from_numpy(np.stack(list(pictures))).permute(0, 3, 1, 2).float()


def normalised(x: Tensor, spec: Image) -> Tensor:
    """Pixels in 0..255 -> input of the tower."""
    mean, std = (torch.tensor(value)[:, None, None] for value in (spec.mean, spec.std))
    return (x / 255 - mean) / std


class Runner:
    """The picture tower's features by OpenVINO, three times as fast as eager PyTorch; in bf16 if the processor has it.

    It shares the model's arrays, so the tower must stay locked.
    """

    def __init__(self, model: CLIP, contract: Contract) -> None:
        tensors = {name: StoredTensor("F32", tensor.numpy()) for name, tensor in model.state_dict().items()}
        checkpoint = headless(Checkpoint(contract, tensors, []))
        self._engine = OpenVINO(checkpoint, "bf16" if supports("bf16") else "fp32")
        self.spec = contract.image

    def __call__(self, x: Tensor) -> NDArray[np.float16]:
        """Pixels in 0..255 (N, 3, 224, 224) -> float16 (N, 1280)."""
        return self._engine.image(normalised(x, self.spec).numpy()).astype(np.float16)


def _cached(path: Path, count: int, make: Callable[[range, Generator], list[Tensor]], run: Runner) -> Tensor:
    """Features (count, views, 1280) of the views that `make` returns, batch by batch."""

    def compute() -> NDArray[np.float16]:
        random, batches = Generator().manual_seed(0), []
        for start in range(0, count, BATCH):
            batch = make(range(start, min(start + BATCH, count)), random)
            batches.append(np.stack([run(x) for x in batch], axis=1))
        return np.concatenate(batches)

    return cached(path, compute)


def cached(path: Path, compute: Callable[[], NDArray[Any]]) -> Tensor:
    """The array in the file; computed and written first if the file is missing."""
    if not path.exists():
        with torch.no_grad():
            array = compute()
        with written_whole(path) as file:
            np.save(file, array)
    return torch.from_numpy(np.load(path))


def whole_features(name: str, source: Source, tower: Runner, cache: Path) -> Tensor:
    """Features float16 (N, 1280) of the unchanged pictures."""

    def make(indices: range, random: Generator) -> list[Tensor]:
        return [pixels(source, indices, tower.spec)]

    return _cached(cache / f"{name}.npy", len(source), make, tower)[:, 0]
