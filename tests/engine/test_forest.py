"""Texts packed as a forest: every node has the prefix that leads to it, and sees exactly that."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.small_models import CONTRACTS

from contralto import contract
from contralto.contract import Text
from contralto.engine import start
from contralto.engine.forest import (
    MASKED_SCORE,
    NODE_BLOCK,
    SHAPE_STEP,
    by_length,
    forests,
    in_order,
    needed_lengths,
    supports_forest,
)

END = 9
TEXTS = st.lists(st.lists(st.integers(1, 3), max_size=5), min_size=1, max_size=12)


def padded(texts: list[list[int]]) -> np.ndarray:
    return np.array([[8, *text, END] + [0] * (5 - len(text)) for text in texts])


def prefix(forest, node: int) -> list[tuple[int, int]]:
    """(depth, id) of what the node sees, in order."""
    block, place = divmod(node, NODE_BLOCK)
    seen = forest.keys[block, forest.mask[block, 0, place] == 0]
    return sorted((int(forest.depths[i]), int(forest.ids[i])) for i in seen)


@settings(max_examples=200, deadline=None)
@given(TEXTS, st.integers(1, 90))
def test_every_text_is_a_path_from_a_root(texts, most):
    ids = padded(texts)
    needed = ids.argmax(axis=1) + 1
    places = []
    for forest in forests(ids, needed, most):
        places += forest.indices.tolist()
        assert set(np.unique(forest.mask)) <= {0.0, np.float32(MASKED_SCORE)}
        assert len(forest.ids) % NODE_BLOCK == len(forest.ends) % SHAPE_STEP == forest.keys.shape[1] % SHAPE_STEP == 0
        assert forest.mask.shape == (len(forest.ids) // NODE_BLOCK, 1, NODE_BLOCK, forest.keys.shape[1])
        assert len(forest.indices) <= len(forest.ends) < len(forest.indices) + SHAPE_STEP
        real = len(forest.ids) - (np.arange(len(forest.ids)) > forest.ends.max()).sum()
        assert real <= most or len(set(map(tuple, ids[forest.indices].tolist()))) == 1
        for place, end in zip(forest.indices, forest.ends, strict=False):
            assert prefix(forest, end) == list(enumerate(ids[place, : needed[place]].tolist()))
        prefixes = [tuple(prefix(forest, node)) for node in range(real)]
        assert len(set(prefixes)) == real  # nothing is computed twice
    assert sorted(places) == list(range(len(texts)))


def test_what_prompts_share_is_there_once():
    prompts = [[8, 1, 1, name, END] for name in range(2, 7)]
    (forest,) = forests(np.array(prompts), np.full(5, 5), 100)
    nodes = 3 + 2 * 5
    assert forest.depths.tolist()[:5] == [0, 1, 2, 3, 4]
    assert forest.ends.max() == nodes - 1
    assert len(forest.ids) == NODE_BLOCK  # rounded up


def test_a_block_sees_the_path_that_leads_to_it_and_nothing_else_outside():
    """The one long text fills a block and goes on in the next, whose nodes see all of it; another text begins there."""
    long, short = [8, *range(10, 10 + NODE_BLOCK), END], [9, 1, END, *[0] * (NODE_BLOCK - 1)]
    (forest,) = forests(np.array([long, short]), np.array([NODE_BLOCK + 2, 3]), 100)
    assert forest.keys[1, :NODE_BLOCK].tolist() == list(range(NODE_BLOCK))
    assert prefix(forest, NODE_BLOCK + 1) == list(enumerate(long))
    assert prefix(forest, NODE_BLOCK + 4) == [(0, 9), (1, 1), (2, END)]


@given(TEXTS)
def test_rows_come_in_order(texts):
    ids = padded(texts)
    assert ids[in_order(ids)].tolist() == sorted(ids.tolist())


@given(st.lists(st.lists(st.integers(2, 40), max_size=6), min_size=1, max_size=5))
def test_lengths_cover_all_that_a_tower_sees_and_no_more(rows):
    def ids(end: int, pad: int) -> np.ndarray:
        return np.array([[1, *row, end] + [pad] * (8 - len(row)) for row in rows])

    causal, bert = contract.preset("tiny").text, contract.preset("nano").text
    assert needed_lengths(ids(49407, 0), causal).tolist() == [len(row) + 2 for row in rows]
    for unseen in ({"tower": dataclasses.replace(causal.tower, mask="none")}, {"pool": "last"}):
        spec: Text = dataclasses.replace(causal, **unseen)
        assert needed_lengths(ids(49407, 0), spec).tolist() == [10] * len(rows)
        assert not supports_forest(spec)
    assert needed_lengths(ids(2, bert.pad), bert).tolist() == [len(row) + 2 for row in rows]
    assert supports_forest(causal)
    assert not supports_forest(bert)


def test_a_new_tower_is_not_taken_for_another():
    text: Any = SimpleNamespace(tower=NewTower(), trims=True)
    for question in (lambda: supports_forest(text), lambda: needed_lengths(np.ones((1, 3), np.int64), text)):
        with pytest.raises(AssertionError, match="NewTower"):
            question()


class NewTower:
    pass


def test_texts_of_like_length_go_together():
    assert [some.tolist() for some in by_length(np.array([3, 9, 1, 8, 2]), 2)] == [[2, 4], [0, 3], [1]]


@pytest.mark.parametrize("pad", [0, 49])
def test_a_row_is_the_same_in_any_forest(checkpoint, pad: int) -> None:
    """More texts than a forest holds; the reference computes each alone, in full."""
    model = checkpoint("vit + causal")
    random = np.random.default_rng(0)
    ids = np.full((400, 12), pad)
    for row in ids:
        size = random.integers(2, 12)
        row[: size - 1] = random.integers(1, 4, size - 1)
        row[size - 1] = CONTRACTS["vit + causal"].text.tower.vocabulary - 1
    fast, plain = start(model).text(ids), start(model, engine="eager")
    wanted = np.concatenate([plain.text(row[None]) for row in ids[:60]])
    np.testing.assert_allclose(fast[:60], wanted, atol=1e-5)
    np.testing.assert_allclose(start(model).text(ids[::-1])[::-1], fast, atol=1e-5)
