"""Operations of a tower by its plain definition; a multiplication and its addition count as two.

Every position in every block counts, so work that an engine skips counts as done.
"""

from __future__ import annotations

from typing import assert_never

from contralto.architecture import Bert, CausalText, ConvNeXt, EfficientNet, Eva, FastViT, ResNet, ViT
from contralto.contract import Contract


def picture_operations(contract: Contract) -> float | None:
    """Operations of the plain tower for one picture. ViT only; None for the other towers."""
    tower = contract.image.tower
    match tower:
        case ViT():
            pass
        case ResNet() | EfficientNet() | FastViT() | Eva() | ConvNeXt():
            return None
        case _:
            assert_never(tower)
    rows, columns = (side // tower.patch for side in contract.image.size)
    patches = rows * columns
    tokens = patches + 1 + tower.prompts
    patching = patches * 3 * tower.patch**2 * tower.width
    block = tokens * (4 * tower.width**2 + 2 * tower.width * tower.mlp) + 2 * tokens**2 * tower.width
    return 2.0 * (patching + tower.layers * block + tower.width * contract.embedding)


def token_operations(contract: Contract) -> float | None:
    """Operations of the plain causal tower for one token that is not padding; None for BERT.

    Attention's own products are left out (1% at 14 tokens).
    """
    tower = contract.text.tower
    match tower:
        case CausalText():
            return 2.0 * tower.layers * (4 * tower.width**2 + 2 * tower.width * tower.mlp)
        case Bert():
            return None
        case _:
            assert_never(tower)
