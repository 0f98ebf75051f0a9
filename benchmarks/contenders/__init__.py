"""The contenders: one module per library. Its `make(**options)` returns an object with some of

    about: str                          names and versions of the libraries
    precision(tower) -> str              precision of the computation: fp32, bf16, int8
    images(pixels) -> embeddings        float32 (N, 3, h, w) -> unit vectors, float32 (N, d)
    texts(texts) -> embeddings          strings -> unit vectors
    labels(labels, templates) -> embeddings   class names -> unit vectors, each the mean over the templates
    tokens(texts) -> ids                int64 (N, 77), padded with 0
    folder(paths, out)                  picture files -> unit vectors in the .npy file `out`

A module imports only NumPy and its library, because a peer may run in an interpreter without other packages.
"""

from __future__ import annotations

import os
from importlib.metadata import PackageNotFoundError, version
from typing import TypeVar

import numpy as np

TEXTS_AT_ONCE, PICTURES_AT_ONCE = 32, 16


def processors() -> int:
    """The number of processors that this process may use; every peer gets as many threads."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


T = TypeVar("T")


def unit(embeddings: np.ndarray) -> np.ndarray:
    embeddings = np.asarray(embeddings, np.float32)
    return embeddings / np.linalg.norm(embeddings, axis=-1, keepdims=True)


def versions(*packages: str) -> str:
    names = []
    for package in packages:
        try:
            names.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            names.append(package)
    return ", ".join(names)


def batches(items: list[T], size: int) -> list[list[T]]:
    return [items[i : i + size] for i in range(0, len(items), size)]


def class_embeddings(embeddings: np.ndarray, templates: int) -> np.ndarray:
    """Embeddings of prompts, grouped by class -> one unit vector per class."""
    return unit(embeddings.reshape(-1, templates, embeddings.shape[1]).mean(axis=1))
