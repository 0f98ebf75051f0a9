"""The tensors of the mean of several adaptations of one method and one base (model soup, Wortsman et al. 2022).

What an adaptation computes is averaged, not its numbers: B A and not A and B apart, and logits of a classifier where
they are linear in its matrices. tests/weights/test_averaging.py compares with the mean of logits and of weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, assert_never

import numpy as np
from numpy.typing import NDArray

from contralto.embeddings import unit
from contralto.errors import WeightsError, one_line
from contralto.weights.adaptation import StoredAdaptation
from contralto.weights.adaptation_tensors import LOW_RANK, low_rank_names

Floats = NDArray[np.float64]
SAME_ROWS: Final = 1e-4  # between the class rows of one base, which engines compute with other roundings
SAME_LOGITS: Final = 1e-4  # relative error of a probe's constant part, where one mean has to stand for several


def mean(several: Sequence[StoredAdaptation]) -> dict[str, NDArray[Any]]:
    """The tensors of the mean. several: at least one, all with the same method, base, classes and decisive settings.

    One adaptation is its own mean, bit for bit. Raises WeightsError if no adaptation of the method is their mean.
    """
    first = several[0]
    if len(several) == 1:
        return {name: stored.array for name, stored in first.tensors.items()}
    method = first.description.method
    if any(one.prompts_pictures for one in several):
        raise WeightsError("vectors among the patches of pictures act together: the mean of several such sets is none")
    match method:
        case "projection" | "lora" | "full":
            return _changes(several)
        case "adapter" | "long":
            raise WeightsError(f"{method} is not linear in its matrices: their mean is no mean of what they compute")
        case "zero-shot":
            return {"text": _text(several)} if first.tensors else {}
        case "prototypes" | "prompt":
            return {"text": _text(several), "prototypes": unit(_average(several, "prototypes"))}
        case "gaussian":
            linear = {name: _average(several, name) for name in ("weight", "bias")}
            return {"text": _text(several), **linear}
        case "tip" | "tip-f" | "kernel":
            keys = np.concatenate([one.array("keys") for one in several])
            weights = np.concatenate([one.array("weights") for one in several]) / np.float32(len(several))
            return {"text": _text(several), "keys": keys, "weights": weights}
        case "probe":
            return {"text": _text(several), **_probe(several)}
        case _:
            assert_never(method)


def _text(several: Sequence[StoredAdaptation]) -> NDArray[np.float32]:
    """The class rows, which all have."""
    rows = several[0].array("text")
    for other in several[1:]:
        if np.abs(other.array("text") - rows).max() > SAME_ROWS:
            named = " and ".join(one_line(str(one.folder), 100) for one in (several[0], other))
            raise WeightsError(f"{named} have other texts for their classes: they have no mean")
    return rows


def _average(several: Sequence[StoredAdaptation], name: str) -> Floats:
    total: Floats = np.mean([one.array(name).astype(np.float64) for one in several], axis=0)
    return total


def _probe(several: Sequence[StoredAdaptation]) -> dict[str, NDArray[Any]]:
    """((f - m) / s) W' averaged is f V' - c: V is the mean of W / s. The new mean is the shortest m with V m = c, on
    top of the average of the means; with fewer classes than numbers per picture there is one."""
    slopes = [one.array("weight").astype(np.float64) / float(one.array("scale")) for one in several]
    slope, centre = np.mean(slopes, axis=0), _average(several, "mean")
    products = [w @ one.array("mean").astype(np.float64) for w, one in zip(slopes, several, strict=True)]
    constant = np.mean(products, axis=0)
    centre += np.linalg.lstsq(slope, constant - slope @ centre, rcond=None)[0]
    if np.abs(slope @ centre - constant).max() > SAME_LOGITS * max(1.0, float(np.abs(constant).max())):
        raise WeightsError("these probes were fitted around other means, and have too many classes: they have no mean")
    return {"weight": slope, "mean": centre, "scale": np.float32(1)}


def _changes(several: Sequence[StoredAdaptation]) -> dict[str, NDArray[Any]]:
    """Mean changes of weights: what an adaptation does not change, it changes by zero."""
    tensors: dict[str, NDArray[Any]] = {}
    pairs = [set(low_rank_names(one.tensors)) for one in several]
    whole = [{name for name in one.tensors if not name.endswith(LOW_RANK)} for one in several]
    for name in sorted(set().union(*whole)):
        matrix = name.removesuffix(".weight")
        if any(matrix in some for some in pairs):
            raise WeightsError(f"{one_line(name, 80)} is changed by a low rank here and as a whole there: no mean")
        changes = [one.tensors[name] for one, names in zip(several, whole, strict=True) if name in names]
        total = np.asarray(np.sum([one.float32() for one in changes], axis=0, dtype=np.float64)) / len(several)
        is_half = all(one.dtype == "F16" for one in changes)
        tensors[name] = total.astype(np.float16 if is_half else np.float32)
    for matrix in sorted(set().union(*pairs)):
        halves = [
            (one.array(f"{matrix}.A"), one.array(f"{matrix}.B") / np.float32(len(several)))
            for one, names in zip(several, pairs, strict=True)
            if matrix in names
        ]
        tensors[f"{matrix}.A"], tensors[f"{matrix}.B"] = _stacked(halves)
    return tensors


def _stacked(halves: Sequence[tuple[NDArray[np.float32], NDArray[np.float32]]]) -> tuple[NDArray[Any], NDArray[Any]]:
    """A (r, in) and B (out, r) whose product is the sum of the products; r at most the smaller side of the matrix."""
    a, b = np.concatenate([one for one, _ in halves]), np.concatenate([other for _, other in halves], axis=1)
    if len(a) <= min(a.shape[1], len(b)):
        return a, b
    left, values, right = np.linalg.svd(b.astype(np.float64) @ a.astype(np.float64), full_matrices=False)
    return right, left * values
