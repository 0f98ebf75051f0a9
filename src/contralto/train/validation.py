"""Measuring while a run goes on: retrieval and zero-shot accuracy, made into a recipe's `validate`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from contralto.contract import Contract
from contralto.data.loader import pixel_batches
from contralto.data.sample import Source
from contralto.errors import DataError
from contralto.metrics import ranks, retrieval_ranks, top_k
from contralto.text.tokenizer import Tokenizer
from contralto.train.contrastive import shorten

if TYPE_CHECKING:
    from contralto.model.clip import CLIP

Rows = NDArray[np.float32]
Validation = Callable[["CLIP", Contract], dict[str, float]]


def retrieval(source: Source, tokenizer: Tokenizer) -> Validation:
    """R@1, R@5 and R@10 in both directions over all pictures of the source and all their captions."""

    def validate(model: CLIP, contract: Contract) -> dict[str, float]:
        captions = [source[i].captions for i in range(len(source))]
        owners = np.repeat(np.arange(len(source)), [len(texts) for texts in captions])
        texts = text_rows(model, contract, tokenizer, [text for texts in captions for text in texts])
        return recalls(image_rows(model, contract, source), texts, owners)

    return validate


def zero_shot(source: Source, prompts: Sequence[str | Sequence[str]], tokenizer: Tokenizer, name: str) -> Validation:
    """Top-1 accuracy, called `name`, of the source's labels; prompts: for each class its text, or several whose unit
    rows are averaged."""

    def validate(model: CLIP, contract: Contract) -> dict[str, float]:
        labels = [source[i].label for i in range(len(source))]
        if any(label is None for label in labels):
            raise DataError(f"{source.name} has samples without a label: zero-shot accuracy needs one for each")
        groups = [[texts] if isinstance(texts, str) else list(texts) for texts in prompts]
        rows = text_rows(model, contract, tokenizer, [text for texts in groups for text in texts])
        ends = np.cumsum([len(texts) for texts in groups])[:-1]
        classes = unit(np.stack([part.mean(axis=0) for part in np.split(rows, ends)]))
        scores = image_rows(model, contract, source) @ classes.T
        return {name: top_k(ranks(scores, np.array(labels)), 1)}

    return validate


def together(*validations: Validation) -> Validation:
    """All their figures in one dict."""
    return lambda model, contract: {k: v for each in validations for k, v in each(model, contract).items()}


def recalls(images: Rows, texts: Rows, owners: NDArray[np.int64]) -> dict[str, float]:
    """`r{1,5,10}_image_to_text` and `r{1,5,10}_text_to_image`; arguments and errors as for `retrieval_ranks`."""
    found = retrieval_ranks(images, texts, owners)
    ways = {"image_to_text": found.image_to_text, "text_to_image": found.text_to_image}
    return {f"r{k}_{way}": top_k(rank, k) for way, rank in ways.items() for k in (1, 5, 10)}


def image_rows(model: CLIP, contract: Contract, source: Source) -> Rows:
    """Unit rows (N, E) of the source's pictures, prepared as the contract says. Raises the error of one that fails."""
    with torch.no_grad():
        batches = pixel_batches(source, contract.image)
        rows = [model.encode_image(torch.from_numpy(pixels)).numpy() for pixels in batches]
    return unit(np.concatenate(rows))


def text_rows(model: CLIP, contract: Contract, tokenizer: Tokenizer, texts: list[str], batch_size: int = 256) -> Rows:
    """Unit rows (N, E) of the texts, cut to the context."""
    ids = tokenizer.tokenize(texts, truncate=True)
    blocks = [shorten(ids[start : start + batch_size], contract.text) for start in range(0, len(ids), batch_size)]
    with torch.no_grad():
        return unit(np.concatenate([model.encode_text(torch.from_numpy(block)).numpy() for block in blocks]))


def unit(rows: Rows) -> Rows:
    """Each row divided by its length."""
    lengths: Rows = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / lengths
