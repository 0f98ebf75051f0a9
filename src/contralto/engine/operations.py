"""What a tower costs by its plain definition: operations, two for a multiplication and its addition.

Every position in every block counts, so that work which an engine leaves out counts as done.
"""

from __future__ import annotations

from contralto.architecture import CausalText, ViT
from contralto.contract import Contract


def picture_operations(contract: Contract) -> float | None:
    """Operations (2 a multiply-add) of the plain tower for one picture: every position in every block. ViT only."""
    tower = contract.image.tower
    if not isinstance(tower, ViT):
        return None
    height, width = (side // tower.patch for side in contract.image.size)
    patches = height * width
    positions = patches + 1
    patching = patches * 3 * tower.patch**2 * tower.width
    block = positions * (4 * tower.width**2 + 2 * tower.width * tower.mlp) + 2 * positions**2 * tower.width
    return 2.0 * (patching + tower.layers * block + tower.width * contract.embedding)


def token_operations(contract: Contract) -> float | None:
    """Operations of the plain causal tower for one real token, without attention's own products (1% at 14 tokens)."""
    tower = contract.text.tower
    if not isinstance(tower, CausalText):
        return None
    return 2.0 * tower.layers * (4 * tower.width**2 + 2 * tower.width * tower.mlp)
