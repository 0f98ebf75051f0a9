"""Features: the output of the image tower before its projection, which the paper's linear probes read.

The same checkpoint runs under a contract whose image tower has no head; every engine runs it like any other.
"""

from __future__ import annotations

import dataclasses
import functools

from contralto.architecture import LinearHead, NoHead, ResNet
from contralto.encoder.runner import Runner
from contralto.engine import start
from contralto.weights.checkpoint import Checkpoint

HEAD = "image.head."


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


def headless(checkpoint: Checkpoint) -> Checkpoint:
    """The checkpoint with an image tower whose embeddings are the pooled features (N, width).

    A CLIP ResNet has no head: the projection is part of its attention pool, and the published probes read the pool's
    output. It stays unchanged, and so does a tower whose embeddings are its features already.
    """
    image, text = checkpoint.contract.image, checkpoint.contract.text
    tower = image.tower
    if isinstance(tower, ResNet) or isinstance(tower.head, NoHead):
        return checkpoint
    contract = checkpoint.contract.replace(
        image=dataclasses.replace(image, tower=dataclasses.replace(tower, head=NoHead())),
        # never run; but a text tower without a head would have to be as wide as the features
        text=dataclasses.replace(text, tower=dataclasses.replace(text.tower, head=LinearHead())),
        embedding=tower.features,
    )
    tensors = {name: stored for name, stored in checkpoint.tensors.items() if name.startswith("image.")}
    return Checkpoint(contract, {n: s for n, s in tensors.items() if not n.startswith(HEAD)}, checkpoint.files)
