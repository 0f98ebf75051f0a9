"""CLIP's task: pictures against their captions within a batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from contralto.contract import Contract, Text
from contralto.data.augment import Augment
from contralto.data.loader import Batch, Loader
from contralto.data.mixture import Mixture
from contralto.loss.infonce import infonce, pairs_with_shared_id
from contralto.text.tokenizer import Tokenizer
from contralto.train.recipe import Task

if TYPE_CHECKING:
    from contralto.model.clip import CLIP


def contrastive(
    mixture: Mixture,
    contract: Contract,
    tokenizer: Tokenizer,
    *,
    name: str = "contrastive",
    weight: float = 1.0,
    augment: Augment | None = Augment(),  # noqa: B008 (frozen)
    workers: int = 2,
) -> Task:
    """Symmetric InfoNCE over the mixture's batches. Pairs that share a picture or a caption are not negatives.

    augment, workers: see `contralto.data.loader.Loader`.
    """
    loader = Loader(mixture, contract, tokenizer, augment, workers)

    def loss(model: CLIP, batch: Batch) -> Tensor:
        pictures, texts = torch.from_numpy(batch.pictures), torch.from_numpy(batch.texts)
        images = model.encode_image(torch.from_numpy(batch.pixels))
        captions = model.encode_text(torch.from_numpy(shorten(batch.ids, contract.text)))
        return infonce(images, captions, model.logit_scale, pairs_with_shared_id(pictures, texts))

    return Task(name, weight, loader, loss, lambda: loader.skipped, mixture.batch_size)


def shorten(ids: NDArray[np.int64], spec: Text) -> NDArray[np.int64]:
    """ids (N, L) without the last columns that are padding in every text, if the tower ignores them."""
    if not spec.trims:
        return ids
    used = np.flatnonzero((ids != spec.pad).any(axis=0))
    return ids[:, : used[-1] + 1]
