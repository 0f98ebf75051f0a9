"""First weights for training from scratch: the paper's code for CLIP's own towers, each other tower's own paper.

What a tower's rule does not name keeps the framework's usual start (`_usual`), drawn from the given generator.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from torch import Generator, Tensor, nn

from contralto.model.blocks import MLP, Attention, BatchNorm, LayerNorm
from contralto.model.convnext import Block as ConvNeXtBlock
from contralto.model.convnext import ConvNeXt
from contralto.model.efficientnet import EfficientNet
from contralto.model.eva import Eva
from contralto.model.fastvit import Block, ConvolutionMLP, FastViT
from contralto.model.resnet import AttentionPool, Bottleneck, ResNet
from contralto.model.text import Bert, CausalText
from contralto.model.vit import QueryPool, ViT

if TYPE_CHECKING:
    from contralto.model.clip import CLIP

M = TypeVar("M", bound=nn.Module)

INITIAL_SCALE = 1 / 0.07  # softmax: Radford et al. 2021, section 2.5
SIGMOID_SCALE, SIGMOID_BIAS = 10.0, -10.0  # Zhai et al. 2023, section 3.2


@torch.no_grad()
def initialise(clip: CLIP, generator: Generator) -> None:
    """Sets every parameter and buffer of `clip` in place. All draws come from `generator`, a CPU generator."""
    for tower in (clip.image, clip.text):
        for module in tower.modules():
            _usual(module, generator)
        _RULES[type(tower)](tower, generator)
    clip.logit_scale.fill_(math.log(INITIAL_SCALE if clip.logit_bias is None else SIGMOID_SCALE))
    if clip.logit_bias is not None:
        clip.logit_bias.fill_(SIGMOID_BIAS)


def _usual(module: nn.Module, generator: Generator) -> None:
    """PyTorch's defaults: uniform within 1 / sqrt(inputs) for maps, ones and zeros for norms."""
    if isinstance(module, nn.Linear | nn.Conv2d):
        bound = module.weight[0].numel() ** -0.5
        module.weight.uniform_(-bound, bound, generator=generator)
        if module.bias is not None:
            module.bias.uniform_(-bound, bound, generator=generator)
    elif isinstance(module, LayerNorm | BatchNorm):
        module.weight.fill_(1)
        module.bias.zero_()
    if isinstance(module, BatchNorm):
        module.running_mean.zero_()
        module.running_var.fill_(1)


def _vit(tower: ViT, generator: Generator) -> None:
    """Class token, positions and head scaled by the width; the blocks as PyTorch's fused attention starts them.

    A tower with an attention pool is SigLIP's: its matrices start by Glorot's rule, as in that paper's code.
    """
    width = tower.positions.shape[1]
    if tower.class_token is not None:
        _normal(tower.class_token, width**-0.5, generator)
    _normal(tower.positions, width**-0.5, generator)
    for attention in _of_kind(tower, Attention):
        for linear in (attention.q, attention.k, attention.v):
            _glorot(linear.weight, width, 3 * width, generator)  # one fused (3 W, W) matrix
        _zero_biases(attention)
    if tower.pool is not None:
        _siglip(tower, tower.pool, generator)
    _head(tower.head, generator)


def _siglip(tower: ViT, pool: QueryPool, generator: Generator) -> None:
    """Every matrix and the query by Glorot and Bengio 2010, every bias 0 (Zhai et al. 2023, their code)."""
    for module in (tower.blocks, pool):
        for linear in _of_kind(module, nn.Linear):
            _glorot(linear.weight, linear.in_features, linear.out_features, generator)
        _zero_biases(module)
    if isinstance(tower.patch, nn.Conv2d) and tower.patch.bias is not None:
        tower.patch.bias.zero_()
    _glorot(pool.query, 1, len(pool.query), generator)


def _resnet(tower: ResNet, generator: Generator) -> None:
    """The last gain of each bottleneck is 0, so that it starts as its shortcut; the pool is scaled by its channels."""
    for block in _of_kind(tower, Bottleneck):
        block.norm3.weight.zero_()
    for pool in _of_kind(tower, AttentionPool):
        std = pool.positions.shape[1] ** -0.5
        for weight in (pool.positions, pool.q.weight, pool.k.weight, pool.v.weight, pool.out.weight):
            _normal(weight, std, generator)


def _efficientnet(tower: EfficientNet, generator: Generator) -> None:
    """Convolutions by the number of cells that each input reaches (Tan and Le's code), no bias in the squeeze."""
    for conv in _of_kind(tower, nn.Conv2d):
        outputs = conv.out_channels // conv.groups * math.prod(conv.kernel_size)
        _normal(conv.weight, (2 / outputs) ** 0.5, generator)
        if conv.bias is not None:
            conv.bias.zero_()
    _head(tower.head, generator)


def _eva(tower: Eva, generator: Generator) -> None:
    """Tokens and maps of deviation 0.02, no biases (timm's start of it, which truncates at far tails)."""
    for value in (tower.class_token, tower.positions):
        _normal(value, 0.02, generator)
    for linear in _of_kind(tower.blocks, nn.Linear):
        _normal(linear.weight, 0.02, generator)
    _zero_biases(tower.blocks)
    _head(tower.head, generator)


def _convnext(tower: ConvNeXt, generator: Generator) -> None:
    """Every map of deviation 0.02, no biases, blocks that begin close to nothing (Liu et al.'s code)."""
    for layer in tower.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d):
            _normal(layer.weight, 0.02, generator)
            if layer.bias is not None:
                layer.bias.zero_()
        elif isinstance(layer, ConvNeXtBlock):
            layer.scale.fill_(1e-6)
    _head(tower.head, generator)


def _fastvit(tower: FastViT, generator: Generator) -> None:
    """Every block starts as its shortcut, nearly; the maps in it have a deviation of 0.02 (Vasu et al.'s code)."""
    for block in _of_kind(tower, Block):
        block.scale1.fill_(1e-5)
        block.scale2.fill_(1e-5)
        for linear in _of_kind(block, nn.Linear):
            _normal(linear.weight, 0.02, generator)
        _zero_biases(block)
    for mlp in _of_kind(tower, ConvolutionMLP):
        for conv in _of_kind(mlp, nn.Conv2d):
            _normal(conv.weight, 0.02, generator)
            if conv.bias is not None:
                conv.bias.zero_()
    _head(tower.head, generator)


def _causal_text(tower: CausalText, generator: Generator) -> None:
    """Scaled by width, and by depth where a block writes into the residual stream."""
    width, layers = tower.positions.shape[1], len(tower.blocks)
    into_stream = width**-0.5 * (2 * layers) ** -0.5
    _normal(tower.tokens.weight, 0.02, generator)
    _normal(tower.positions, 0.01, generator)
    for attention in _of_kind(tower, Attention):
        for linear in (attention.q, attention.k, attention.v):
            _normal(linear.weight, width**-0.5, generator)
        _normal(attention.out.weight, into_stream, generator)
        _zero_biases(attention)
    for mlp in _of_kind(tower.blocks, MLP):
        _normal(mlp.up.weight, (2 * width) ** -0.5, generator)
        _normal(mlp.down.weight, into_stream, generator)
    _head(tower.head, generator)


def _bert(tower: Bert, generator: Generator) -> None:
    """Every matrix has a deviation of 0.02, every bias is 0 (Devlin et al. 2018, their code)."""
    _normal(tower.tokens.weight, 0.02, generator)
    _normal(tower.positions, 0.02, generator)
    if tower.types is not None:
        _normal(tower.types, 0.02, generator)
    for linear in _of_kind(tower.blocks, nn.Linear):
        _normal(linear.weight, 0.02, generator)
    _zero_biases(tower.blocks)
    _head(tower.head, generator)


def _head(head: nn.Module, generator: Generator) -> None:
    """The projection, if there is one, scaled by its inputs and without a shift; the rest of a head as usual."""
    linear = getattr(head, "linear", None)
    if isinstance(linear, nn.Linear):
        _normal(linear.weight, linear.in_features**-0.5, generator)
        if linear.bias is not None:
            linear.bias.zero_()


def _of_kind(module: nn.Module, kind: type[M]) -> Iterator[M]:
    return (m for m in module.modules() if isinstance(m, kind))


def _normal(weight: Tensor, std: float, generator: Generator) -> None:
    weight.normal_(0, std, generator=generator)


def _glorot(weight: Tensor, inputs: int, outputs: int, generator: Generator) -> None:
    bound = (6 / (inputs + outputs)) ** 0.5
    weight.uniform_(-bound, bound, generator=generator)


def _zero_biases(module: nn.Module) -> None:
    for linear in _of_kind(module, nn.Linear):
        if linear.bias is not None:
            linear.bias.zero_()


_RULES: dict[type[nn.Module], Callable[[Any, Generator], None]] = {
    ViT: _vit,
    ResNet: _resnet,
    EfficientNet: _efficientnet,
    FastViT: _fastvit,
    Eva: _eva,
    ConvNeXt: _convnext,
    CausalText: _causal_text,
    Bert: _bert,
}
