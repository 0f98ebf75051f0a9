"""The tensors and settings of each method of adaptation, and their checks.

N: rows that were fitted to. K: classes. d: width of an embedding. w: width of the features, the image tower's output
before its projection. x: a unit embedding. Z = scale * text, with the scale of the base's contract.

    zero-shot               text (K, d): unit rows; logits x Z' (after captions nothing)
    prototypes, prompt      text, prototypes (K, d): unit rows; scale * x prototypes'; of prompt perhaps image.prompts
                            (layers, P, w): vectors that become part of the picture tower, a ViT
    tip, tip-f, kernel      text, keys (N, d): unit rows (not of tip-f), weights (N, K);
                            x Z' + exp(-beta (1 - x keys')) weights
    gaussian                text, weight (K, d), bias (K,); x Z' + x weight' + bias
    probe                   text, weight (K, d or w), mean (d or w,), scale (); s x Z' + ((f - mean) / scale) weight',
                            f by settings.input: the embedding, or the features; s is settings.zero_shot, else 1
    projection, lora, full  M.A (r, in) and M.B (out, r): the matrix M.weight becomes M.weight + B A; or the name of a
                            tensor itself, and what is added to it. M: a native name, as in contralto.weights.names
    adapter                 image.adapter.A (d, h), image.adapter.B (h, d), perhaps text.adapter.A and .B;
                            settings.ratio r: unit((1 - r) x + r relu(relu(x A) B))
    long                    pooler.*: weighs the parts of a long text

settings.temperature T, where stated: the scores of a classifier are softmax(logits / T).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

import numpy as np

from contralto.errors import WeightsError, one_line
from contralto.weights.checkpoint import StoredTensor

MAX_TENSORS: Final = 20_000  # the largest models have less than 3,000
LARGEST_BETA: Final = 1e6
TEMPERATURES: Final = (1e-6, 1e6)
UNIT_BOUND: Final = 1e-3  # of a stored unit row's length

# The shape of each tensor of a classifier, in letters: a letter has one value in a file, K is the number of classes.
_TEXT = {"text": "Kd"}
_KEYS = _TEXT | {"keys": "Nd", "weights": "NK"}
CLASSIFIER_TENSORS: Final[dict[str, dict[str, str]]] = {
    "zero-shot": _TEXT,
    "prototypes": _TEXT | {"prototypes": "Kd"},
    "prompt": _TEXT | {"prototypes": "Kd"},
    "tip": _KEYS,
    "tip-f": _KEYS,
    "kernel": _KEYS,
    "gaussian": _TEXT | {"weight": "Kd", "bias": "K"},
    "probe": _TEXT | {"weight": "Kw", "mean": "w", "scale": ""},
}
ADAPTER_TENSORS: Final = {
    "image": {"image.adapter.A": "dh", "image.adapter.B": "hd"},
    "text": {"text.adapter.A": "dg", "text.adapter.B": "gd"},
}
PICTURE_PROMPTS: Final = "image.prompts"
UNIT_ROWS: Final = ("text", "prototypes", "keys")
INPUTS: Final = ("embeddings", "features")
LOW_RANK: Final = (".A", ".B")
TOWERS: Final = ("image.", "text.")


def check_settings(method: str, settings: Mapping[str, Any], where: str) -> None:
    """Raises WeightsError unless the settings that the method is computed with are there, and of the right kind."""
    if "temperature" in settings:
        _check_float(settings, "temperature", *TEMPERATURES, where)
    if method in ("tip", "tip-f", "kernel"):
        _check_float(settings, "beta", 0, LARGEST_BETA, where)
    if method == "adapter":
        _check_float(settings, "ratio", 0, 1, where)
    if method == "probe" and "zero_shot" in settings:
        _check_float(settings, "zero_shot", 0, 1, where)
    if method == "probe" and settings.get("input") not in INPUTS:
        raise WeightsError(f"{where}: settings.input must be one of {', '.join(INPUTS)}")


def _check_float(settings: Mapping[str, Any], name: str, low: float, high: float, where: str) -> None:
    value = settings.get(name)
    if type(value) is not float or not low <= value <= high:  # also refuses NaN
        given = one_line(repr(value), 40)
        raise WeightsError(f"{where}: settings.{name} must be a float from {low:g} to {high:g}, got {given}")


def check_stored(
    method: str, classes: Collection[object] | None, tensors: Mapping[str, StoredTensor], where: str
) -> None:
    """Raises WeightsError, one line, unless these are exactly the tensors of the method.

    Their shapes must agree with each other and with the number of classes, and every number must be finite. Whether
    they fit a base is the matter of `contralto.encoder.adapted`.
    """
    if method == "zero-shot" and classes is None and not tensors:
        return  # the base itself was best at captions
    if not 0 < len(tensors) <= MAX_TENSORS:
        raise WeightsError(f"{where} holds {len(tensors)} tensors, where 1 to {MAX_TENSORS} are expected")
    for name, stored in tensors.items():
        if stored.dtype not in ("F32", "F16"):
            raise WeightsError(f"{where}: {_shown(name)} is stored as {stored.dtype}, not as F32 or F16")
        if not stored.array.size:
            raise WeightsError(f"{where}: {_shown(name)} is empty")
    if method in CLASSIFIER_TENSORS:
        added = {PICTURE_PROMPTS: "LPw"} if method == "prompt" and PICTURE_PROMPTS in tensors else {}
        _check_shapes(CLASSIFIER_TENSORS[method] | added, {"K": len(classes or ())}, tensors, where)
    elif method == "adapter":
        on_texts = any(name.startswith("text.") for name in tensors)
        _check_shapes(ADAPTER_TENSORS["image"] | (ADAPTER_TENSORS["text"] if on_texts else {}), {}, tensors, where)
    elif method == "long":
        _check_names([name for name in tensors if not name.startswith("pooler.")], "pooler.*", where)
    else:
        _check_changes(tensors, where)
    for name, stored in tensors.items():
        if not np.isfinite(stored.array).all():
            raise WeightsError(f"{where}: {_shown(name)} holds numbers that are not finite")
    if method in CLASSIFIER_TENSORS:
        _check_values(tensors, UNIT_ROWS if method != "tip-f" else UNIT_ROWS[:-1], where)  # tip-f trains its keys


def low_rank_names(names: Collection[str]) -> list[str]:
    """The M of each pair M.A, M.B among the names of a file."""
    return [name.removesuffix(LOW_RANK[0]) for name in names if name.endswith(LOW_RANK[0])]


def _check_shapes(
    layout: Mapping[str, str], sizes: dict[str, int], tensors: Mapping[str, StoredTensor], where: str
) -> None:
    """sizes: the letters that are known; the first tensor with another letter decides it."""
    _check_names([name for name in tensors if name not in layout], ", ".join(layout), where)
    for name, letters in layout.items():
        if name not in tensors:
            raise WeightsError(f"{where} lacks {_shown(name)}")
        shape = tensors[name].shape
        wanted = tuple(sizes.setdefault(letter, length) for letter, length in zip(letters, shape, strict=False))
        if len(shape) != len(letters) or shape != wanted:
            known = ", ".join(str(sizes.get(letter, letter)) for letter in letters)
            raise WeightsError(f"{where}: {_shown(name)} has shape {shape}, not ({known})")


def _check_changes(tensors: Mapping[str, StoredTensor], where: str) -> None:
    """Pairs of one rank, or whole tensors; only of the towers, as the scale of the scores is the contract's."""
    _check_names([name for name in tensors if not name.startswith(TOWERS)], "image.* and text.*", where)
    for name in tensors:
        if not name.endswith(LOW_RANK):
            continue
        matrix = name[:-2]
        a, b = (tensors.get(matrix + suffix) for suffix in LOW_RANK)
        if a is None or b is None:
            raise WeightsError(f"{where}: {_shown(name)} lacks its other half")
        if len(a.shape) != 2 or len(b.shape) != 2 or a.shape[0] != b.shape[1]:
            raise WeightsError(f"{where}: {_shown(matrix)} has A {a.shape} and B {b.shape}, not (r, in) and (out, r)")
        if f"{matrix}.weight" in tensors:
            raise WeightsError(f"{where}: {_shown(matrix)} is changed twice")


def _check_values(tensors: Mapping[str, StoredTensor], units: Sequence[str], where: str) -> None:
    for name in units:
        if name not in tensors:
            continue
        lengths = np.linalg.norm(tensors[name].array.astype(np.float64), axis=1)
        if not np.abs(lengths - 1).max() <= UNIT_BOUND:
            raise WeightsError(f"{where}: {_shown(name)} has rows that are not of unit length")
    if "scale" in tensors and not float(tensors["scale"].array) > 0:
        raise WeightsError(f"{where}: 'scale' must be above 0")


def _check_names(wrong: Sequence[str], known: str, where: str) -> None:
    if wrong:
        more = f" and {len(wrong) - 4} more" if len(wrong) > 4 else ""
        names = ", ".join(_shown(name) for name in wrong[:4])
        raise WeightsError(f"{where}: {names}{more}: this method has {known}")


def _shown(name: str) -> str:
    return repr(one_line(name, 80))
