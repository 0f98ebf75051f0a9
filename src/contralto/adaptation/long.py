"""Texts beyond the context: `long` learns which parts of a text count, from captions; the towers stay frozen.

It is measured on the joined captions of each picture, behind eight sentences that say nothing, against `sentences`.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from contralto.adaptation.forgetting import BEFORE
from contralto.adaptation.roles import RolePart
from contralto.encoder import Clip
from contralto.encoder.pooler_training import fit_pooler, long_texts, parts_of
from contralto.evaluation.adapted import ADAPTED
from contralto.evaluation.long_texts import long_text_outcome
from contralto.evaluation.outcome import Outcome
from contralto.evaluation.session import Session, open_session
from contralto.sets.data_set import DataSet

LONG_CHOICE: Final = "nothing was chosen; before it, the sentences are averaged"
TEXTS_PER_PICTURE: Final = 2


def fit_long(session: Session, fit: RolePart, seed: int) -> dict[str, NDArray[Any]]:
    """The tensors of the pooler, fitted to long texts that are made of the captions to fit."""
    images = session.embed_pictures(fit.data, what="pictures to fit").embeddings
    captions = [item.captions for item in fit.bare]
    texts = [text for draw in range(TEXTS_PER_PICTURE) for text in long_texts(captions, seed=seed + draw)]
    session.progress("texts to fit", 0, len(texts))
    parts = parts_of(session.clip, texts)
    owners = np.tile(np.arange(len(fit)), TEXTS_PER_PICTURE)
    return dict(fit_pooler(parts, images, owners, session.clip.contract.score.scale, seed=seed))


def measure_long(session: Session, data: DataSet, adapted: Clip) -> tuple[Outcome, Outcome]:
    """(sentences averaged, the learned pooler) on the joined captions of the measured pictures."""
    pictures = session.embed_pictures(data, what="pictures to measure")
    before = long_text_outcome(session, data, pictures, "sentences", BEFORE)
    with open_session(adapted, progress=session.progress) as learned:
        after = long_text_outcome(learned, data, pictures, "learned", ADAPTED)
    return before, after
