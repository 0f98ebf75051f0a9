"""Packs texts into a forest of prefix trees, so that shared prefixes are computed once, exactly.

"a photo of a cat" and "a photo of a dog" share the tokens "a photo of a". Under a causal mask a token's vector depends
only on the tokens before it, so both texts have the same vectors there. A batch of texts is then a forest: its nodes
are tokens, the depth of a node is its position, and a node attends to itself and its ancestors. ImageNet's 80,000
prompts have 9.6 tokens each, but only 4.1 nodes. Captions that share only the start token gain as well: they are stored
one after the other in one sequence, without padding.

Nodes are in depth-first order. So the ancestor of a node at a lesser depth is the last node of that depth before it.

The plain twin is the eager engine, which computes each text in full: tests/engine/test_forest.py compares the two.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple, assert_never

import numpy as np
from numpy.typing import NDArray

from contralto.architecture import Bert, CausalText
from contralto.contract import Text
from contralto.engine.base import Ids

# Added to the scores of masked keys: its exp is exactly zero in float32, and no softmax becomes NaN.
MASKED_SCORE: Final = -1e30

NODE_BLOCK: Final = 32  # nodes that attend together
SHAPE_STEP: Final = 16


class Forest(NamedTuple):
    """Some texts in one sequence of n nodes, which attend in b blocks of `NODE_BLOCK` neighbours.

    A block attends to few nodes: the path from the root down to its first node, and the block itself. So its attention
    reads s nodes instead of n, and costs no more in a long sequence than in a short one.
    """

    indices: Ids  # (t,): the indices of the texts; the first t ends belong to them
    ids: Ids  # (n,)
    depths: Ids  # (n,)
    keys: Ids  # (b, s): for each block, the nodes that it attends to
    mask: NDArray[np.float32]  # (b, 1, NODE_BLOCK, s): 0 where a node attends to a key, else MASKED_SCORE
    ends: Ids  # (t or more,): the last node of each text

    @property
    def inputs(self) -> tuple[NDArray[Any], ...]:
        """The inputs of the text tower, in the order of its graph."""
        return self.ids, self.depths, self.keys, self.mask, self.ends


def supports_forest(text: Text) -> bool:
    """Whether this tower can read a forest: its mask is causal, and it pools the end-of-text token."""
    match text.tower:
        case CausalText(mask=mask):
            return mask == "causal" and text.pool == "eot"
        case Bert():
            return False
        case _:
            assert_never(text.tower)


def needed_lengths(ids: Ids, text: Text) -> Ids:
    """(N,): the number of columns of ids (N, L) that the tower needs for an exact embedding of each text.

    All columns are needed, unless padding columns can be cut (`Text.trims`). Then ids after the end-of-text token (the
    largest id) have no effect; in BERT, the padding after the last token has no effect.
    """
    whole = np.full(len(ids), ids.shape[1], np.int64)
    if not text.trims:
        return whole
    match text.tower:
        case CausalText():
            end: Ids = ids.argmax(axis=1)
            return end + 1
        case Bert():
            whole -= (ids != text.pad)[:, ::-1].argmax(axis=1)
            return whole
        case _:
            assert_never(text.tower)


def by_length(needed: Ids, size: int) -> Iterator[Ids]:
    """The indices of texts, `size` at a time, similar lengths together: for towers that read a matrix of ids."""
    order = np.argsort(needed, kind="stable")
    for start in range(0, len(order), size):
        yield order[start : start + size]


def forests(ids: Ids, needed: Ids, max_nodes: int) -> Iterator[Forest]:
    """All texts, as forests of at most `max_nodes` nodes, or of one text. Texts with a common prefix go together.

    ids: (N, L); needed: (N,), the number of ids of each text that count, see `needed_lengths`.
    Runtimes prepare each shape on first use, so there are few shapes: n is a multiple of NODE_BLOCK (spare nodes attend
    to themselves and belong to no text). The number of ends (the last one repeats) and the number of nodes on the
    longest path are multiples of SHAPE_STEP.
    """
    columns = np.arange(int(needed.max(initial=0)))
    tokens = np.where(columns < needed[:, None], ids[:, : len(columns)], -1)
    order = in_order(tokens)
    tokens, needed = tokens[order], needed[order]
    shared = _shared(tokens, needed)
    for begin, end in _windows((needed - shared).tolist(), needed.tolist(), max_nodes):
        shared[begin] = 0  # the text before it is in another forest
        yield _forest(order[begin:end], tokens[begin:end], shared[begin:end], needed[begin:end])


def in_order(tokens: Ids) -> Ids:
    """The indices that sort rows (N, L) by their first number, then their second ... Numbers are -1 and above."""
    if not tokens.size:
        return np.arange(len(tokens))
    as_bytes = np.ascontiguousarray(tokens + 1, ">u4").view(f"V{4 * tokens.shape[1]}").ravel()
    return np.argsort(as_bytes, kind="stable")


def _shared(tokens: Ids, needed: Ids) -> Ids:
    """(N,): the length of the common prefix of each row with the row before it."""
    shared = np.zeros(len(tokens), np.int64)
    equal = np.logical_and.accumulate(tokens[1:] == tokens[:-1], axis=1).sum(axis=1)
    shared[1:] = np.minimum(equal, needed[1:])
    return shared


def _windows(new: list[int], whole: list[int], max_nodes: int) -> Iterator[tuple[int, int]]:
    """Ranges [begin, end) of texts that add up to at most `max_nodes` nodes.

    The first text of a range counts with all its tokens (`whole`), the others with their `new` ones.
    """
    begin, nodes = 0, 0
    for index, (some, all_of_it) in enumerate(zip(new, whole, strict=True)):
        if index > begin and nodes + some > max_nodes:
            yield begin, index
            begin = index
        nodes = all_of_it if index == begin else nodes + some
    if new:
        yield begin, len(new)


def _forest(indices: Ids, tokens: Ids, shared: Ids, needed: Ids) -> Forest:
    columns = np.arange(tokens.shape[1])
    is_new = (columns >= shared[:, None]) & (columns < needed[:, None])
    depths = np.nonzero(is_new)[1]  # text by text: down to its end, then back to where the next one branches off
    count = len(depths)
    last = np.full((count, len(columns)), -1)
    last[np.arange(count), depths] = np.arange(count)
    last = np.maximum.accumulate(last, axis=0)  # for each depth, the last node so far
    spare = np.zeros(-count % NODE_BLOCK, np.int64)
    keys, mask = _blocks(depths, last)
    ends = np.cumsum(is_new.sum(axis=1)) - 1
    return Forest(
        indices,
        np.concatenate([tokens[is_new], spare]),
        np.concatenate([depths, spare]),
        keys,
        mask,
        np.pad(ends, (0, -len(ends) % SHAPE_STEP), mode="edge"),
    )


def _blocks(depths: Ids, last: Ids) -> tuple[Ids, NDArray[np.float32]]:
    """The keys and the mask of nodes with these depths (n,). last: (n, D), for each depth the last node so far.

    An ancestor before the block is on the path to the block's first node, at the ancestor's depth.
    """
    count = len(depths)
    starts = np.arange(0, count, NODE_BLOCK)
    above = _rounded_up(int(depths[starts].max()))  # keys for the path
    keys = np.zeros((len(starts), above + NODE_BLOCK), np.int64)
    keys[:, above:] = starts[:, None] + np.arange(NODE_BLOCK)
    for block, start in enumerate(starts[1:].tolist(), 1):
        keys[block, : depths[start]] = last[start - 1, : depths[start]]
    mask = np.full((len(starts) * NODE_BLOCK, above + NODE_BLOCK), MASKED_SCORE, np.float32)
    nodes, depth = np.nonzero(np.arange(last.shape[1]) <= depths[:, None])
    ancestor, start = last[nodes, depth], nodes // NODE_BLOCK * NODE_BLOCK
    mask[nodes, np.where(ancestor < start, depth, above + ancestor - start)] = 0
    spare = np.arange(count, len(mask))
    mask[spare, above + spare % NODE_BLOCK] = 0
    return keys, mask.reshape(len(starts), 1, NODE_BLOCK, -1)


def _rounded_up(size: int) -> int:
    return -(-size // SHAPE_STEP) * SHAPE_STEP
