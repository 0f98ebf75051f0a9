"""What the picture tower makes before its projection into the joint space: what the paper's linear probes read.

It is the same checkpoint under a contract whose picture tower has no head; every engine runs that as it runs any other.
"""

from __future__ import annotations

import dataclasses

from contralto.architecture import LinearHead, NoHead, ResNet
from contralto.weights.checkpoint import Checkpoint

HEAD = "image.head."


def headless(checkpoint: Checkpoint) -> Checkpoint:
    """Its picture tower gives the pooled features (N, width) for embeddings.

    CLIP's ResNets have no head: the projection is a part of their attention pool, and the published probes read what
    comes out of it. They, and towers whose features are the embedding already, stay as they are.
    """
    image, text = checkpoint.contract.image, checkpoint.contract.text
    tower = image.tower
    if isinstance(tower, ResNet) or isinstance(tower.head, NoHead):
        return checkpoint
    contract = checkpoint.contract.replace(
        image=dataclasses.replace(image, tower=dataclasses.replace(tower, head=NoHead())),
        # never run; but a text tower without head would have to be as wide as the features
        text=dataclasses.replace(text, tower=dataclasses.replace(text.tower, head=LinearHead())),
        embedding=tower.features,
    )
    tensors = {name: stored for name, stored in checkpoint.tensors.items() if name.startswith("image.")}
    return Checkpoint(contract, {n: s for n, s in tensors.items() if not n.startswith(HEAD)}, checkpoint.files)
