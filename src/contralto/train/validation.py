"""Validations of a run: functions for a recipe's `validate` that measure retrieval and zero-shot accuracy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from contralto.contract import Contract
from contralto.data.loader import pixel_batches
from contralto.data.sample import Source
from contralto.embeddings import Embeddings
from contralto.errors import DataError
from contralto.metrics import ranks, retrieval_ranks, top_k
from contralto.text.tokenizer import Tokenizer
from contralto.train.contrastive import shorten

if TYPE_CHECKING:
    from contralto.model.clip import CLIP

Validation = Callable[["CLIP", Contract], dict[str, float]]


def retrieval(source: Source, tokenizer: Tokenizer) -> Validation:
    """R@1, R@5 and R@10 in both directions over all pictures of the source and all their captions."""

    def validate(model: CLIP, contract: Contract) -> dict[str, float]:
        captions = [source[i].captions for i in range(len(source))]
        owners = np.repeat(np.arange(len(source)), [len(texts) for texts in captions])
        texts = text_embeddings(model, contract, tokenizer, [text for texts in captions for text in texts])
        return recalls(image_embeddings(model, contract, source), texts, owners)

    return validate


def zero_shot(source: Source, prompts: Sequence[str | Sequence[str]], tokenizer: Tokenizer, name: str) -> Validation:
    """Top-1 accuracy on the source's labels, reported as `name`. prompts: one text per class, or several, whose
    embeddings are averaged."""

    def validate(model: CLIP, contract: Contract) -> dict[str, float]:
        labels = [source[i].label for i in range(len(source))]
        if any(label is None for label in labels):
            raise DataError(f"{source.name} has samples without a label: zero-shot accuracy needs one for each")
        groups = [[texts] if isinstance(texts, str) else list(texts) for texts in prompts]
        embeddings = text_embeddings(model, contract, tokenizer, [text for texts in groups for text in texts])
        ends = np.cumsum([len(texts) for texts in groups])[:-1]
        classes = unit(np.stack([part.mean(axis=0) for part in np.split(embeddings, ends)]))
        scores = image_embeddings(model, contract, source) @ classes.T
        return {name: top_k(ranks(scores, np.array(labels)), 1)}

    return validate


def combine(*validations: Validation) -> Validation:
    """One validation that returns the values of all."""
    return lambda model, contract: {k: v for each in validations for k, v in each(model, contract).items()}


def recalls(images: Embeddings, texts: Embeddings, owners: NDArray[np.int64]) -> dict[str, float]:
    """`r{1,5,10}_image_to_text` and `r{1,5,10}_text_to_image`; arguments and errors as for `retrieval_ranks`."""
    both_ways = retrieval_ranks(images, texts, owners)
    by_direction = {"image_to_text": both_ways.image_to_text, "text_to_image": both_ways.text_to_image}
    return {f"r{k}_{direction}": top_k(rank, k) for direction, rank in by_direction.items() for k in (1, 5, 10)}


def image_embeddings(model: CLIP, contract: Contract, source: Source) -> Embeddings:
    """Embeddings (N, E) of the source's pictures, prepared by the contract. Raises the error of a bad picture."""
    with torch.no_grad():
        batches = [
            model.encode_image(torch.from_numpy(pixels)).numpy() for pixels in pixel_batches(source, contract.image)
        ]
    return unit(np.concatenate(batches))


def text_embeddings(
    model: CLIP, contract: Contract, tokenizer: Tokenizer, texts: list[str], batch_size: int = 256
) -> Embeddings:
    """Embeddings (N, E) of the texts, truncated to the context."""
    ids = tokenizer.tokenize(texts, truncate=True)
    batches = [shorten(ids[start : start + batch_size], contract.text) for start in range(0, len(ids), batch_size)]
    with torch.no_grad():
        return unit(np.concatenate([model.encode_text(torch.from_numpy(batch)).numpy() for batch in batches]))


def unit(features: Embeddings) -> Embeddings:
    """Embeddings (N, E) scaled to unit length in float32, as the loss does."""
    lengths: Embeddings = np.linalg.norm(features, axis=1, keepdims=True)
    return features / lengths
