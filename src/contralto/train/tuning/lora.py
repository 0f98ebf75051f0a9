"""Low-rank adaptation (Hu et al. 2021): linear maps get a trainable B A beside their locked weight.

The maps keep their names, so `text.blocks.3.attention.q` holds `weight`, `bias`, `A` and `B`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection
from typing import TYPE_CHECKING, cast

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from contralto.model.efficientnet import EfficientNet
from contralto.train.tuning.settings import Lora, TunedTower

if TYPE_CHECKING:
    from contralto.model.clip import CLIP

WITHOUT_ATTENTION = ("conv", "mlp", "head")
LOCKED_SHARE = 2 / 3  # of an EfficientNet's blocks
BLOCK = re.compile(r"image\.blocks\.(\d+)\.")


class LowRankLinear(nn.Linear):
    """W x + b + scaling B A dropout(x). Its weight and bias are those of `base`."""

    def __init__(self, base: nn.Linear, how: Lora, generator: torch.Generator) -> None:
        super().__init__(base.in_features, base.out_features, base.bias is not None, device="meta")
        self.weight, self.bias = base.weight, base.bias
        self.scaling, self.dropout = how.scaling, how.dropout
        self.A, self.B = factors(base.weight, how.rank, generator)

    def forward(self, x: Tensor) -> Tensor:
        """(..., in) -> (..., out)."""
        narrow = F.linear(F.dropout(x, self.dropout, self.training), self.A)
        return super().forward(x) + self.scaling * F.linear(narrow, self.B)


class LowRankConvolution(nn.Conv2d):
    """(W + scaling B A) x for a 1 x 1 convolution; dropout takes inputs of A for a whole batch.

    So the change can be added to the weight, which takes two thirds of the time of a second path through the map.
    """

    def __init__(self, base: nn.Conv2d, how: Lora, generator: torch.Generator) -> None:
        inputs, outputs, has_bias = base.in_channels, base.out_channels, base.bias is not None
        super().__init__(inputs, outputs, base.kernel_size, base.stride, bias=has_bias, device="meta")  # type: ignore[arg-type]
        self.weight, self.bias = base.weight, base.bias
        self.scaling, self.dropout = how.scaling, how.dropout
        self.A, self.B = factors(base.weight, how.rank, generator)

    def forward(self, x: Tensor) -> Tensor:
        """(N, in, h, w) -> (N, out, h, w), smaller by the stride."""
        inputs = F.dropout(torch.ones_like(self.A[0]), self.dropout, self.training)
        change = self.scaling * self.B @ (self.A * inputs)
        return F.conv2d(x, self.weight + change[:, :, None, None], self.bias, self.stride)


def factors(weight: Tensor, rank: int, generator: torch.Generator) -> tuple[nn.Parameter, nn.Parameter]:
    """A (rank, in), drawn, and B (out, rank), 0: the map is unchanged at first (Hu et al. 2021, section 4.1)."""
    outputs, inputs = weight.shape[:2]
    bound = inputs**-0.5  # Kaiming-uniform with a = sqrt(5), as in PyTorch's own linear maps
    drawn = torch.empty(rank, inputs).uniform_(-bound, bound, generator=generator)
    return nn.Parameter(drawn), nn.Parameter(torch.zeros(outputs, rank))


def insert(model: CLIP, how: Lora, generator: torch.Generator) -> list[str]:
    """Replaces the maps that `how` chooses in the model, and returns their names. All draws come from `generator`."""
    names = [name for tower in how.towers for name in adapted(model, tower, how.parts)]
    for name in names:
        base = model.get_submodule(name)
        low_rank = (
            LowRankConvolution(base, how, generator)
            if isinstance(base, nn.Conv2d)
            else LowRankLinear(cast(nn.Linear, base), how, generator)
        )
        model.set_submodule(name, low_rank)
    return names


def adapted(model: CLIP, tower: TunedTower, parts: tuple[str, ...]) -> list[str]:
    """The names of the tower's maps of these parts.

    A tower with none of them, such as a convolutional one asked for q, k and v, gives its 1 x 1 convolutions, MLPs and
    head. An EfficientNet then gives only those of its last third: what lies before need not be computed twice for a
    picture, so that a step takes a third of the time (measured with nano).
    """
    by_name = {name: part for name, _ in model.named_modules() if (part := _part(model, tower, name)) is not None}
    if set(parts) & set(by_name.values()):
        return [name for name, part in by_name.items() if part in parts]
    names = [name for name, part in by_name.items() if part in WITHOUT_ATTENTION]
    if tower == "image" and isinstance(model.image, EfficientNet):
        first = math.ceil(len(model.image.blocks) * LOCKED_SHARE)
        names = [name for name in names if (match := BLOCK.match(name)) is None or int(match[1]) >= first]
    return names


def changes(model: CLIP) -> dict[str, NDArray[np.float32]]:
    """`<map>.A` (rank, in) and `<map>.B` (out, rank) of the maps that changed, with W' = W + B A: B has the scaling."""
    tensors: dict[str, NDArray[np.float32]] = {}
    for name, module in model.named_modules():
        if isinstance(module, LowRankLinear | LowRankConvolution) and bool(module.B.any()):
            tensors[f"{name}.A"] = module.A.detach().numpy().copy()
            tensors[f"{name}.B"] = (module.scaling * module.B.detach()).numpy().copy()
    return tensors


def rates(model: CLIP, names: list[str]) -> dict[str, float]:
    """The phase's rates: everything is locked but A and B of these maps."""
    locked: dict[str, float] = {name.partition(".")[0]: 0.0 for name, _ in model.named_parameters()}
    return locked | {f"{name}.{letter}": 1.0 for name in names for letter in "AB"}


def locked_blocks(tower: EfficientNet, trained: Collection[str]) -> int:
    """How many of the tower's first blocks hold no trained parameter. trained: names in the whole model."""
    holding = [match for name in trained if (match := BLOCK.match(name))]
    stem = any(name.startswith("image.stem.") for name in trained)
    return 0 if stem else min([int(match[1]) for match in holding], default=len(tower.blocks))


def _part(model: CLIP, tower: TunedTower, name: str) -> str | None:
    """The part that the module of this name is, of `settings.PARTS`, or None if it is no linear map of the tower."""
    module, path = model.get_submodule(name), name.split(".")
    is_point = isinstance(module, nn.Conv2d) and module.kernel_size == (1, 1) and module.groups == 1
    if path[0] != tower or not (isinstance(module, nn.Linear) or is_point):
        return None
    if path[1] == "head":
        return "head"
    if "mlp" in path:
        return "mlp"
    if is_point:
        return "conv"
    return path[-1] if path[-1] in ("q", "k", "v", "out") else None
