"""Texts as the input of what is trained: token ids, or embeddings where no step changes the text tower."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from contralto import contract
from contralto.train.contrastive import shorten

if TYPE_CHECKING:
    from contralto.model.clip import CLIP

Tokenize = Callable[[list[str]], NDArray[np.int64]]
"""Texts -> ids (N, context)."""


class TextForm(Protocol):
    """Texts to what a step starts from, and from there to embeddings."""

    def inputs(self, texts: Sequence[str]) -> Tensor:
        """What the step starts from, for each text."""
        ...

    def embeddings(self, model: CLIP, inputs: Tensor) -> Tensor:
        """`inputs` -> (N, E), not of unit length, with a gradient to what is trained."""
        ...


class TokenIds:
    """Texts as ids (N, L) for the tower."""

    def __init__(self, tokenize: Tokenize, spec: contract.Text) -> None:
        self._tokenize, self._spec = tokenize, spec

    def inputs(self, texts: Sequence[str]) -> Tensor:
        return torch.from_numpy(shorten(self._tokenize(list(texts)), self._spec))

    def length(self, texts: Sequence[str]) -> int:
        """How many places of the context the longest text takes. Raises TextError for one beyond the context."""
        used = np.flatnonzero((self._tokenize(list(texts)) != self._spec.pad).any(axis=0))
        return int(used[-1]) + 1

    def embeddings(self, model: CLIP, inputs: Tensor) -> Tensor:
        return model.encode_text(inputs)


class LockedTexts:
    """Texts as the embeddings (N, E) of a tower that no step changes: each is encoded once, alone, so that its bits do
    not depend on the others."""

    def __init__(self, model: CLIP, ids: TokenIds) -> None:
        self._model, self._ids = model, ids
        self._kept: dict[str, Tensor] = {}

    def inputs(self, texts: Sequence[str]) -> Tensor:
        for text in texts:
            if text not in self._kept:
                self._kept[text] = self._encode(text)
        return torch.stack([self._kept[text] for text in texts])

    @torch.no_grad()
    def _encode(self, text: str) -> Tensor:
        return self._model.encode_text(self._ids.inputs([text]))[0]

    def embeddings(self, model: CLIP, inputs: Tensor) -> Tensor:
        return inputs
