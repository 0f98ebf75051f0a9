"""Names and shapes of all tensors that a native weight file of a contract holds.

The names are those of the torch module in `contralto.model.clip`. They are stated here without torch, so that an
install without torch can check a file and write a graph.
"""

from __future__ import annotations

from typing import assert_never

from contralto import architecture
from contralto.contract import Contract
from contralto.weights.names import image, text
from contralto.weights.names.detector import detector
from contralto.weights.names.fastvit import fastvit
from contralto.weights.names.parts import Shapes, under


def expected(contract: Contract) -> Shapes:
    """Name -> shape of every tensor of the contract's model, in the order of its layers."""
    shapes: Shapes = {"logit_scale": ()}
    if contract.score.rule == "sigmoid":
        shapes["logit_bias"] = ()
    shapes |= under("image", _image(contract))
    if contract.detector is not None:
        shapes |= under(
            "image.detector", detector(contract.detector, contract.image.tower.features, contract.embedding)
        )
    return shapes | under("text", _text(contract))


def _image(contract: Contract) -> Shapes:
    size, embedding = contract.image.size, contract.embedding
    tower = contract.image.tower
    match tower:
        case architecture.ViT():
            return image.vit(tower, size, embedding)
        case architecture.ResNet():
            return image.resnet(tower, size, embedding)
        case architecture.EfficientNet():
            return image.efficientnet(tower, embedding)
        case architecture.Eva():
            return image.eva(tower, size, embedding)
        case architecture.ConvNeXt():
            return image.convnext(tower, embedding)
        case architecture.FastViT():
            return fastvit(tower, embedding)
        case _:
            assert_never(tower)


def _text(contract: Contract) -> Shapes:
    context, embedding = contract.text.context, contract.embedding
    tower = contract.text.tower
    match tower:
        case architecture.CausalText():
            return text.causal(tower, context, embedding)
        case architecture.Bert():
            return text.bert(tower, context, embedding)
        case _:
            assert_never(tower)
