"""What can be chosen about tuning: one frozen dataclass a way. No torch is needed to make one.

Sources: Hu et al. 2021 (LoRA) with the settings of Zanella and Ben Ayed 2024 (CLIP-LoRA); Goyal et al. 2023 (FLYP) and
Dong et al. 2022 (layer decay and averaging for CLIP) for `Full`; Zhou et al. 2022 (CoOp) and Jia et al. 2022 (VPT) for
`Prompt`.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal, TypeAlias

from contralto import arguments
from contralto.architecture import ImageTower, TextTower, ViT
from contralto.errors import ContraltoError

PUBLISHED_STEPS = 8000
MOST_HASTE = 5.0  # with nano, 15 gained more on some small sets and lost on others

TunedTower = Literal["image", "text"]
TOWERS: tuple[TunedTower, ...] = ("image", "text")
PARTS = ("q", "k", "v", "out", "mlp", "conv", "head")
"""Linear maps by their place: of attention, the two (gated: three) of an MLP, 1 x 1 convolutions, the head's."""


@dataclass(frozen=True)
class Lora:
    """Low-rank changes of linear maps: W + (alpha / rank) B A, with A (rank, in) and B (out, rank).

    alpha: None means rank, so a factor of 1. towers, parts: the maps that change. A tower that has none of these parts
    changes its 1 x 1 convolutions, MLPs and head instead, see `contralto.train.tuning.lora.adapted`. dropout: of the
    inputs of A, in training. lr: at its peak, times `haste`. batch: pictures in a step. Raises ContraltoError.
    """

    rank: int = 2
    alpha: float | None = None
    towers: tuple[TunedTower, ...] = TOWERS
    parts: tuple[str, ...] = ("q", "k", "v")
    dropout: float = 0.25
    lr: float = 2e-4
    weight_decay: float = 1e-2
    batch: int = 32

    def __post_init__(self) -> None:
        arguments.whole(self.rank, "Lora.rank")
        if self.alpha is not None:
            arguments.number(self.alpha, "Lora.alpha", 0, edges=False)
        _some_of(self.towers, "Lora.towers", TOWERS)
        _some_of(self.parts, "Lora.parts", PARTS)
        arguments.number(self.dropout, "Lora.dropout", 0, 0.99)
        _check_optimiser("Lora", self.lr, self.weight_decay, self.batch)

    @property
    def scaling(self) -> float:
        """The factor on B A."""
        return 1.0 if self.alpha is None else self.alpha / self.rank


@dataclass(frozen=True)
class Full:
    """All weights change, but for the scale and batch norm.

    lr: at its peak for batches of 256, times `haste`; other batches multiply it by sqrt(batch / 256). layer_decay:
    factor on the rate from each block to the one before; None means 0.65, and 0.75 in towers of 24 blocks or more.
    ema: decay of the average of the weights that is the result; short runs average over their last eighth. epochs: at
    most so many passes over the pictures. batch: pictures in a step. Raises ContraltoError.
    """

    lr: float = 1e-5
    weight_decay: float = 0.1
    layer_decay: float | None = None
    ema: float = 0.998
    epochs: int = 10
    batch: int = 32

    def __post_init__(self) -> None:
        if self.layer_decay is not None:
            arguments.number(self.layer_decay, "Full.layer_decay", 0.01, 1)
        arguments.number(self.ema, "Full.ema", 0, 1, edges=False)
        arguments.whole(self.epochs, "Full.epochs")
        _check_optimiser("Full", self.lr, self.weight_decay, self.batch)


@dataclass(frozen=True)
class Prompt:
    """Learned vectors: between the start token and a class name, the same for all classes; beside a picture's patches.

    tokens: how many vectors in a tower. depth: in how many of the first layers; each has its own. towers: those that
    take vectors. Any text tower does; of the picture towers a ViT. A tower that takes none stays as it is. batch:
    pictures in a step. Raises ContraltoError.
    """

    tokens: int = 16
    depth: int = 1
    towers: tuple[TunedTower, ...] = ("text",)
    lr: float = 2e-3
    weight_decay: float = 5e-4
    batch: int = 32

    def __post_init__(self) -> None:
        arguments.whole(self.tokens, "Prompt.tokens")
        arguments.whole(self.depth, "Prompt.depth")
        _some_of(self.towers, "Prompt.towers", TOWERS)
        _check_optimiser("Prompt", self.lr, self.weight_decay, self.batch)

    def check_towers(self, image: ImageTower, text: TextTower) -> None:
        """Raises ContraltoError unless these towers take the vectors."""
        layers = {"text": text.layers}
        if "image" in self.towers:
            if not isinstance(image, ViT):
                reason = f"of the picture towers only a ViT takes prompts, and this one is {image.kind}: use Lora"
                raise ContraltoError(f"Prompt.towers: {reason}")
            if image.prompts:
                raise ContraltoError("Prompt.towers: this picture tower has prompts already: use Lora or Full")
            layers["image"] = image.layers
        for tower in self.towers:
            if self.depth > layers[tower]:
                raise ContraltoError(f"Prompt.depth is {self.depth}, but the {tower} tower has {layers[tower]} layers")


Way: TypeAlias = Lora | Full | Prompt


def haste(steps: int) -> float:
    """The factor on `Lora.lr` and `Full.lr` in runs shorter than published ones: sqrt(8000 / steps), from 1 to 5.

    Published rates are for thousands of steps, and hardly move a model in the hundred that a processor does in a
    minute. CLIP-LoRA takes 8,000 with 16 pictures a class.
    """
    return min(max(math.sqrt(PUBLISHED_STEPS / steps), 1.0), MOST_HASTE)


def _check_optimiser(name: str, lr: float, weight_decay: float, batch: int) -> None:
    arguments.number(lr, f"{name}.lr", 0, 1, edges=False)
    arguments.number(weight_decay, f"{name}.weight_decay", 0)
    arguments.whole(batch, f"{name}.batch")


def _some_of(given: object, name: str, known: Collection[str]) -> None:
    """Checks for a tuple of different known words, at least one."""
    if not isinstance(given, tuple) or not given or len(set(map(str, given))) < len(given):
        raise ContraltoError(f"{name} must be a tuple of some of {', '.join(known)}, got {arguments.shown(given)}")
    for word in given:
        arguments.one_of(word, name, known)
