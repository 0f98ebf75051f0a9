"""All tensors of a contract, by name and shape: what a native weight file must hold, no more and no less.

The names are those of the torch module that `contralto.model.clip` builds; here they are stated without torch, so
that a file can be checked, and a graph written, in an install that has none.
"""

from __future__ import annotations

from contralto import architecture
from contralto.contract import Contract
from contralto.weights.names import image, text
from contralto.weights.names.fastvit import fastvit
from contralto.weights.names.parts import Shapes, under


def expected(contract: Contract) -> Shapes:
    """Name -> shape of every tensor of the contract's model, in the order of its layers."""
    shapes: Shapes = {"logit_scale": ()}
    if contract.score.rule == "sigmoid":
        shapes["logit_bias"] = ()
    return shapes | under("image", _image(contract)) | under("text", _text(contract))


def _image(contract: Contract) -> Shapes:
    size, embedding = contract.image.size, contract.embedding
    match contract.image.tower:
        case architecture.ViT() as tower:
            return image.vit(tower, size, embedding)
        case architecture.ResNet() as tower:
            return image.resnet(tower, size, embedding)
        case architecture.EfficientNet() as tower:
            return image.efficientnet(tower, embedding)
        case architecture.Eva() as tower:
            return image.eva(tower, size, embedding)
        case architecture.ConvNeXt() as tower:
            return image.convnext(tower, embedding)
        case architecture.FastViT() as tower:
            return fastvit(tower, embedding)


def _text(contract: Contract) -> Shapes:
    context, embedding = contract.text.context, contract.embedding
    match contract.text.tower:
        case architecture.CausalText() as tower:
            return text.causal(tower, context, embedding)
        case architecture.Bert() as tower:
            return text.bert(tower, context, embedding)
