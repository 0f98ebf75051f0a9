"""One model in every layout that a contender reads, so that all hold the same numbers: random, but for nano's."""

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
RANDOM = "weights random: rows of any two items are more alike than with trained ones, which flatters every cosine"


@dataclass(frozen=True)
class Models:
    """Folders: the model in each layout; `cache` for Contralto's own, `place` for material that a benchmark makes."""

    place: Path
    native: Path
    transformers: Path
    open_clip: Path
    cache: Path
    contract: Contract

    @property
    def described(self) -> str:
        name = f"model: {self.contract.name}"
        return name if self.contract.name == "nano" else f"{name}, {RANDOM}"


@contextmanager
def models(options: argparse.Namespace, preset: str) -> Iterator[Models]:
    """Made in `--models` if they are not there yet. Contralto's cache is new each time: nothing old is measured."""
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


def plain(found: Models) -> list[Contender]:
    """Our own reference in PyTorch, where nobody else has an implementation: what ours is then held against."""
    if found.transformers.is_dir() or found.open_clip.is_dir():
        return []
    options = {"model": str(found.native), "cache": str(found.cache), "engine": "eager", "precision": "fp32"}
    return [Contender("contralto eager", "ours", "peer", options)]


def make(folder: Path, preset: str) -> None:
    """Whole or not at all. A layout without a place for the architecture is left out, and so is who reads it."""
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
