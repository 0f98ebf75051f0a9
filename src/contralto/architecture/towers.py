"""The parts of a CLIP: towers and heads. A field here is a fact of the architecture, never of its use.

Every tower states `features`, the width of what its head reads. Every picture tower states `cell`, the side in pixels
of a cell of its last grid (patches or feature map).

Sources: Radford et al. 2021 (ViT, ResNet, CausalText), Tan and Le 2019 and the EfficientNet-Lite release
(EfficientNet), Vasu et al. 2023 and 2024 (FastViT), Fang et al. 2023 and Sun et al. 2023
(Eva), Liu et al. 2022 (ConvNeXt), Devlin et al. 2018 (Bert).
"""

from __future__ import annotations

import math
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

    With softmax over the hidden units the network is a classifier with one embedding per class, so an earlier
    classifier of the tower stays usable (Norouzi et al. 2014, "convex combination of semantic embeddings").
    """

    hidden: int
    activation: HeadActivation = "gelu"
    kind: Literal["residual"] = "residual"


@dataclass(frozen=True)
class NoHead:
    """Pooled features are the embeddings, so both have the same width (SigLIP's and ALIGN's pictures)."""

    kind: Literal["none"] = "none"


@dataclass(frozen=True)
class MlpHead:
    """Pooled features -> a two-layer network of `hidden` units, the first map with a bias, the second without."""

    hidden: int
    activation: HeadActivation = "gelu"
    kind: Literal["mlp"] = "mlp"


Head = LinearHead | ResidualHead | MlpHead | NoHead


@dataclass(frozen=True)
class ViT:
    """Vision Transformer, pre-norm: patches, learned positions, blocks, a last LayerNorm.

    pool: "class": the class token, then the last LayerNorm (CLIP); "mean": the mean of the patch tokens, then the last
        LayerNorm (CLIPA); "attention": the last LayerNorm, then one learned query attends to all tokens, then an MLP
        (SigLIP's "MAP head").
    class_token: the tower has a class token. class_position: the class token has a position. patch_bias: the patch
        convolution has a bias. norm_pre: a LayerNorm precedes the blocks.
    stem: "patch": one convolution makes the patch tokens; "convolutions": three, of patch / 4, 2 and 2 pixels without
        overlap and width / 4, width / 4 and width channels, with batch norm and GELU between (MobileCLIP-B).
    prompts: learned vectors that the blocks read beside the patches (Jia et al. 2022, VPT); 0: none. They stand behind
        the class token, else in front, come after norm_pre, and are dropped before the pool. prompt_depth: how many of
        the first blocks have vectors of their own, which take the place of what the block before left there.
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
    class_position: bool = True
    stem: Literal["patch", "convolutions"] = "patch"
    prompts: int = 0
    prompt_depth: int = 0
    kind: Literal["vit"] = "vit"

    @property
    def features(self) -> int:
        """Width of the pooled token."""
        return self.width

    @property
    def cell(self) -> int:
        """Side of a patch in pixels."""
        return self.patch


@dataclass(frozen=True)
class ResNet:
    """CLIP's modified ResNet: three-convolution stem, average pooling before strides, attention pooling.

    layers: bottlenecks in each of the four stages. width: channels of the stem.
    heads: the number of heads of the attention pool. The pool's output projection makes the embedding, so the tower has
    no head.
    """

    layers: tuple[int, int, int, int]
    width: int
    heads: int
    kind: Literal["resnet"] = "resnet"

    @property
    def features(self) -> int:
        """Channels of the last feature map, which the attention pool reads."""
        return 32 * self.width

    @property
    def cell(self) -> int:
        """Pixels from cell to cell of the last feature map."""
        return 32


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
    """EfficientNet; with squeeze = 0 and relu6 the Lite variants. Mean pooling.

    squeeze: squeeze-and-excite layers have (channels into their block) // squeeze units (4 in B0 to B7); 0: none.
    top: channels of the last 1x1 convolution, which are pooled; 0: no such convolution, so the last stage is pooled
        (ALIGN).
    padding: "same": TensorFlow's SAME; "even": at a stride, an odd side gets the padding of an even one and becomes
        floor(side / 2) (transformers, hence ALIGN).
    """

    stem: int
    stages: tuple[Stage, ...]
    top: int
    activation: Activation
    squeeze: int = 0
    padding: Literal["same", "even"] = "same"
    norm_eps: float = 1e-3
    head: Head = LinearHead(bias=True)
    kind: Literal["efficientnet"] = "efficientnet"

    @property
    def features(self) -> int:
        """Channels of the pooled features."""
        return self.top or [self.stem, *(stage.channels for stage in self.stages)][-1]

    @property
    def cell(self) -> int:
        """Pixels from cell to cell of the last feature map."""
        return 2 * math.prod(stage.stride for stage in self.stages)


@dataclass(frozen=True)
class FastStage:
    """`layers` blocks of `width` channels; every stage but the first begins by halving height and width.

    mixer: mixes the cells by "convolution" (3 x 3, each channel alone) or "attention". squeeze: squeeze-and-excite
    follows the halving. positions: the output of a 7 x 7 depthwise convolution is then added, as position encoding.
    """

    width: int
    layers: int
    mixer: Literal["convolution", "attention"] = "convolution"
    squeeze: bool = False
    positions: bool = False


@dataclass(frozen=True)
class FastViT:
    """FastViT as in MobileCLIP, with the parallel branches of training, which the published files hold.

    mlp: hidden units per channel of a block. head_width: channels of an attention head. norm: before attention, over
    the batch or over the channels. stem_points: the stem's 3 x 3 convolutions have parallel 1 x 1 ones.
    The pooled features are twice as wide as the last stage.
    """

    stages: tuple[FastStage, ...]
    mlp: int
    norm: Literal["batch", "layer"] = "batch"
    stem_points: bool = True
    head_width: int = 32
    activation: Activation = "gelu"
    norm_eps: float = 1e-5
    head: Head = LinearHead(bias=True)
    kind: Literal["fastvit"] = "fastvit"

    @property
    def features(self) -> int:
        """Channels of the pooled features."""
        return 2 * self.stages[-1].width

    @property
    def cell(self) -> int:
        """Pixels from cell to cell of the last feature map."""
        return 4 * math.prod(2 for _ in self.stages[1:])


@dataclass(frozen=True)
class Eva:
    """EVA-02's Transformer as EVA-CLIP has it: rotary positions on top of learned ones, gated MLPs, inner norms.

    The class token is pooled after the last LayerNorm. The patch convolution, queries and values have a bias, keys
    have none. mlp: hidden units of the gated MLP. grid: cells per side of the grid of the first training; the rotary
    positions of another grid are scaled to it.
    """

    width: int
    layers: int
    heads: int
    patch: int
    mlp: int
    grid: int
    norm_eps: float = 1e-6
    head: Head = LinearHead(bias=True)
    kind: Literal["eva"] = "eva"

    @property
    def features(self) -> int:
        """Width of the pooled token."""
        return self.width

    @property
    def cell(self) -> int:
        """Side of a patch in pixels."""
        return self.patch


@dataclass(frozen=True)
class ConvNeXt:
    """ConvNeXt: four stages of 7 x 7 depthwise convolutions and MLPs over the channels; mean pooling, then LayerNorm.

    layers, widths: blocks and channels of each stage. The MLPs are four times as wide.
    """

    layers: tuple[int, int, int, int]
    widths: tuple[int, int, int, int]
    activation: Activation = "gelu"
    norm_eps: float = 1e-6
    head: Head = LinearHead()
    kind: Literal["convnext"] = "convnext"

    @property
    def features(self) -> int:
        """Channels of the pooled features."""
        return self.widths[-1]

    @property
    def cell(self) -> int:
        """Pixels from cell to cell of the last feature map."""
        return 32


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

    @property
    def features(self) -> int:
        """Width of the pooled token."""
        return self.width


@dataclass(frozen=True)
class Bert:
    """BERT encoder: post-norm, learned positions, embedding LayerNorm; padding is masked.

    types: rows of the token type table, whose row 0 is added to every token; 0: folded into the positions.
    positions: rows of the position table, if it has more than the context (ALIGN has 512 for texts of 64); else 0.
    """

    vocabulary: int
    width: int
    layers: int
    heads: int
    mlp: int
    activation: Activation = "gelu"
    types: int = 0
    positions: int = 0
    norm_eps: float = 1e-12
    head: Head = LinearHead()
    kind: Literal["bert"] = "bert"

    @property
    def features(self) -> int:
        """Width of the pooled token."""
        return self.width


ImageTower = ViT | ResNet | EfficientNet | FastViT | Eva | ConvNeXt
TextTower = CausalText | Bert
