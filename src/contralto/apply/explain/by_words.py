"""What each word of a text adds to the cosine: the text is encoded again without it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from contralto.apply.explain.explanation import WordEffect

if TYPE_CHECKING:
    from contralto.encoder import Clip


def effects(clip: Clip, text: str, picture: NDArray[np.float64], cosine: float) -> list[WordEffect]:
    """The words of the text, parted by white space, with cosine - (cosine of the text without the word).

    picture: its unit embedding (d,). All shorter texts go through the tower in one call. A text of a single word has no
    shorter text, and its effect is None: the embedding of an empty text means nothing.
    """
    words = text.split()
    if len(words) < 2:
        return [WordEffect(word, None) for word in words]
    shorter = [" ".join(words[:place] + words[place + 1 :]) for place in range(len(words))]
    cosines = clip.encode_text(shorter).astype(np.float64) @ picture
    return [WordEffect(word, cosine - float(without)) for word, without in zip(words, cosines, strict=True)]
