"""Golden embeddings: a model's output for drawn pictures and fixed texts at the time of its conversion.

They are stored with the weights in `golden.safetensors`. `contralto doctor` uses them to prove that the model still
gives the same embeddings on another machine, with another engine or in a later version.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from contralto.embeddings import unit
from contralto.encoder.clip import Clip
from contralto.errors import WeightsError
from contralto.files import write_error_text, written_whole
from contralto.weights.tensorfile import TensorFile, write_tensors

GOLDEN_FILE = "golden.safetensors"
GOLDEN_TEXTS = ("a photo of a cat", "two red circles above a blue square", "", "It's 12.5% café & <b>日本語</b> 😀")
# (height, width): a wide picture, the usual input of a tower, and a tall picture.
GOLDEN_SHAPES = ((96, 128), (224, 224), (333, 200))

# Two float32 engines differ because they add in another order. A lower precision is checked by the cosine instead.
FP32_BOUND, HALF_COSINE = 1e-4, 0.999


def write(clip: Clip, folder: Path) -> None:
    """Computes the golden embeddings with `clip`, preferably fp32, and writes them to `folder`. Raises WeightsError."""
    ids, images, texts = _computed(clip)
    weights = clip.contract.weights
    stated = {"weights": weights.sha256 if weights else "", "engine": f"{clip.engine}, {clip.precision}"}
    try:
        with written_whole(folder / GOLDEN_FILE) as file:
            write_tensors(file, {"ids": ("I64", ids), "image": ("F32", images), "text": ("F32", texts)}, stated)
    except OSError as error:
        raise WeightsError(write_error_text(folder, error)) from error


def check(clip: Clip, folder: Path) -> str | None:
    """Compares `clip` with the golden embeddings in `folder`: the result in words, or None if there are none.

    Raises WeightsError if they belong to other weights, or if `clip` gives other embeddings.
    """
    path = folder / GOLDEN_FILE
    if not path.is_file():
        return None
    file, weights = TensorFile(path), clip.contract.weights
    if weights is None or file.metadata.get("weights") != weights.sha256:
        raise WeightsError(f"{path} is of other weights")
    ids, images, texts = _computed(clip)
    for name, array in (("ids", ids), ("image", images), ("text", texts)):
        if name not in file.tensors or file.tensors[name].shape != array.shape:
            raise WeightsError(f"{path}: {name!r} is missing or has another shape")
    if not np.array_equal(file.raw("ids"), ids):
        raise WeightsError(f"{path}: the tokenizer gives other ids than when the model was converted")
    pairs = ((file.float32("image"), images), (file.float32("text"), texts))
    apart = max(float(np.abs(stored - computed).max()) for stored, computed in pairs)
    cosine = min(float((stored * computed).sum(axis=1).min()) for stored, computed in pairs)
    if not (apart <= FP32_BOUND or (clip.precision != "fp32" and cosine >= HALF_COSINE)):
        raise WeightsError(f"{path}: embeddings differ by {apart:.1e} from the conversion's (bound {FP32_BOUND:.0e})")
    return f"ids equal, embeddings within {apart:.1e} of {file.metadata.get('engine', 'an unnamed engine')}"


def pictures() -> list[NDArray[np.uint8]]:
    """Three drawn pictures, uint8 (h, w, 3): ramps, a disc and a fine chequer, which every resize changes."""
    drawn = []
    for height, width in GOLDEN_SHAPES:
        y, x = np.mgrid[:height, :width]
        disc = (2 * y - height) ** 2 + (2 * x - width) ** 2 < (min(height, width) // 2) ** 2
        red, green, blue = x * 255 // width, y * 255 // height, (x // 3 + y // 5) % 2 * 200
        drawn.append(np.stack([np.where(disc, 230, red), np.where(disc, 40, green), blue], axis=-1).astype(np.uint8))
    return drawn


def picture_rows(clip: Clip) -> NDArray[np.float32]:
    """Unit rows (3, d) of the drawn pictures: their embeddings; of a detector, the means of what its heads say."""
    if clip.contract.detector is None:
        return clip.encode_image(pictures())
    return unit(clip.grids.of(clip.preprocess(pictures())).mean(axis=1))


def text_ids(clip: Clip) -> NDArray[np.int64]:
    """The ids (N, context) of the fixed texts; in a small context the longest is cut."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the cut
        return clip.tokenize(GOLDEN_TEXTS, truncate=True)


def _computed(clip: Clip) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.float32]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # truncation to a small context is expected
        texts = clip.encode_text(list(GOLDEN_TEXTS), truncate=True)
    return text_ids(clip), picture_rows(clip), texts
