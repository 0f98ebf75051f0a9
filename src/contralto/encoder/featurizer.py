"""Features: the output of the image tower before its projection, which the paper's linear probes read.

The same checkpoint runs under a contract whose image tower has no head; every engine runs it like any other.
"""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
from numpy.typing import NDArray

from contralto.architecture import LinearHead, NoHead, ResNet
from contralto.embeddings import Embeddings
from contralto.encoder.runner import TEXTS_PER_CALL, Runner
from contralto.engine import start
from contralto.engine.base import TowerName
from contralto.weights.checkpoint import Checkpoint


class Featurizer:
    """The image tower of a checkpoint without its projection; always in fp32. Its engine starts on first use."""

    def __init__(self, checkpoint: Checkpoint, engine: str, device: str, reproducible: bool) -> None:
        self._checkpoint = headless(checkpoint)
        self._engine, self._device, self._reproducible = engine, device, reproducible

    @property
    def width(self) -> int:
        """How many numbers the features of a picture have."""
        return self._checkpoint.contract.embedding

    @functools.cached_property
    def runner(self) -> Runner:
        """Pixels -> features, not scaled to unit length."""
        engine = start(self._checkpoint, engine=self._engine, precision="fp32", device=self._device)
        return Runner(self._checkpoint.contract, engine, self._reproducible, normalise=False)


def text_features(whole: Checkpoint, ids: NDArray[np.int64], engine: str, device: str) -> Embeddings:
    """ids (N, context) -> the text tower's output before its projection, float32 (N, w), in fp32."""
    checkpoint = headless(whole, "text")
    running = start(checkpoint, engine=engine, precision="fp32", device=device)
    empty = np.empty((0, checkpoint.contract.embedding), np.float32)
    parts = [running.text(ids[at : at + TEXTS_PER_CALL]) for at in range(0, len(ids), TEXTS_PER_CALL)]
    return np.concatenate([empty, *parts])


def headless(checkpoint: Checkpoint, tower: TowerName = "image") -> Checkpoint:
    """The checkpoint with a tower whose embeddings are the pooled features (N, width). Its other tower is left out.

    A CLIP ResNet has no head: the projection is part of its attention pool, and the published probes read the pool's
    output. It stays unchanged, and so does a tower whose embeddings are its features already.
    """
    image, text = checkpoint.contract.image, checkpoint.contract.text
    stated = image.tower if tower == "image" else text.tower
    if isinstance(stated, ResNet) or isinstance(stated.head, NoHead):
        return checkpoint
    # The other tower never runs; but without a head it would have to be as wide as the features.
    heads: dict[TowerName, LinearHead | NoHead] = {"image": LinearHead(), "text": LinearHead()}
    heads[tower] = NoHead()
    if not isinstance(image.tower, ResNet):
        image = dataclasses.replace(image, tower=dataclasses.replace(image.tower, head=heads["image"]))
    contract = checkpoint.contract.replace(
        image=image,
        text=dataclasses.replace(text, tower=dataclasses.replace(text.tower, head=heads["text"])),
        embedding=stated.features,
    )
    kept = {
        name: stored
        for name, stored in checkpoint.tensors.items()
        if name.startswith(f"{tower}.") and not name.startswith(f"{tower}.head.")
    }
    return Checkpoint(contract, kept, checkpoint.files)
