"""Names and shapes of the picture towers' tensors."""

from __future__ import annotations

from contralto.architecture import ConvNeXt, EfficientNet, Eva, ResNet, ViT
from contralto.weights.names.parts import Shapes, blocks, conv_norm, head, linear, norm, squeeze, under


def vit(tower: ViT, size: tuple[int, int], embedding: int) -> Shapes:
    """Names below `image`."""
    width, cells = tower.width, (size[0] // tower.patch) * (size[1] // tower.patch)
    shapes = under("patch", _patch(tower))
    if tower.class_token:
        shapes["class_token"] = (width,)
    has_position = tower.class_token and tower.class_position
    shapes["positions"] = (cells + 1 if has_position else cells, width)
    if tower.norm_pre:
        shapes |= under("norm_pre", norm(width))
    if tower.prompts:
        shapes["prompts"] = (tower.prompt_depth, tower.prompts, width)
    shapes |= blocks(width, tower.mlp, tower.layers)
    shapes |= under("norm_post", norm(width))
    if tower.pool == "attention":
        shapes |= under("pool", _attention_pool(tower))
    return shapes | under("head", head(tower.head, width, embedding))


def resnet(tower: ResNet, size: tuple[int, int], embedding: int) -> Shapes:
    """Names below `image`."""
    half = tower.width // 2
    shapes: Shapes = {}
    for index, (inputs, outputs) in enumerate([(3, half), (half, half), (half, tower.width)], start=1):
        shapes |= under("stem", conv_norm(inputs, outputs, 3, str(index)))
    channels = tower.width
    for stage, layers in enumerate(tower.layers):
        middle = tower.width * 2**stage
        for layer in range(layers):
            block = conv_norm(channels, middle, 1, "1") | conv_norm(middle, middle, 3, "2")
            block |= conv_norm(middle, 4 * middle, 1, "3")
            if layer == 0:
                block |= under("shortcut", conv_norm(channels, 4 * middle, 1))
            shapes |= under(f"stages.{stage}.{layer}", block)
            channels = 4 * middle
    pool: Shapes = {"positions": (1 + (size[0] // tower.cell) * (size[1] // tower.cell), channels)}
    for name in ("q", "k", "v"):
        pool |= under(name, linear(channels, channels))
    pool |= under("out", linear(channels, embedding))
    return shapes | under("pool", pool)


def efficientnet(tower: EfficientNet, embedding: int) -> Shapes:
    """Names below `image`."""
    shapes = under("stem", conv_norm(3, tower.stem, 3))
    channels, index = tower.stem, 0
    for stage in tower.stages:
        for _ in range(stage.repeats):
            hidden = channels * stage.expand
            block: Shapes = {}
            if stage.expand != 1:
                block |= under("expand", conv_norm(channels, hidden, 1))
            block |= under("depthwise", conv_norm(1, hidden, stage.kernel))
            if tower.squeeze:
                block |= under("squeeze", squeeze(hidden, channels // tower.squeeze))
            block |= under("project", conv_norm(hidden, stage.channels, 1))
            shapes |= under(f"blocks.{index}", block)
            channels, index = stage.channels, index + 1
    if tower.top:
        shapes |= under("top", conv_norm(channels, tower.top, 1))
    return shapes | under("head", head(tower.head, tower.features, embedding))


def eva(tower: Eva, size: tuple[int, int], embedding: int) -> Shapes:
    """Names below `image`."""
    width, mlp = tower.width, tower.mlp
    shapes = under("patch", {"weight": (width, 3, tower.patch, tower.patch), "bias": (width,)})
    shapes["class_token"] = (width,)
    shapes["positions"] = (1 + (size[0] // tower.patch) * (size[1] // tower.patch), width)
    block = under("norm1", norm(width))
    for name in ("q", "k", "v"):
        block |= under(f"attention.{name}", linear(width, width, bias=name != "k"))
    block |= under("attention.norm", norm(width)) | under("attention.out", linear(width, width))
    block |= under("norm2", norm(width))
    block |= under("mlp.gate", linear(width, mlp)) | under("mlp.up", linear(width, mlp))
    block |= under("mlp.norm", norm(mlp)) | under("mlp.down", linear(mlp, width))
    shapes |= {f"blocks.{n}.{name}": shape for n in range(tower.layers) for name, shape in block.items()}
    shapes |= under("norm_post", norm(width))
    return shapes | under("head", head(tower.head, width, embedding))


def convnext(tower: ConvNeXt, embedding: int) -> Shapes:
    """Names below `image`."""
    shapes = under("stem.conv", {"weight": (tower.widths[0], 3, 4, 4), "bias": (tower.widths[0],)})
    shapes |= under("stem.norm", norm(tower.widths[0]))
    before = tower.widths[0]
    for stage, (layers, width) in enumerate(zip(tower.layers, tower.widths, strict=True)):
        if stage:
            shapes |= under(f"stages.{stage}.halve.norm", norm(before))
            shapes |= under(f"stages.{stage}.halve.conv", {"weight": (width, before, 2, 2), "bias": (width,)})
        block = under("depthwise", {"weight": (width, 1, 7, 7), "bias": (width,)}) | under("norm", norm(width))
        block |= under("mlp.up", linear(width, 4 * width)) | under("mlp.down", linear(4 * width, width))
        block["scale"] = (width,)
        for layer in range(layers):
            shapes |= under(f"stages.{stage}.blocks.{layer}", block)
        before = width
    shapes |= under("norm_post", norm(tower.features))
    return shapes | under("head", head(tower.head, tower.features, embedding))


def _patch(tower: ViT) -> Shapes:
    """The stem, from pixels to patch tokens."""
    width, narrow = tower.width, tower.width // 4
    if tower.stem == "convolutions":
        shapes = conv_norm(3, narrow, tower.patch // 4, "1") | conv_norm(narrow, narrow, 2, "2")
        return shapes | {"conv3.weight": (width, narrow, 2, 2), "conv3.bias": (width,)}
    return {"weight": (width, 3, tower.patch, tower.patch)} | ({"bias": (width,)} if tower.patch_bias else {})


def _attention_pool(tower: ViT) -> Shapes:
    """One learned query over all tokens, then an MLP with a residual connection."""
    shapes: Shapes = {"query": (tower.width,)}
    for name in ("q", "k", "v", "out"):
        shapes |= under(name, linear(tower.width, tower.width))
    shapes |= under("norm", norm(tower.width)) | under("mlp.up", linear(tower.width, tower.mlp))
    return shapes | under("mlp.down", linear(tower.mlp, tower.width))
