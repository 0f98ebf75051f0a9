"""Operations of a tower, by hand for small ones; None for towers that have no formula."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from support.small_models import CONTRACTS

from contralto.engine.operations import picture_operations, token_operations


def test_the_small_towers_by_hand() -> None:
    """8 patches and the class token, W = 16, an MLP of 32, 2 blocks, E = 24."""
    block = 9 * (4 * 16 * 16 + 2 * 16 * 32) + 2 * 9 * 9 * 16
    contract = CONTRACTS["vit + causal"]
    assert picture_operations(contract) == 2 * (8 * 3 * 8 * 8 * 16 + 2 * block + 16 * 24)
    assert token_operations(contract) == 2 * 2 * (4 * 16 * 16 + 2 * 16 * 32)


def test_prompts_are_tokens_of_every_block() -> None:
    """8 patches, the class token and 3 vectors, W = 16, an MLP of 32, 3 blocks, E = 24."""
    block = 12 * (4 * 16 * 16 + 2 * 16 * 32) + 2 * 12 * 12 * 16
    assert picture_operations(CONTRACTS["vit, deep prompts"]) == 2 * (8 * 3 * 8 * 8 * 16 + 3 * block + 16 * 24)


def test_other_towers_have_none() -> None:
    assert picture_operations(CONTRACTS["efficientnet + bert, mean"]) is None
    assert token_operations(CONTRACTS["efficientnet + bert, mean"]) is None


class NewTower:
    pass


@pytest.mark.parametrize("operations", [picture_operations, token_operations], ids=["picture", "token"])
def test_a_new_tower_is_not_taken_for_another(operations: Any) -> None:
    section = SimpleNamespace(tower=NewTower(), size=(8, 8))
    with pytest.raises(AssertionError, match="NewTower"):
        operations(SimpleNamespace(image=section, text=section))
