"""What each worker process runs: a module a library, with `make(**options)` that gives an object with some of

    about: str                          names and versions of what computes
    precision(side) -> str              what it computes in: fp32, bf16, int8
    images(pixels) -> rows              float32 (N, 3, h, w) -> unit rows, float32 (N, d)
    texts(texts) -> rows                strings -> unit rows
    labels(labels, templates) -> rows   class names -> unit rows, each the mean over the templates
    tokens(texts) -> ids                int64 (N, 77), padded with 0
    folder(paths, out)                  picture files -> unit rows in the .npy file `out`

A module imports only NumPy and the library it is about, because a peer may run in an interpreter that has nothing else.
"""

from __future__ import annotations

import os
from importlib.metadata import PackageNotFoundError, version
from typing import TypeVar

import numpy as np

TEXTS_AT_ONCE, PICTURES_AT_ONCE = 32, 16


def processors() -> int:
    """Those that this process may use: what every peer gets as its number of threads."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


T = TypeVar("T")


def unit(rows: np.ndarray) -> np.ndarray:
    rows = np.asarray(rows, np.float32)
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def versions(*packages: str) -> str:
    found = []
    for package in packages:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            found.append(package)
    return ", ".join(found)


def batches(items: list[T], size: int) -> list[list[T]]:
    return [items[i : i + size] for i in range(0, len(items), size)]


def class_rows(rows: np.ndarray, templates: int) -> np.ndarray:
    """Rows of prompts, a class's together -> a unit row a class."""
    return unit(rows.reshape(-1, templates, rows.shape[1]).mean(axis=1))
