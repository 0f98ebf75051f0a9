"""Classifiers without training: the vote of the nearest rows, and the nearest class mean, both by cosine.

Their plain twins are scikit-learn and loops in tests/probe/test_neighbours.py.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from contralto import arguments
from contralto.probe.inputs import Labels, Matrix, ProbeError, checked_labels, checked_rows, class_indices
from contralto.probe.objective import Float

QUERIES_PER_BLOCK: Final = 1024
KNOWN_PER_BLOCK: Final = 8192  # a block of cosines takes 64 MB
COSINE_BITS: Final = 30
MAX_PLACE: Final = 2**32 - 1

Keys = NDArray[np.int64]


def knn(rows: ArrayLike, labels: ArrayLike, test_rows: ArrayLike, k: int = 20, temperature: float = 0.07) -> Labels:
    """The class of each test row (M,): its k nearest rows vote, each with weight exp(cosine / temperature).

    As in Wu et al. 2018 (instance discrimination) and DINO. Among equally near rows the first in `rows` counts; among
    classes with equal votes, the first in order. With fewer than k rows all vote. Raises ContraltoError.
    """
    k, temperature = arguments.whole(k, "k"), arguments.number(temperature, "temperature", 0, edges=False)
    known = checked_rows(rows, "rows")
    test = checked_rows(test_rows, "test rows", known.shape[1])
    classes, places = class_indices(checked_labels(labels, len(known), "labels"))
    predicted = []
    for start in range(0, len(test), QUERIES_PER_BLOCK):
        cosines, nearest = _nearest(known, _unit(test[start : start + QUERIES_PER_BLOCK], "test rows", start), k)
        votes = np.zeros((len(nearest), len(classes)))
        # minus the greatest: exp(1 / temperature) may overflow
        weights = np.exp((cosines - cosines.max(axis=1, keepdims=True)) / temperature)
        np.add.at(votes, (np.arange(len(nearest))[:, None], places[nearest]), weights)
        predicted.append(votes.argmax(axis=1))
    return np.asarray(classes[np.concatenate(predicted)])


def prototypes(rows: ArrayLike, labels: ArrayLike, test_rows: ArrayLike) -> Labels:
    """The class of each test row (M,) whose mean of unit rows is nearest by cosine. Raises ContraltoError."""
    known = checked_rows(rows, "rows")
    test = checked_rows(test_rows, "test rows", known.shape[1])
    classes, places = class_indices(checked_labels(labels, len(known), "labels"))
    sums = np.zeros((len(classes), known.shape[1]))
    for start in range(0, len(known), KNOWN_PER_BLOCK):
        np.add.at(
            sums, places[start : start + KNOWN_PER_BLOCK], _unit(known[start : start + KNOWN_PER_BLOCK], "rows", start)
        )
    means = _unit(sums, "class means", 0)
    blocks = (test[start : start + QUERIES_PER_BLOCK] for start in range(0, len(test), QUERIES_PER_BLOCK))
    predicted = [
        (_unit(block, "test rows", place * QUERIES_PER_BLOCK) @ means.T).argmax(1) for place, block in enumerate(blocks)
    ]
    return np.asarray(classes[np.concatenate(predicted)])


def _nearest(known: Matrix, queries: Float, k: int) -> tuple[Float, NDArray[np.intp]]:
    """(cosines, places in `known`), both (M, k), of the k nearest of each unit query, in any order.

    One integer holds a cosine and a place, so no two are equal, and among equal cosines the lower place wins for any
    block size.
    """
    best: Keys = np.empty((len(queries), 0), np.int64)
    for start in range(0, len(known), KNOWN_PER_BLOCK):
        cosines = queries @ _unit(known[start : start + KNOWN_PER_BLOCK], "rows", start).T
        keys = np.rint(cosines * 2**COSINE_BITS).astype(np.int64) << 32
        keys |= MAX_PLACE - np.arange(start, start + keys.shape[1])
        best = np.concatenate([best, keys], axis=1)
        if best.shape[1] > k:
            best = np.partition(best, -k, axis=1)[:, -k:]
    return (best >> 32) / 2**COSINE_BITS, MAX_PLACE - (best & MAX_PLACE)


def _unit(rows: Matrix, what: str, first: int) -> Float:
    lengths = np.linalg.norm(rows.astype(np.float64), axis=1, keepdims=True)
    if not lengths.all():
        raise ProbeError(f"{what}: row {first + int(np.argmin(lengths))} is all zeros and has no direction")
    return np.asarray(rows / lengths)
