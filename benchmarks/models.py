"""One model in each layout that a contender reads, so all hold the same weights: random, except for nano."""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from contest import Contender

import contralto
from contralto.contract import Contract

SEED = 0
RANDOM_NOTE = "random weights: embeddings are more similar than with trained weights, which raises every cosine"


@dataclass(frozen=True)
class Models:
    """Folders: the model in each layout; `cache` of Contralto; `place` for generated input."""

    place: Path
    native: Path
    transformers: Path
    open_clip: Path
    cache: Path
    contract: Contract

    @property
    def described(self) -> str:
        name = f"model: {self.contract.name}"
        return name if self.contract.name == "nano" else f"{name}, {RANDOM_NOTE}"


@contextmanager
def models(options: argparse.Namespace, preset: str) -> Iterator[Models]:
    """The model folders, created in `--models` if absent. Contralto's cache is always new, so no old result counts."""
    scratch = Path(tempfile.mkdtemp(prefix="contralto-models-"))
    try:
        place = options.models or scratch
        folder = place / f"{preset}-seed-{SEED}"
        if not folder.is_dir():
            make(folder, preset)
        cache = scratch / "cache"
        cache.mkdir()
        native, transformers, open_clip = (folder / name for name in ("native", "transformers", "open_clip"))
        yield Models(place, native, transformers, open_clip, cache, Contract.read(native))
    finally:
        shutil.rmtree(scratch)


def plain(model_folders: Models) -> list[Contender]:
    """Our readable model in PyTorch, which we compare with if no peer implements the architecture."""
    if model_folders.transformers.is_dir() or model_folders.open_clip.is_dir():
        return []
    options = {
        "model": str(model_folders.native),
        "cache": str(model_folders.cache),
        "engine": "eager",
        "precision": "fp32",
    }
    return [Contender("contralto eager", "ours", "peer", options)]


def make(folder: Path, preset: str) -> None:
    """Writes all folders or none. Skips a layout that cannot hold the architecture; its readers are absent then."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        partial = Path(scratch) / "model"
        if preset == "nano":
            contralto.load(preset).save(partial / "native")
        else:
            contralto.save(partial / "native", *contralto.create(preset, seed=SEED))
        clip = contralto.load(partial / "native")
        for layout in ("transformers", "open_clip"):
            try:
                clip.save(partial / layout, layout)
            except contralto.ContraltoError:
                shutil.rmtree(partial / layout, ignore_errors=True)
        os.replace(partial, folder)
