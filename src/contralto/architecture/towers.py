"""The parts of a CLIP: towers and heads. A field here is a fact of the architecture, never of its use.

Sources: Radford et al. 2021 (ViT, ResNet, CausalText), Tan and Le 2019 and the EfficientNet-Lite release
(EfficientNet), Vasu et al. 2023 and 2024 (FastViT), Fang et al. 2023 and Sun et al. 2023
(Eva), Liu et al. 2022 (ConvNeXt), Devlin et al. 2018 (Bert).
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

    pool: "class": the class token's row, then the last LayerNorm (CLIP); "mean": the mean of the patches' rows, then
        the last LayerNorm (CLIPA); "attention": the last LayerNorm, then one learned query attends to all rows, plus
        an MLP of its own (SigLIP's "MAP head").
    class_token: whether there is one; class_position: whether it has a row in the positions; patch_bias: whether the
        patches' convolution has a bias; norm_pre: whether a LayerNorm stands before the blocks.
    stem: "patch": one convolution makes the patches' rows; "convolutions": three, of patch / 4, 2 and 2 pixels
        without overlap and width / 4, width / 4 and width channels, with batch norm and GELU between (MobileCLIP-B).
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
    """EfficientNet; with squeeze = 0 and relu6 the Lite variants. Mean pooling.

    squeeze: squeeze-and-excite layers have (channels into their block) // squeeze units (4 in B0 to B7); 0: none.
    top: channels of the last 1x1 convolution, which are pooled; 0: there is none, the last stage is (ALIGN).
    padding: "same": TensorFlow's SAME; "even": at a stride, an odd side gets the zeros of an even one, and so becomes
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


@dataclass(frozen=True)
class FastStage:
    """`layers` blocks of `width` channels; every stage but the first begins by halving the sides.

    mixer: what exchanges between the cells, "convolution" (3 x 3, each channel alone) or "attention". squeeze: whether
    squeeze-and-excite follows the halving; positions: whether a 7 x 7 convolution is then added, which tells places.
    """

    width: int
    layers: int
    mixer: Literal["convolution", "attention"] = "convolution"
    squeeze: bool = False
    positions: bool = False


@dataclass(frozen=True)
class FastViT:
    """FastViT as MobileCLIP has it, with the parallel branches of its training, which the published files hold.

    mlp: hidden units for each channel of a block; head_width: channels of an attention head; norm: before attention,
    over the batch or over the channels; stem_points: whether the stem's 3 x 3 convolutions have 1 x 1 ones beside them.
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


@dataclass(frozen=True)
class Eva:
    """EVA-02's Transformer as EVA-CLIP has it: rotary positions on top of learned ones, gated MLPs, inner norms.

    Class token, whose row is pooled after the last LayerNorm; biased patches; queries and values have a bias, keys have
    none. mlp: hidden units of the gated MLP; grid: cells of a side of the grid that the rotary positions were learned
    on, to which those of another size are scaled.
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


@dataclass(frozen=True)
class ConvNeXt:
    """ConvNeXt: four stages of 7 x 7 depthwise convolutions and MLPs over the channels; mean pooling, then LayerNorm.

    layers, widths: blocks and channels of each stage; the MLPs are four times as wide.
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
    positions: rows of the table of positions, if more than the context (ALIGN has 512 for texts of 64); else 0.
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


ImageTower = ViT | ResNet | EfficientNet | FastViT | Eva | ConvNeXt
TextTower = CausalText | Bert
