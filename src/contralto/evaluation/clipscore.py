"""CLIPScore and RefCLIPScore of captions.

Hessel et al. 2021, "CLIPScore: A Reference-free Evaluation Metric for Image Captioning", section 3: CLIPScore is 2.5
max(cos(picture, caption), 0). RefCLIPScore is the harmonic mean of CLIPScore and the largest max(cos(caption, reference
caption), 0). This part has no factor 2.5, in the paper and in the authors' code. (That code has no floor at 0 there;
both agree if a caption has a positive cosine to a reference caption.) Captions and reference captions get the prefix "A
photo depicts ".

Published figures use ViT-B/32 in fp16, whose preparation cuts long captions silently. The cosines of another model
differ, so its scores can be compared with its own only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from contralto.errors import ContraltoError

if TYPE_CHECKING:  # contralto score --help need not wait for the encoder
    from contralto.embeddings import Embeddings
    from contralto.encoder import Clip

WEIGHT: Final = 2.5
PREFIX: Final = "A photo depicts "
PUBLISHED_WITH: Final = "ViT-B-32/openai"


class CaptionScores(NamedTuple):
    """clipscore: float64 (N,) in 0..2.5. refclipscore: float64 (N,), NaN for a caption without reference captions."""

    clipscore: NDArray[np.float64]
    refclipscore: NDArray[np.float64]


def clip_scores(
    clip: Clip,
    pictures: Any,
    texts: Sequence[str],
    references: Sequence[Sequence[str]] | None = None,
    *,
    prefix: str = PREFIX,
    truncate: bool = False,
    overlong: str = "error",
) -> CaptionScores:
    """The scores of N pictures with one caption each; references: any number of reference captions for each.

    pictures: a list, or embeddings (N, d). truncate, overlong: what becomes of texts longer than the context, as
    `Clip.encode_text` takes them. Raises ContraltoError if the lengths disagree; ImageError; TextError, which names the
    text, its tokens and the limit.
    """
    given = [[]] * len(texts) if references is None else [list(some) for some in references]
    images = np.atleast_2d(clip.encode_image(pictures))
    if not len(images) == len(texts) == len(given):
        several = f"{len(images)} pictures, {len(texts)} texts and {len(given)} lists of references"
        raise ContraltoError(f"CLIPScore takes a text, and a list of references, for each picture: got {several}")
    distinct = {text: place for place, text in enumerate(dict.fromkeys([*texts, *(r for some in given for r in some)]))}
    all_texts = [prefixed(text, prefix) for text in distinct]
    embeddings = clip.encode_text(all_texts, truncate=truncate, overlong=overlong)
    captions = embeddings[[distinct[text] for text in texts]]
    return scores_of_embeddings(images, captions, [embeddings[[distinct[text] for text in some]] for some in given])


def prefixed(text: str, prefix: str = PREFIX) -> str:
    """The text that is encoded. A prefix that does not end in a space gets one, as in the authors' code."""
    return f"{prefix}{' ' if prefix and not prefix.endswith(' ') else ''}{text}"


def scores_of_embeddings(images: Embeddings, captions: Embeddings, references: Sequence[Embeddings]) -> CaptionScores:
    """The scores from embeddings: images (N, d), captions (N, d), and the reference captions (R, d) of each caption,
    R >= 0.
    """
    cosines = np.einsum("nd,nd->n", images, captions, dtype=np.float64)
    clipscore = WEIGHT * np.maximum(cosines, 0)
    best = np.array([_best(caption, some) for caption, some in zip(captions, references, strict=True)], np.float64)
    total = clipscore + best
    return CaptionScores(clipscore, 2 * clipscore * best / np.where(total == 0, 1, total))  # NaN stays NaN


def _best(caption: Embeddings, references: Embeddings) -> float:
    """The largest max(cosine, 0) of a caption to its reference captions; NaN if there are none."""
    if not len(references):
        return float("nan")
    return float(np.maximum(references.astype(np.float64) @ caption.astype(np.float64), 0).max())
