"""The parts of a CLIP: five towers and two heads. A field here is a fact of the architecture, never of its use.

Sources: Radford et al. 2021 (ViT, ResNet, CausalText), Tan and Le 2019 and the EfficientNet-Lite release
(EfficientNet), Devlin et al. 2018 (Bert).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Activation = Literal["gelu", "gelu_tanh", "quickgelu", "relu", "relu6", "silu"]
HeadActivation = Literal["gelu", "gelu_tanh", "quickgelu", "relu", "relu6", "silu", "softmax"]


@dataclass(frozen=True)
class LinearHead:
    """Pooled features (N, width) -> embeddings (N, embedding): x W^T, plus a bias if stated. CLIP's own."""

    kind: Literal["linear"] = "linear"
    bias: bool = False


@dataclass(frozen=True)
class ResidualHead:
    """Pooled features -> a linear map plus a two-layer network of `hidden` units; all with biases.

    With softmax (over the hidden units) the network is a classifier and one embedding a class: what the tower's first
    training knew of classes stays usable (Norouzi et al. 2014, "convex combination of semantic embeddings").
    """

    hidden: int
    activation: HeadActivation = "gelu"
    kind: Literal["residual"] = "residual"


@dataclass(frozen=True)
class NoHead:
    """Pooled features are the embeddings: the tower's width is the embedding's (SigLIP's and ALIGN's pictures)."""

    kind: Literal["none"] = "none"


Head = LinearHead | ResidualHead | NoHead


@dataclass(frozen=True)
class ViT:
    """Vision Transformer, pre-norm: patches, learned positions, blocks, a last LayerNorm.

    pool: "class": the class token's row, then the last LayerNorm (CLIP); "mean": the mean of the patches' rows, then
        the last LayerNorm (CLIPA); "attention": the last LayerNorm, then one learned query attends to all rows, plus
        an MLP of its own (SigLIP's "MAP head").
    class_token: whether there is one; patch_bias: whether the patches' convolution has a bias; norm_pre: whether a
        LayerNorm stands before the blocks.
    """

    width: int
    layers: int
    heads: int
    patch: int
    mlp: int
    activation: Activation
    pool: Literal["class", "mean", "attention"] = "class"
    class_token: bool = True
    patch_bias: bool = False
    norm_pre: bool = True
    norm_eps: float = 1e-5
    head: Head = LinearHead()
    kind: Literal["vit"] = "vit"


@dataclass(frozen=True)
class ResNet:
    """CLIP's modified ResNet: three-convolution stem, average pooling before strides, attention pooling.

    layers: bottlenecks in each of the four stages; width: channels of the first stage (the last has 32 x width);
    heads: heads of the attention pool, whose output projection is the map to the embedding, so there is no head.
    """

    layers: tuple[int, int, int, int]
    width: int
    heads: int
    kind: Literal["resnet"] = "resnet"


@dataclass(frozen=True)
class Stage:
    """`repeats` inverted bottlenecks; the first has `stride` and changes the channels to `channels`."""

    expand: int
    kernel: int
    stride: int
    channels: int
    repeats: int


@dataclass(frozen=True)
class EfficientNet:
    """EfficientNet; with squeeze = 0 and relu6 the Lite variants. TensorFlow's SAME padding, mean pooling.

    squeeze: squeeze-and-excite layers have (channels into their block) // squeeze units (4 in B0 to B7); 0: none.
    top: channels of the last 1x1 convolution, which are the pooled features.
    """

    stem: int
    stages: tuple[Stage, ...]
    top: int
    activation: Activation
    squeeze: int = 0
    norm_eps: float = 1e-3
    head: Head = LinearHead(bias=True)
    kind: Literal["efficientnet"] = "efficientnet"


@dataclass(frozen=True)
class CausalText:
    """CLIP's text Transformer: pre-norm, learned positions, final LayerNorm. mask "causal" or "none"."""

    vocabulary: int
    width: int
    layers: int
    heads: int
    mlp: int
    activation: Activation
    mask: Literal["causal", "none"] = "causal"
    norm_eps: float = 1e-5
    head: Head = LinearHead()
    kind: Literal["causal"] = "causal"


@dataclass(frozen=True)
class Bert:
    """BERT encoder: post-norm, learned positions, embedding LayerNorm; padding is masked.

    types: rows of the table of token types, of which row 0 is added to every token; 0: folded into the positions.
    """

    vocabulary: int
    width: int
    layers: int
    heads: int
    mlp: int
    activation: Activation = "gelu"
    types: int = 0
    norm_eps: float = 1e-12
    head: Head = LinearHead()
    kind: Literal["bert"] = "bert"


ImageTower = ViT | ResNet | EfficientNet
TextTower = CausalText | Bert
