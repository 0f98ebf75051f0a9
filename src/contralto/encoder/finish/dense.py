"""Which cell sees which: the published ways to read a vector per cell from a last attention layer.

    how        weights of all tokens for a cell    residual and MLP  source
    plain      softmax(q k / sqrt(D))              kept              the tower itself
    maskclip   the cell sees itself alone          kept              Zhou et al. 2022, arXiv 2112.01071
    sclip      softmax(q q / sqrt(D))              kept              Wang et al. 2023, arXiv 2312.01597
                 + softmax(k k / sqrt(D))
    clearclip  softmax(q q / sqrt(D))              left out          Lan et al. 2024, arXiv 2407.12442
    naclip     softmax(k k / sqrt(D) + G)          left out          Hajimiri et al. 2024, arXiv 2404.08181

G is exp(-distance^2 / (2 * 5^2)) between two cells, with the distance in cells, and 0 for other tokens. A token that is
no cell (the class token, prompts) is a key like the others. MaskCLIP's code for a ViT keeps residual and MLP.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from contralto.encoder.finish.layers import Numbers, softmax

WAYS: Final = ("naclip", "plain", "maskclip", "sclip", "clearclip")
REDUCED: Final = ("clearclip", "naclip")  # only the attention's output counts: no residual, no MLP
NEIGHBOURHOOD: Final = 5.0  # NACLIP's standard deviation, in cells


def mixed_values(how: str, q: Numbers, k: Numbers, v: Numbers, heads: int, places: tuple[int, int]) -> Numbers:
    """q, k, v (L, W) of all tokens, the cells last -> (cells, W), before the output projection."""
    cells = places[0] * places[1]
    if how == "maskclip":
        return v[-cells:]
    queries, keys, values = (part.reshape(len(part), heads, -1).transpose(1, 0, 2) for part in (q, k, v))  # (H, L, D)
    nearness = _nearness(places, len(q), q.dtype) if how == "naclip" else np.zeros((), q.dtype)
    mixed = [
        _seen(how, query, key, nearness)[-cells:] @ value
        for query, key, value in zip(queries, keys, values, strict=True)
    ]
    return np.concatenate(mixed, axis=1)


def _seen(how: str, q: Numbers, k: Numbers, nearness: Numbers) -> Numbers:
    """(L, L) of one head: the weight of every token for every token."""
    scale = q.shape[1] ** -0.5
    match how:
        case "plain":
            return softmax(q @ k.T * scale)
        case "sclip":
            return softmax(q @ q.T * scale) + softmax(k @ k.T * scale)
        case "clearclip":
            return softmax(q @ q.T * scale)
        case _:
            return softmax(k @ k.T * scale + nearness)


def _nearness(places: tuple[int, int], tokens: int, dtype: np.dtype[Any]) -> Numbers:
    """(L, L): NACLIP's G."""
    at = np.indices(places).reshape(2, -1).T
    squared = ((at[:, None] - at[None]) ** 2).sum(-1)
    near = np.zeros((tokens, tokens), dtype)
    near[-len(at) :, -len(at) :] = np.exp(-squared / (2 * NEIGHBOURHOOD**2))
    return near
