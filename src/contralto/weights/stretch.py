"""Learned positions of a text tower stretched to a longer context by Long-CLIP's rule (Zhang et al. 2024).

The first 20 positions are kept, because they are trained well; each interval between later ones gets three new
positions, evenly spaced, and the last interval is continued by one of its length. So L positions become 4 L - 60: 77
become 248. A text of at most 20 tokens keeps its embedding. Without further training, the rest of a long text is read
less well than the beginning; `contralto evaluate SET --check long` measures it.

Only where a text's embedding does not depend on the padding after it can the context grow like this: under a causal
mask, and in BERT, which masks padding. tests/weights/test_stretch.py has the published rule, row by row.
"""

from __future__ import annotations

import dataclasses
from typing import Final

import numpy as np
from numpy.typing import NDArray

from contralto.architecture import Bert
from contralto.errors import ContraltoError
from contralto.weights.checkpoint import SCALE, Checkpoint, StoredTensor

POSITIONS: Final = "text.positions"
KEPT: Final = 20  # positions at the beginning that stay
RATIO: Final = 4  # positions for each later one


def stretched(checkpoint: Checkpoint, context: int) -> Checkpoint:
    """The checkpoint for texts of `context` tokens: positions stretched, in float32; other tensors unchanged.

    The new contract states the context and the stretch. Raises ContraltoError for a tower whose positions cannot be
    stretched, and for another context than 4 L - 60, naming that one.
    """
    before = checkpoint.contract
    text, cannot = before.text, f"{before.name} cannot be stretched to {context} tokens"
    if not text.trims:
        raise ContraltoError(f"{cannot}: its text tower reads the padding, so every embedding would change")
    if isinstance(text.tower, Bert) and text.tower.positions > text.context:
        raise ContraltoError(f"{cannot}: its table has {text.tower.positions} positions, more than the context already")
    if text.context <= KEPT + 1:
        raise ContraltoError(f"{cannot}: it has {text.context} positions, and the first {KEPT} are kept")
    if context != (right := RATIO * text.context - (RATIO - 1) * KEPT):
        raise ContraltoError(f"{cannot}: its {text.context} positions become {right}, give that length")
    tensors = {name: stored for name, stored in checkpoint.tensors.items() if name != POSITIONS + SCALE}
    tensors[POSITIONS] = StoredTensor("F32", stretch(checkpoint.array(POSITIONS)))
    change = f"text positions stretched from {text.context} to {context}, the first {KEPT} kept"
    history = "; ".join(part for part in (before.provenance.converted_from, change) if part)
    contract = before.replace(
        text=dataclasses.replace(text, context=context),
        provenance=dataclasses.replace(before.provenance, converted_from=history),
    )
    return Checkpoint(contract, tensors, checkpoint.files)


def stretch(positions: NDArray[np.float32]) -> NDArray[np.float32]:
    """Positions (L, width), L above 21 -> (4 L - 60, width), computed in float64."""
    later = positions[KEPT:].astype(np.float64)
    steps = np.diff(later, axis=0)
    steps = np.concatenate([steps, steps[-1:]])  # the last interval is continued
    parts = np.arange(RATIO)[:, None] / RATIO
    between = later[:, None] + parts * steps[:, None]  # (L - 20, 4, width)
    return np.concatenate([positions[:KEPT], between.reshape(-1, positions.shape[1]).astype(np.float32)])
