"""Explanations without a model: a picture of one bright corner, and words of known effects."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from contralto.apply.explain import Explanation, WordEffect
from contralto.errors import ImageError
from contralto.image.decode import decode


def explain_texts(clip: Any, item: Any, texts: Sequence[str], **options: Any) -> list[Explanation]:
    """One for each text."""
    return [explain(clip, item, text, **options) for text in texts]


def explain(
    clip: Any, item: Any, text: str, *, method: str = "auto", against: str | None = None, check: bool = False
) -> Explanation:
    """The upper left speaks for the text; the last word counts most. Only the middle of a wide picture was seen."""
    if isinstance(item, str | os.PathLike) and "broken" in os.path.basename(item):
        raise ImageError(os.fspath(item), "is broken")
    width, height = decode(item).size
    margin = max(0, (width - height) / 2)
    area = (margin, 0.0, width - margin, float(height))
    grid = np.array([[0.3, -0.1], [-0.1, -0.1]], np.float32) * (0 if text == "nothing" else 1)
    words = text.split()
    effects = [WordEffect(word, 0.01 * place - 0.01 if len(words) > 1 else None) for place, word in enumerate(words)]
    return Explanation(grid, area, area, (width, height), 0.25, "cells", effects, 0.7 if check else None)
