"""Fits a `LearnedPooler` to long texts and their pictures, in NumPy, with both towers frozen.

The loss is symmetric InfoNCE over the texts of a batch and their pictures, at the model's own scale. Texts of one
picture are not each other's negatives. Only the weights of the parts are learned: d + 3 numbers. Training starts at
zero, where the pooler is `pool_sentences`, so it never begins worse than that.

Captions are short. `long_texts` joins those of a picture and puts sentences that say nothing before or after them, so
that the pooler learns to tell what a picture could show from the rest, wherever it stands.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from contralto import arguments
from contralto.embeddings import Embeddings
from contralto.encoder.pooler import LENGTH, PLACE, QUERY, Floats, part_features
from contralto.errors import ContraltoError
from contralto.probe.adamw import AdamW
from contralto.text import tokenizer as tokenizers
from contralto.text.parts import sentence_parts

if TYPE_CHECKING:
    from contralto.encoder.clip import Clip

BATCH: Final = 256  # texts
STEPS: Final = 300
RATE, DECAY = 0.05, 0.01  # of AdamW: the rate falls to 0 as a cosine does
MOMENTA: Final = (0.9, 0.98)
MAX_SENTENCES: Final = 10  # that say nothing, of one text
SENTENCES: Final = (
    "Thank you for your interest, and please note that the terms of use apply as usual.",
    "All rights are reserved by their respective owners unless stated otherwise.",
    "Prices and dates may change at any time without further notice.",
    "Please contact the support team if you have any questions.",
    "We do not guarantee that everything is complete or correct.",
    "By continuing you agree to the policy in its current version.",
    "More information is available on request during the usual hours.",
    "The remaining text was added later and is given here without any changes.",
    "Earlier versions of this page differed only in their spelling.",
    "Readers who are in a hurry can safely skip this introduction.",
    "Nobody has been asked whether these remarks are of any use.",
    "Questions about them will be answered within a week or two.",
    "This text begins with some general remarks that have no bearing on what comes later.",
    "They are only here because every text has to start somewhere.",
    "Nothing in them is meant to be important or even interesting.",
    "It would make no difference at all if they were left out.",
    "Some things are the same as before, and some are not.",
    "Most rules have exceptions, and most exceptions have rules of their own.",
    "Opinions differ about this, as they do about many other matters.",
    "The list is sorted by name and was last updated in the spring.",
    "A summary of the main points can be sent by mail.",
    "Please do not reply to this message, because nobody reads the answers.",
    "I have meant to write this down for a long time.",
    "Last but not least, I would like to thank everybody who helped.",
)
"""Sentences that say nothing about any picture; none of them stands in `contralto evaluate --check long`."""


class TextParts(NamedTuple):
    """The parts of one text, in its order: unit rows float32 (P, d) and content tokens int64 (P,)."""

    rows: Embeddings
    tokens: NDArray[np.int64]


def long_texts(captions: Sequence[Sequence[str]], *, seed: int = 0) -> list[str]:
    """One text for each picture: its captions in a random order, and 0 to 10 sentences that say nothing.

    The sentences stand before the captions (half of the texts), after them, or on both sides (a quarter each).
    """
    random = np.random.default_rng(arguments.whole(seed, "seed", 0))
    texts = []
    for several in captions:
        own = [several[i].strip() for i in random.permutation(len(several))]
        count = int(random.integers(0, MAX_SENTENCES + 1))
        others = [SENTENCES[i] for i in random.choice(len(SENTENCES), count, replace=False)]
        where, inside = random.random(), int(random.integers(0, count + 1))
        before = count if where < 0.5 else 0 if where < 0.75 else inside
        texts.append(" ".join([*others[:before], *own, *others[before:]]))
    return texts


def parts_of(clip: Clip, texts: Sequence[str]) -> list[TextParts]:
    """The parts of each text that `overlong="sentences"` makes, encoded; of a text that fits, one. Raises TextError."""
    words = tokenizers.load(clip.contract.text, clip.checkpoint.folder)
    several = [sentence_parts(text, words) for text in texts]
    place = {piece: i for i, piece in enumerate(dict.fromkeys(part.text for parts in several for part in parts))}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a word that alone is too long is cut
        rows = clip.encode_text(list(place), truncate=True)
    return [
        TextParts(rows[[place[part.text] for part in parts]], np.array([part.tokens for part in parts], np.int64))
        for parts in several
    ]


def fit_pooler(
    parts: Sequence[TextParts],
    pictures: Embeddings,
    owners: NDArray[np.int64],
    scale: float,
    *,
    seed: int = 0,
    steps: int = STEPS,
) -> dict[str, NDArray[np.float32]]:
    """The tensors of a `LearnedPooler`, float32.

    parts: those of T texts. pictures: unit rows (M, d). owners (T,): the picture of each text. scale: the contract's
    `score.scale`. steps: batches of at most 256 texts.

    The same seed gives the same tensors. Raises ContraltoError for arrays that do not fit each other.
    """
    if not parts or len(parts) != len(owners) or not ((owners >= 0) & (owners < len(pictures))).all():
        sizes = f"{len(parts)} texts, {len(owners)} owners and {len(pictures)} pictures"
        raise ContraltoError(f"a pooler is fitted to texts and the picture of each, got {sizes}")
    arguments.whole(steps, "steps")
    random = np.random.default_rng(arguments.whole(seed, "seed", 0))
    parameters = np.zeros(pictures.shape[1] + 3)
    optimiser = AdamW([parameters], RATE, steps, DECAY, momenta=MOMENTA)
    for chosen in itertools.islice(_batches(len(parts), random), steps):
        batch = PooledBatch([parts[i] for i in chosen], pictures[owners[chosen]], owners[chosen], scale)
        optimiser.step(batch.loss(parameters)[1])
    fitted = parameters.astype(np.float32)
    return {QUERY: fitted[:-3], PLACE: fitted[-3:-1], LENGTH: np.array(fitted[-1])}


def _batches(count: int, random: np.random.Generator) -> Iterator[NDArray[np.intp]]:
    """Batches of the indices below `count`, without end: each index once, then all in another order."""
    while True:
        order = random.permutation(count)
        yield from (order[start : start + BATCH] for start in range(0, count, BATCH))


class PooledBatch:
    """B texts with their pictures (B, d), for the loss as a function of the parameters: query, place, length."""

    def __init__(self, parts: Sequence[TextParts], pictures: Embeddings, owners: NDArray[np.int64], scale: float):
        most, width = max(len(one.tokens) for one in parts), pictures.shape[1]
        self._rows = np.zeros((len(parts), most, width))
        self._features = np.zeros((len(parts), most, 3))  # places, then lengths
        self._missing = np.ones((len(parts), most), bool)
        for i, (rows, tokens) in enumerate(parts):
            places, lengths = part_features(tokens)
            known = np.isfinite(lengths)
            self._rows[i, : len(tokens)] = rows
            self._features[i, : len(tokens)] = np.column_stack([places, np.where(known, lengths, 0)])
            self._missing[i, : len(tokens)] = ~known & known.any()
        self._pictures, self._scale = pictures.astype(np.float64), scale
        self._same = (owners[:, None] == owners) & ~np.eye(len(owners), dtype=bool)

    def loss(self, parameters: Floats) -> tuple[float, Floats]:
        """The loss, and its gradient (d + 3,)."""
        logits = self._rows @ parameters[:-3] + self._features @ parameters[-3:] + self._features[..., 2]
        weights = _softmax(np.where(self._missing, -np.inf, logits), axis=1)  # (B, P)
        summed = np.einsum("bp,bpd->bd", weights, self._rows)
        length = np.linalg.norm(summed, axis=1, keepdims=True)
        texts = summed / length
        loss, of_texts = self._infonce(texts)
        of_summed = (of_texts - texts * (texts * of_texts).sum(axis=1, keepdims=True)) / length
        of_weights = np.einsum("bpd,bd->bp", self._rows, of_summed)
        of_logits = weights * (of_weights - (weights * of_weights).sum(axis=1, keepdims=True))
        of_query = np.einsum("bp,bpd->d", of_logits, self._rows)
        return loss, np.concatenate([of_query, np.einsum("bp,bpf->f", of_logits, self._features)])

    def _infonce(self, texts: Floats) -> tuple[float, Floats]:
        """The loss of unit texts (B, d), and its gradient by them."""
        count, own = len(texts), np.arange(len(texts))
        logits = np.where(self._same, -np.inf, self._scale * (texts @ self._pictures.T))
        by_text, by_picture = _softmax(logits, axis=1), _softmax(logits, axis=0)
        loss = -(np.log(by_text[own, own]) + np.log(by_picture[own, own])).sum() / (2 * count)
        of_logits = (by_text + by_picture) / (2 * count)
        of_logits[own, own] -= 1 / count
        return float(loss), self._scale * (of_logits @ self._pictures)


def _softmax(logits: Floats, axis: int) -> Floats:
    powers = np.exp(logits - logits.max(axis=axis, keepdims=True))
    scaled: Floats = powers / powers.sum(axis=axis, keepdims=True)
    return scaled
