"""Checks that a loaded model is what its contract says, each with a result in words."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from contralto.embeddings import Embeddings, unit
from contralto.encoder import golden
from contralto.encoder.clip import Clip
from contralto.engine import start
from contralto.errors import ContraltoError, MissingExtraError
from contralto.weights.checkpoint import digest

ENGINES_BOUND = 1e-4  # between embeddings of two float32 engines, which add in another order


@dataclass(frozen=True)
class Check:
    """The result of one check, with details in words."""

    name: str
    ok: bool
    detail: str


def examine(clip: Clip) -> Iterator[Check]:
    """Runs all checks on a loaded model, the cheapest first; a failure does not stop the others. Reads all weights."""
    for name, check in CHECKS.items():
        try:
            yield Check(name, True, check(clip))
        except ContraltoError as error:
            yield Check(name, False, str(error))


def _files(clip: Clip) -> str:
    """The files have the sha256 that the contract states; of an adapted model, those of its base."""
    unchanged = clip.base or clip  # loading an adaptation has checked its own file
    weights, files = unchanged.contract.weights, unchanged.checkpoint.files
    actual = digest(files)
    stated = weights.sha256 if weights else None
    if stated != actual:
        raise ContraltoError(f"{files[0]} has sha256 {actual}, the contract states {stated}")
    names = files[0].name if len(files) == 1 else f"{len(files)} files"
    return f"{names}, {sum(path.stat().st_size for path in files) / 1e6:,.1f} MB, sha256 {actual[:16]}…"


def _tensors(clip: Clip) -> str:
    """Loading has checked every name and shape; this counts the stored dtypes."""
    stored = [clip.checkpoint.stored(name).dtype for name in clip.checkpoint]
    kinds = ", ".join(f"{stored.count(kind)} in {kind}" for kind in sorted(set(stored), key=stored.count, reverse=True))
    return f"{len(stored)} tensors, none missing, extra or misshapen: {kinds}"


def _finite(clip: Clip) -> str:
    largest, where = 0.0, ""
    for name in clip.checkpoint:
        values = clip.checkpoint.array(name)
        if not np.isfinite(values).all():
            raise ContraltoError(f"tensor {name!r} holds numbers that are not finite")
        if (magnitude := float(np.abs(values).max(initial=0))) > largest:
            largest, where = magnitude, name
    return f"every number is finite; the largest is {largest:.3g}, in {where}"


def _implied(clip: Clip) -> str:
    """The provenance states everything that was not in the file."""
    return clip.contract.provenance.converted_from or "the contract states everything"


def _scale(clip: Clip) -> str:
    """The contract has the scale and bias of the weights."""
    score, checkpoint = clip.contract.score, clip.checkpoint
    pairs = [("scale", math.exp(float(checkpoint.array("logit_scale"))), score.scale)]
    if "logit_bias" in checkpoint:
        pairs.append(("bias", float(checkpoint.array("logit_bias")), score.bias or 0.0))
    for what, actual, stated in pairs:
        if not math.isclose(actual, stated, rel_tol=1e-4):
            raise ContraltoError(f"the weights' {what} is {actual:g}, the contract states {stated:g}")
    bias = "" if score.bias is None else f", bias {score.bias:g}"
    return f"{score.rule}, scale {score.scale:g}{bias}, as in the weights"


def _tokenizer(clip: Clip) -> str:
    """The ids fit the text tower, and the end token is where the tower expects it."""
    spec = clip.contract.text
    ids = clip.tokenize(golden.GOLDEN_TEXTS, truncate=True)
    if ids.shape[1] != spec.context or ids.min() < 0 or ids.max() >= spec.tower.vocabulary:
        raise ContraltoError(f"ids up to {ids.max()} in rows of {ids.shape[1]} do not fit the text tower")
    if spec.pool == "eot":
        ends = {int(row[row.argmax()]) for row in ids}
        if len(ends) > 1:
            raise ContraltoError(f"the largest id differs from text to text ({sorted(ends)}): it is no end token")
    return (
        f"{spec.tokenizer.kind}, {spec.context} tokens, padded with {spec.pad}, pooled by {spec.pool}: fits the tower"
    )


def _pictures(clip: Clip) -> str:
    return _spread(golden.picture_rows(clip), "pictures")


def _texts(clip: Clip) -> str:
    return _spread(clip.encode_text(["a photo of a cat", "two red circles"]), "texts")


def _spread(embeddings: Embeddings, what: str) -> str:
    """Embeddings must be finite, of unit length, and not all equal."""
    lengths = np.linalg.norm(embeddings, axis=1)
    if not np.isfinite(embeddings).all() or np.abs(lengths - 1).max() > 1e-5:
        raise ContraltoError(f"embeddings of {what} are not finite or not of unit length")
    cosines = (embeddings @ embeddings.T)[~np.eye(len(embeddings), dtype=bool)]
    if cosines.min() > 0.99999:
        raise ContraltoError(f"different {what} have the same embedding: the weights or the preprocessing are wrong")
    return f"unit embeddings; cosines between different {what} {cosines.min():.2f} to {cosines.max():.2f}"


def _golden(clip: Clip) -> str:
    result = golden.check(clip.base or clip, clip.checkpoint.folder)
    return result or "no golden embeddings next to the weights: contralto convert stores them"


def _engines(clip: Clip) -> str:
    """The readable PyTorch model gives the same embeddings, if PyTorch is installed."""
    try:
        readable = start(clip.checkpoint, engine="eager")
    except MissingExtraError:
        return "PyTorch is not installed: not compared with the readable model"
    pixels, ids = clip.preprocess(golden.pictures()), golden.text_ids(clip)
    here = start(clip.checkpoint, engine=clip.engine)
    if clip.contract.detector is None:
        pairs = [(here.image(pixels), readable.image(pixels))]
    else:
        pairs = [(here.grid(pixels).mean(axis=1), readable.grid(pixels).mean(axis=1))]
    pairs.append((here.text(ids), readable.text(ids)))
    apart = max(float(np.abs(unit(ours) - unit(theirs)).max()) for ours, theirs in pairs)
    if not apart <= ENGINES_BOUND:
        raise ContraltoError(f"{clip.engine} is {apart:.1e} off the readable PyTorch model (bound {ENGINES_BOUND:.0e})")
    return f"{clip.engine} in fp32 within {apart:.1e} of the readable PyTorch model"


CHECKS: dict[str, Callable[[Clip], str]] = {
    "files": _files,
    "tensors": _tensors,
    "finite": _finite,
    "implied": _implied,
    "scale": _scale,
    "tokenizer": _tokenizer,
    "pictures": _pictures,
    "texts": _texts,
    "self-test": _golden,
    "engines": _engines,
}
