"""Texts as a forest of prefix trees: what texts have in common at their beginning is computed once, exactly.

Behind a causal mask the row of a token depends on the tokens before it alone. So texts that begin alike share these
rows, and a set of texts is a forest: its nodes are tokens, its depth is the position, and a node attends to itself
and its ancestors. ImageNet's 80,000 prompts hold 9.6 tokens each, but only 4.1 nodes. Captions that have nothing in
common but the start token gain as well: they lie in one sequence end to end, and none is padded.

Nodes stand in the order of a walk that goes down before it goes on. Then the ancestor of a node at a lesser depth is
simply the last node of that depth before it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from contralto.architecture import CausalText
from contralto.contract import Text

Ids = NDArray[np.int64]

# Added to the scores of keys that may not be seen: exp of it is exactly zero in float32, and no row becomes NaN.
HIDDEN = -1e30

BLOCK = 32  # nodes that attend together
STEP = 16


class Forest(NamedTuple):
    """Some texts in one sequence of n nodes, which attend in b blocks of `BLOCK` neighbours.

    The nodes that a block can see are few: the path from the root down to its first node, and the block itself. So its
    attention reads s of them instead of n, and costs no more in a long sequence than in a short one.
    """

    places: Ids  # (t,): which texts they are; the first t ends are theirs
    ids: Ids  # (n,)
    depths: Ids  # (n,)
    keys: Ids  # (b, s): of each block, the nodes that it can see
    mask: NDArray[np.float32]  # (b, 1, BLOCK, s): 0 where a node attends to that one, else HIDDEN
    ends: Ids  # (t or more,): nodes at which texts end

    @property
    def inputs(self) -> tuple[NDArray[Any], ...]:
        """What the text tower reads, in the order of its graph."""
        return self.ids, self.depths, self.keys, self.mask, self.ends


def grows(text: Text) -> bool:
    """Whether texts of this kind may grow as a forest: nothing sees what comes later, and one row is pooled."""
    return isinstance(text.tower, CausalText) and text.tower.mask == "causal" and text.pool == "eot"


def lengths(ids: Ids, text: Text) -> Ids:
    """(N,): how many columns of ids (N, L) the tower must see for each row's embedding to be exact.

    All of them, unless the contract's text trims: then what follows the end-of-text token, the largest id, or for BERT
    the last that is no padding, has no effect.
    """
    whole = np.full(len(ids), ids.shape[1], np.int64)
    if not text.trims:
        return whole
    if isinstance(text.tower, CausalText):
        end: Ids = ids.argmax(axis=1)
        return end + 1
    whole -= (ids != text.pad)[:, ::-1].argmax(axis=1)
    return whole


def alike(needed: Ids, size: int) -> Iterator[Ids]:
    """Places of texts, `size` at a time, of like length together: for towers that read a matrix of ids."""
    order = np.argsort(needed, kind="stable")
    for start in range(0, len(order), size):
        yield order[start : start + size]


def forests(ids: Ids, needed: Ids, most: int) -> Iterator[Forest]:
    """All texts, ids (N, L) of which the first needed (N,) count, in forests of at most `most` nodes, or of one text.

    Texts that begin alike go together, whatever the order given. Runtimes prepare each shape on its first use, so there
    are few of them: n is a multiple of BLOCK (spare nodes attend to themselves and are no text's), and the numbers of
    ends (the last one again) and of the nodes on the longest path are multiples of STEP.
    """
    columns = np.arange(int(needed.max(initial=0)))
    tokens = np.where(columns < needed[:, None], ids[:, : len(columns)], -1)
    order = in_order(tokens)
    tokens, needed = tokens[order], needed[order]
    shared = _shared(tokens, needed)
    for begin, end in _windows((needed - shared).tolist(), needed.tolist(), most):
        shared[begin] = 0  # what stands before the window is not at hand
        yield _forest(order[begin:end], tokens[begin:end], shared[begin:end], needed[begin:end])


def in_order(tokens: Ids) -> Ids:
    """The order of rows (N, L) by their first number, then their second ... Numbers are -1 and above."""
    if not tokens.size:
        return np.arange(len(tokens))
    as_bytes = np.ascontiguousarray(tokens + 1, ">u4").view(f"V{4 * tokens.shape[1]}").ravel()
    return np.argsort(as_bytes, kind="stable")


def _shared(tokens: Ids, needed: Ids) -> Ids:
    """(N,): how many tokens a row has in common with the row before it, from the first on."""
    shared = np.zeros(len(tokens), np.int64)
    equal = np.logical_and.accumulate(tokens[1:] == tokens[:-1], axis=1).sum(axis=1)
    shared[1:] = np.minimum(equal, needed[1:])
    return shared


def _windows(new: list[int], whole: list[int], most: int) -> Iterator[tuple[int, int]]:
    """Neighbours [begin, end) that add up to at most `most` nodes: the first with all its tokens, the others with
    those that are new."""
    begin, nodes = 0, 0
    for place, (some, all_of_it) in enumerate(zip(new, whole, strict=True)):
        if place > begin and nodes + some > most:
            yield begin, place
            begin = place
        nodes = all_of_it if place == begin else nodes + some
    if new:
        yield begin, len(new)


def _forest(places: Ids, tokens: Ids, shared: Ids, needed: Ids) -> Forest:
    columns = np.arange(tokens.shape[1])
    is_new = (columns >= shared[:, None]) & (columns < needed[:, None])
    depths = np.nonzero(is_new)[1]  # row by row: down along a text, then on to where the next one leaves it
    count = len(depths)
    last = np.full((count, len(columns)), -1)
    last[np.arange(count), depths] = np.arange(count)
    last = np.maximum.accumulate(last, axis=0)  # of each depth, the last node that is no later
    spare = np.zeros(-count % BLOCK, np.int64)
    keys, mask = _blocks(depths, last)
    ends = np.cumsum(is_new.sum(axis=1)) - 1
    return Forest(
        places,
        np.concatenate([tokens[is_new], spare]),
        np.concatenate([depths, spare]),
        keys,
        mask,
        np.pad(ends, (0, -len(ends) % STEP), mode="edge"),
    )


def _blocks(depths: Ids, last: Ids) -> tuple[Ids, NDArray[np.float32]]:
    """The keys and the mask of nodes with these depths (n,); last (n, D): of each depth, the last node no later.

    An ancestor that stands before the block is on the path to the block's first node, at its own depth.
    """
    count = len(depths)
    starts = np.arange(0, count, BLOCK)
    above = _rounded_up(int(depths[starts].max()))  # places for the path
    keys = np.zeros((len(starts), above + BLOCK), np.int64)
    keys[:, above:] = starts[:, None] + np.arange(BLOCK)
    for block, start in enumerate(starts[1:].tolist(), 1):
        keys[block, : depths[start]] = last[start - 1, : depths[start]]
    mask = np.full((len(starts) * BLOCK, above + BLOCK), HIDDEN, np.float32)
    nodes, depth = np.nonzero(np.arange(last.shape[1]) <= depths[:, None])
    seen, start = last[nodes, depth], nodes // BLOCK * BLOCK
    mask[nodes, np.where(seen < start, depth, above + seen - start)] = 0
    spare = np.arange(count, len(mask))
    mask[spare, above + spare % BLOCK] = 0
    return keys, mask.reshape(len(starts), 1, BLOCK, -1)


def _rounded_up(size: int) -> int:
    return -(-size // STEP) * STEP
