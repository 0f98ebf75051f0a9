"""Fine-tuning of all weights, gently: small rates that fall towards the input, an average of the weights as the result.

Locked: the scale, and batch norm whole. Its running figures stay those of the base, so its gains are left alone too:
the convolution before each can do the same. Layer norms learn. Sources: `contralto.train.tuning.settings`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from contralto.model.blocks import BatchNorm
from contralto.train.tuning.settings import TOWERS, Full

if TYPE_CHECKING:
    from contralto.model.clip import CLIP

BLOCK = re.compile(r"(?:blocks\.\d+|stages\.\d+\.blocks\.\d+|stages\.\d+\.\d+|stages\.\d+)(?=\.)")
DEEP, SHALLOW_DECAY, DEEP_DECAY = 24, 0.65, 0.75
AVERAGED = 8  # the average of a run spans at most its last steps / 8 or so


def rates(model: CLIP, how: Full) -> dict[str, float]:
    """The phase's rates by prefix: 1 after the last block, times the decay for each block towards the input."""
    factors = {name: 0.0 for name, _ in model.named_parameters() if "." not in name}  # scale and bias
    for tower in TOWERS:
        factors |= {f"{tower}.{name}": rate for name, rate in _tower_rates(model.get_submodule(tower), how).items()}
    return factors


def ema(how: Full, steps: int) -> float | None:
    """The decay for a run of so many steps: that of a long one would keep a short one's weights at the base."""
    decay = min(how.ema, 1 - AVERAGED / steps)
    return decay if decay > 0 else None


def changes(model: CLIP, base: Mapping[str, Tensor]) -> dict[str, NDArray[np.float32]]:
    """Tensor name -> difference to the base's state dict, of the tensors that differ."""
    deltas = {name: tensor.detach() - base[name] for name, tensor in model.state_dict().items()}
    return {name: delta.numpy().astype(np.float32) for name, delta in deltas.items() if bool(delta.any())}


def _tower_rates(tower: nn.Module, how: Full) -> dict[str, float]:
    names = [name for name, _ in tower.named_parameters()]
    blocks = list(dict.fromkeys(match.group() for name in names if (match := BLOCK.match(name))))
    decay = how.layer_decay or (SHALLOW_DECAY if len(blocks) < DEEP else DEEP_DECAY)
    container = [child for child, _ in tower.named_children()].index(blocks[0].partition(".")[0])
    after = [child for child, _ in tower.named_children()][container + 1 :]
    factors = dict.fromkeys([name.partition(".")[0] for name in names], decay ** (len(blocks) + 1))
    factors |= {child: 1.0 for child in after if any(name.startswith(f"{child}.") for name in names)}
    factors |= {block: decay ** (len(blocks) - place) for place, block in enumerate(blocks)}
    return factors | {name: 0.0 for name, module in tower.named_modules() if isinstance(module, BatchNorm)}
