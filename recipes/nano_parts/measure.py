"""The validation of the run: retrieval on Flickr8k's dev split and accuracy on the labelled sets' val splits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from contralto.contract import Contract
from contralto.data.class_folders import ClassFolders
from contralto.data.sample import Source
from contralto.data.webdataset import WebDataset
from contralto.embeddings import Embeddings
from contralto.metrics import ranks, top_k
from contralto.model.clip import CLIP
from contralto.text.tokenizer import Tokenizer
from contralto.train.validation import Validation, combine, recalls, text_embeddings, unit
from nano_parts.features import Runner, whole_features
from nano_parts.heads import image_head
from nano_parts.words import SETS


def validation(data: Path, tower: Runner, cache: Path, tokenizer: Tokenizer) -> Validation:
    """All metrics. `tower` must be the locked tower of the cached features."""
    dev = WebDataset(data / "flickr8k/flickr8k-dev.tar")
    validations = [_retrieval(dev, whole_features("dev", dev, tower, cache), tokenizer)]
    for name in SETS:
        source = ClassFolders(data / f"sets/{name}.tar", "val")
        validations.append(_accuracy(source, whole_features(f"{name}-val", source, tower, cache), tokenizer))
    return combine(*validations)


def _retrieval(source: Source, features: Tensor, tokenizer: Tokenizer) -> Validation:
    captions = [source[i].captions for i in range(len(source))]
    owners = np.repeat(np.arange(len(captions)), [len(texts) for texts in captions])
    every = [text for texts in captions for text in texts]

    def validate(model: CLIP, contract: Contract) -> dict[str, float]:
        return recalls(_embedded(model, features), text_embeddings(model, contract, tokenizer, every), owners)

    return validate


def _accuracy(source: ClassFolders, features: Tensor, tokenizer: Tokenizer) -> Validation:
    labels = np.array([source[i].label for i in range(len(source))])
    prompts = [f"a photo of a {name}." for name in source.names]

    def validate(model: CLIP, contract: Contract) -> dict[str, float]:
        classes = text_embeddings(model, contract, tokenizer, prompts)
        return {source.name: top_k(ranks(_embedded(model, features) @ classes.T, labels), 1)}

    return validate


def _embedded(model: CLIP, features: Tensor) -> Embeddings:
    with torch.no_grad():
        return unit(image_head(model)(features.float()).numpy())
