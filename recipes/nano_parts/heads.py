"""The two heads that learn, with their type."""

from __future__ import annotations

from torch import nn

from contralto.model.clip import CLIP
from contralto.model.heads import ResidualHead


def image_head(model: CLIP) -> ResidualHead:
    """The picture head: a linear map, plus the classifier's softmax over ImageNet's classes mapped into the space."""
    return _residual(model.image)


def text_head(model: CLIP) -> ResidualHead:
    """The text head: a linear map plus a small network."""
    return _residual(model.text)


def _residual(tower: nn.Module) -> ResidualHead:
    head = tower.head
    assert isinstance(head, ResidualHead), "nano's contract has residual heads"
    return head
