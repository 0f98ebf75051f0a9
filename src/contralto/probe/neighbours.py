"""Classifiers that learn nothing: the nearest rows' vote, and the nearest class mean, both by cosine."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from contralto import arguments
from contralto.probe.inputs import Labels, ProbeError, Rows, checked_labels, checked_rows, class_indices
from contralto.probe.objective import Float

QUERIES, KNOWN = 1024, 8192  # rows of a block: 64 MB of cosines
DIGITS = 30  # binary digits of a cosine
FIRST = 2**32 - 1

Keys = NDArray[np.int64]


def knn(rows: ArrayLike, labels: ArrayLike, test_rows: ArrayLike, k: int = 20, temperature: float = 0.07) -> Labels:
    """The class of each test row (M,): its k nearest rows vote, each with exp(cosine / temperature).

    As in Wu et al. 2018 (instance discrimination) and DINO. Of rows equally near, the first in `rows` counts; of
    classes with the same vote, the first in order. With fewer than k rows all vote. Raises ContraltoError.
    """
    k, temperature = arguments.whole(k, "k"), arguments.number(temperature, "temperature", 0, edges=False)
    known = checked_rows(rows, "rows")
    truth = checked_rows(test_rows, "test rows", known.shape[1])
    classes, places = class_indices(checked_labels(labels, len(known), "labels"))
    found = []
    for start in range(0, len(truth), QUERIES):
        cosines, nearest = _nearest(known, _unit(truth[start : start + QUERIES], "test rows", start), k)
        votes = np.zeros((len(nearest), len(classes)))
        # less the greatest: exp(1 / temperature) may be more than a float holds
        weights = np.exp((cosines - cosines.max(axis=1, keepdims=True)) / temperature)
        np.add.at(votes, (np.arange(len(nearest))[:, None], places[nearest]), weights)
        found.append(votes.argmax(axis=1))
    return np.asarray(classes[np.concatenate(found)])


def prototypes(rows: ArrayLike, labels: ArrayLike, test_rows: ArrayLike) -> Labels:
    """The class of each test row (M,) whose mean of unit rows is nearest by cosine. Raises ContraltoError."""
    known = checked_rows(rows, "rows")
    truth = checked_rows(test_rows, "test rows", known.shape[1])
    classes, places = class_indices(checked_labels(labels, len(known), "labels"))
    sums = np.zeros((len(classes), known.shape[1]))
    for start in range(0, len(known), KNOWN):
        np.add.at(sums, places[start : start + KNOWN], _unit(known[start : start + KNOWN], "rows", start))
    means = _unit(sums, "class means", 0)
    blocks = (truth[start : start + QUERIES] for start in range(0, len(truth), QUERIES))
    found = [(_unit(block, "test rows", place * QUERIES) @ means.T).argmax(1) for place, block in enumerate(blocks)]
    return np.asarray(classes[np.concatenate(found)])


def _nearest(known: Rows, queries: Float, k: int) -> tuple[Float, NDArray[np.intp]]:
    """(cosines, places in `known`), both (M, k), of the k nearest of each unit query, in no order.

    A cosine and a place are kept in one integer, so that no two are equal and the lower place wins among equal cosines
    whatever the blocks are.
    """
    best: Keys = np.empty((len(queries), 0), np.int64)
    for start in range(0, len(known), KNOWN):
        cosines = queries @ _unit(known[start : start + KNOWN], "rows", start).T
        keys = np.rint(cosines * 2**DIGITS).astype(np.int64) << 32
        keys |= FIRST - np.arange(start, start + keys.shape[1])
        best = np.concatenate([best, keys], axis=1)
        if best.shape[1] > k:
            best = np.partition(best, -k, axis=1)[:, -k:]
    return (best >> 32) / 2**DIGITS, FIRST - (best & FIRST)


def _unit(rows: Rows, what: str, first: int) -> Float:
    lengths = np.linalg.norm(rows.astype(np.float64), axis=1, keepdims=True)
    if not lengths.all():
        raise ProbeError(f"{what}: row {first + int(np.argmin(lengths))} is all zeros and has no direction")
    return np.asarray(rows / lengths)
