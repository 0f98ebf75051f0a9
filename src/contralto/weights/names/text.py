"""Names and shapes of the text towers' tensors."""

from __future__ import annotations

from contralto.architecture import Bert, CausalText
from contralto.weights.names.parts import Shapes, blocks, head, norm, under


def causal(tower: CausalText, context: int, embedding: int) -> Shapes:
    """Names below `text`."""
    shapes: Shapes = {"tokens.weight": (tower.vocabulary, tower.width), "positions": (context, tower.width)}
    shapes |= blocks(tower.width, tower.mlp, tower.layers)
    shapes |= under("norm_post", norm(tower.width))
    return shapes | under("head", head(tower.head, tower.width, embedding))


def bert(tower: Bert, context: int, embedding: int) -> Shapes:
    """Names below `text`."""
    shapes: Shapes = {"tokens.weight": (tower.vocabulary, tower.width)}
    shapes["positions"] = (tower.positions or context, tower.width)
    if tower.types:
        shapes["types"] = (tower.types, tower.width)
    shapes |= under("norm_embedding", norm(tower.width))
    shapes |= blocks(tower.width, tower.mlp, tower.layers)
    return shapes | under("head", head(tower.head, tower.width, embedding))
