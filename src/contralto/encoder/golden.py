"""Golden embeddings: what a model gave for drawn pictures and fixed texts when it was converted.

They lie beside the weights in `golden.safetensors`. Whoever loads the model later, on another machine, with another
engine or a later version, can prove that it still gives the same: `contralto doctor` does.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from contralto.encoder.clip import Clip
from contralto.errors import WeightsError
from contralto.files import write_error_text, written_whole
from contralto.weights.tensorfile import TensorFile, write_tensors

FILE_NAME = "golden.safetensors"
TEXTS = ("a photo of a cat", "two red circles above a blue square", "", "It's 12.5% café & <b>日本語</b> 😀")
SHAPES = ((96, 128), (224, 224), (333, 200))  # (height, width): wide, as most towers take them, tall

# Rows of two float32 engines differ by the order of their sums; a lower precision is held to the cosine instead.
BOUND, COSINE = 1e-4, 0.999


def write(clip: Clip, folder: Path) -> None:
    """Computes the golden embeddings with `clip`, best in fp32, and puts them into `folder`. Raises WeightsError."""
    ids, images, texts = _computed(clip)
    weights = clip.contract.weights
    stated = {"weights": weights.sha256 if weights else "", "engine": f"{clip.engine}, {clip.precision}"}
    try:
        with written_whole(folder / FILE_NAME) as file:
            write_tensors(file, {"ids": ("I64", ids), "image": ("F32", images), "text": ("F32", texts)}, stated)
    except OSError as error:
        raise WeightsError(write_error_text(folder, error)) from error


def check(clip: Clip, folder: Path) -> str | None:
    """What a comparison with the golden embeddings in `folder` found, in words; None if there are none.

    Raises WeightsError if they are of other weights, or if `clip` does not give them.
    """
    path = folder / FILE_NAME
    if not path.is_file():
        return None
    file, weights = TensorFile(path), clip.contract.weights
    if weights is None or file.metadata.get("weights") != weights.sha256:
        raise WeightsError(f"{path} is of other weights")
    ids, images, texts = _computed(clip)
    for name, wanted in (("ids", ids), ("image", images), ("text", texts)):
        if name not in file.tensors or file.tensors[name].shape != wanted.shape:
            raise WeightsError(f"{path}: {name!r} is missing or has another shape")
    if not np.array_equal(file.raw("ids"), ids):
        raise WeightsError(f"{path}: the tokenizer gives other ids than when the model was converted")
    stored, found = np.concatenate([file.float32("image"), file.float32("text")]), np.concatenate([images, texts])
    apart, close = float(np.abs(stored - found).max()), float((stored * found).sum(axis=1).min())
    if not (apart <= BOUND or (clip.precision != "fp32" and close >= COSINE)):
        raise WeightsError(f"{path}: rows differ by {apart:.1e} from those of the conversion (bound {BOUND:.0e})")
    return f"ids equal, rows within {apart:.1e} of those by {file.metadata.get('engine', 'an engine not named')}"


def pictures() -> list[NDArray[np.uint8]]:
    """Three drawn pictures, uint8 (h, w, 3): ramps, a disc and a fine chequer, so that a resize leaves its mark."""
    drawn = []
    for height, width in SHAPES:
        y, x = np.mgrid[:height, :width]
        disc = (2 * y - height) ** 2 + (2 * x - width) ** 2 < (min(height, width) // 2) ** 2
        red, green, blue = x * 255 // width, y * 255 // height, (x // 3 + y // 5) % 2 * 200
        drawn.append(np.stack([np.where(disc, 230, red), np.where(disc, 40, green), blue], axis=-1).astype(np.uint8))
    return drawn


def _computed(clip: Clip) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.float32]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a text is cut to a small context is no news here
        texts = clip.encode_text(list(TEXTS), truncate=True)
    return clip.tokenize(TEXTS, truncate=True), clip.encode_image(pictures()), texts
