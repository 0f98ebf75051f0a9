"""The names and shapes of all tensors of a contract: what a native weight file must hold, no more and no less.

The names are those of the torch module that `contralto.model.clip` builds; here they are stated without torch, so
that a file can be checked, and a graph written, in an install that has none.
"""

from __future__ import annotations

from contralto.architecture import (
    Bert,
    CausalText,
    EfficientNet,
    Head,
    LinearHead,
    ResNet,
    ViT,
)
from contralto.contract import Contract

Shape = tuple[int, ...]
Shapes = dict[str, Shape]


def expected(contract: Contract) -> Shapes:
    """Name -> shape of every tensor of the contract's model, in the order of its layers."""
    image, text = contract.image.tower, contract.text.tower
    shapes: Shapes = {"logit_scale": ()}
    if contract.score.rule == "sigmoid":
        shapes["logit_bias"] = ()
    if isinstance(image, ViT):
        inner = _vit(image, contract.image.size)
    elif isinstance(image, ResNet):
        inner = _resnet(image, contract.image.size, contract.embedding)
    else:
        inner = _efficientnet(image)
    if not isinstance(image, ResNet):
        width = image.width if isinstance(image, ViT) else image.top
        inner |= _under("head", _head(image.head, width, contract.embedding))
    shapes |= _under("image", inner)
    inner = _causal(text, contract.text.context) if isinstance(text, CausalText) else _bert(text, contract.text.context)
    inner |= _under("head", _head(text.head, text.width, contract.embedding))
    return shapes | _under("text", inner)


def _vit(tower: ViT, size: tuple[int, int]) -> Shapes:
    rows = 1 + (size[0] // tower.patch) * (size[1] // tower.patch)
    shapes: Shapes = {
        "patch.weight": (tower.width, 3, tower.patch, tower.patch),
        "class_token": (tower.width,),
        "positions": (rows, tower.width),
    }
    shapes |= _under("norm_pre", _norm(tower.width))
    shapes |= _blocks(tower.width, tower.mlp, tower.layers)
    return shapes | _under("norm_post", _norm(tower.width))


def _resnet(tower: ResNet, size: tuple[int, int], embedding: int) -> Shapes:
    half = tower.width // 2
    shapes: Shapes = {}
    for index, (inputs, outputs) in enumerate([(3, half), (half, half), (half, tower.width)], start=1):
        shapes |= _under("stem", _conv_norm(inputs, outputs, 3, str(index)))
    channels = tower.width
    for stage, layers in enumerate(tower.layers):
        middle = tower.width * 2**stage
        for layer in range(layers):
            block = _conv_norm(channels, middle, 1, "1") | _conv_norm(middle, middle, 3, "2")
            block |= _conv_norm(middle, 4 * middle, 1, "3")
            if layer == 0:
                block |= _under("shortcut", _conv_norm(channels, 4 * middle, 1))
            shapes |= _under(f"stages.{stage}.{layer}", block)
            channels = 4 * middle
    pool: Shapes = {"positions": (1 + (size[0] // 32) * (size[1] // 32), channels)}
    for name in ("q", "k", "v"):
        pool |= _under(name, _linear(channels, channels))
    pool |= _under("out", _linear(channels, embedding))
    return shapes | _under("pool", pool)


def _efficientnet(tower: EfficientNet) -> Shapes:
    shapes = _under("stem", _conv_norm(3, tower.stem, 3))
    channels, index = tower.stem, 0
    for stage in tower.stages:
        for _ in range(stage.repeats):
            hidden = channels * stage.expand
            block: Shapes = {}
            if stage.expand != 1:
                block |= _under("expand", _conv_norm(channels, hidden, 1))
            block |= _under("depthwise", _conv_norm(1, hidden, stage.kernel))
            if tower.squeeze:
                units = channels // tower.squeeze
                block |= _under("squeeze.down", {"weight": (units, hidden, 1, 1), "bias": (units,)})
                block |= _under("squeeze.up", {"weight": (hidden, units, 1, 1), "bias": (hidden,)})
            block |= _under("project", _conv_norm(hidden, stage.channels, 1))
            shapes |= _under(f"blocks.{index}", block)
            channels, index = stage.channels, index + 1
    return shapes | _under("top", _conv_norm(channels, tower.top, 1))


def _causal(tower: CausalText, context: int) -> Shapes:
    shapes: Shapes = {"tokens.weight": (tower.vocabulary, tower.width), "positions": (context, tower.width)}
    shapes |= _blocks(tower.width, tower.mlp, tower.layers)
    return shapes | _under("norm_post", _norm(tower.width))


def _bert(tower: Bert, context: int) -> Shapes:
    shapes: Shapes = {"tokens.weight": (tower.vocabulary, tower.width), "positions": (context, tower.width)}
    shapes |= _under("norm_embedding", _norm(tower.width))
    return shapes | _blocks(tower.width, tower.mlp, tower.layers)


def _head(head: Head, width: int, embedding: int) -> Shapes:
    if isinstance(head, LinearHead):
        return _under("linear", _linear(width, embedding, head.bias))
    shapes = _under("linear", _linear(width, embedding)) | _under("up", _linear(width, head.hidden))
    return shapes | _under("down", _linear(head.hidden, embedding))


def _blocks(width: int, mlp: int, layers: int) -> Shapes:
    block = _under("norm1", _norm(width))
    for name in ("q", "k", "v", "out"):
        block |= _under(f"attention.{name}", _linear(width, width))
    block |= _under("norm2", _norm(width))
    block |= _under("mlp.up", _linear(width, mlp)) | _under("mlp.down", _linear(mlp, width))
    return {f"blocks.{n}.{name}": shape for n in range(layers) for name, shape in block.items()}


def _linear(inputs: int, outputs: int, bias: bool = True) -> Shapes:
    return {"weight": (outputs, inputs)} | ({"bias": (outputs,)} if bias else {})


def _norm(width: int) -> Shapes:
    return {"weight": (width,), "bias": (width,)}


def _conv_norm(inputs: int, outputs: int, kernel: int, index: str = "") -> Shapes:
    """A convolution without bias and its batch normalisation; `inputs` is per group."""
    names = ("weight", "bias", "running_mean", "running_var")
    shapes: Shapes = {f"conv{index}.weight": (outputs, inputs, kernel, kernel)}
    return shapes | {f"norm{index}.{name}": (outputs,) for name in names}


def _under(prefix: str, shapes: Shapes) -> Shapes:
    return {f"{prefix}.{name}": shape for name, shape in shapes.items()}
