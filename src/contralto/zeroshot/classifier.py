"""From class names to a matrix with a unit embedding per class, and from there to scores by the contract's rule.

A class embedding is the mean of its prompts' unit embeddings, scaled to unit length again (Radford et al. 2021, section
3.1.4). Scoring then costs as much as with one prompt per class. Averaging logits instead would give other results.

`plain_answers` in tests/zeroshot/test_classifier.py is the plain twin of the scoring in blocks.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from contralto import arguments, progress
from contralto.contract import Score
from contralto.embedding_cache import EmbeddingSource
from contralto.embeddings import Embeddings, at_once, probabilities, unit
from contralto.errors import ContraltoError, one_line
from contralto.inputs import texts
from contralto.zeroshot import matrices, prompts

Labels = Iterable[str] | Mapping[str, str | Iterable[str]]
Templates = str | Iterable[str] | None

PROMPTS_STAGE = "encoding the prompts of the labels"
PROMPTS_AT_ONCE = 8192  # bounds memory: 80 templates of 20,000 classes would be 3 GB of embeddings


class TextEncoder(EmbeddingSource, Protocol):
    """The methods of a model that `build` needs; `contralto.encoder.Clip` has them."""

    def expect(self, *, texts: int) -> None: ...

    def encode_text(self, texts: list[str], /, *, overlong: str = ...) -> Embeddings: ...


class Prediction(NamedTuple):
    """A label and its score in [0, 1]."""

    label: str
    score: float


@dataclass(frozen=True)
class Classifier:
    """Labels and their unit embeddings (L, d), computed once for any number of pictures."""

    labels: tuple[str, ...]
    embeddings: Embeddings
    rule: Score

    def __call__(self, images: Embeddings, top: int = 5) -> list[list[Prediction]]:
        """The `top` best labels of each picture embedding (N, d), best first; equal scores keep the order of labels.

        It takes some tens of megabytes in addition to the result, however many pictures there are.
        """
        top = arguments.whole(top, "top")
        width = self.embeddings.shape[1]
        if images.ndim != 2 or images.shape[1] != width:
            raise ContraltoError(f"images must be embeddings (N, {width}), got {images.shape}")
        predictions = []
        for start in range(0, len(images), step := at_once(len(self.labels))):
            scores = probabilities(images[start : start + step] @ self.embeddings.T, self.rule)
            predictions += best(self.labels, scores, top)
        return predictions


def best(labels: Sequence[str], scores: Embeddings, top: int) -> list[list[Prediction]]:
    """The `top` best labels of each row of scores (N, L), best first; equal scores keep the order of labels."""
    return [[Prediction(labels[j], float(row[j])) for j in _largest(row, top)] for row in scores]


def build(encoder: TextEncoder, labels: Labels, templates: Templates = "photo", overlong: str = "error") -> Classifier:
    """The classifier of these labels. Their prompts are encoded now, unless the matrix is in the cache.

    labels: a list of names, or a dict label -> name or names whose embeddings are averaged. templates: as
    `prompts.templates` takes them. overlong: what becomes of prompts longer than the context, as `Clip.encode_text`
    takes it. Raises ContraltoError for no labels or a label without a name; TextError.
    """
    named, chosen = _label_names(labels), prompts.templates(templates)
    groups = [names for _, names in named]

    def compute() -> Embeddings:
        return _mean_embeddings(groups, lambda distinct: _name_embeddings(encoder, distinct, chosen, overlong))

    rule: int | str = AVERAGING_RULE if overlong == "error" else f"{AVERAGING_RULE} {overlong}"
    matrix = matrices.load_or_compute(encoder, groups, chosen, rule, compute)
    return Classifier(tuple(label for label, _ in named), matrix, encoder.contract.score)


def _name_embeddings(encoder: TextEncoder, names: list[str], templates: tuple[str, ...], overlong: str) -> Embeddings:
    """(C, d): the unit embedding of each name, from its prompts.

    Prompts of many names go to the tower together, because they begin alike.
    """
    step, count = max(1, PROMPTS_AT_ONCE // len(templates)), len(names) * len(templates)
    is_much = len(names) > step
    encode = encoder.encode_text if overlong == "error" else functools.partial(encoder.encode_text, overlong=overlong)
    if is_much:
        encoder.expect(texts=count)
    parts = []
    for start in range(0, len(names), step):
        if is_much:
            progress.log_progress(PROMPTS_STAGE, start * len(templates), count)
        groups = [prompts.fill(templates, name) for name in names[start : start + step]]
        parts.append(_mean_embeddings(groups, encode))
    if is_much:
        progress.log_progress(PROMPTS_STAGE, count, count)
    return np.concatenate(parts)


AVERAGING_RULE: Final = 1  # in the cache key; increase it when `_mean_embeddings` changes


def _mean_embeddings(groups: Sequence[Sequence[str]], encode: Callable[[list[str]], Embeddings]) -> Embeddings:
    """(G, d): for each group of texts the mean of their embeddings, scaled to unit length.

    Each distinct text is encoded once.
    """
    index: dict[str, int] = {}
    members = [[index.setdefault(text, len(index)) for text in group] for group in groups]
    encoded = encode(list(index))
    means = np.empty((len(groups), encoded.shape[1]), np.float32)
    sizes = np.array([len(group) for group in groups])
    for size in np.unique(sizes):
        alike = np.flatnonzero(sizes == size)
        for start in range(0, len(alike), step := at_once(size * encoded.shape[1])):
            part = alike[start : start + step]
            stacked = encoded[[members[i] for i in part]]
            means[part] = unit(stacked.mean(axis=1, dtype=np.float64))
    return means


def _largest(scores: Embeddings, top: int) -> NDArray[np.intp]:
    """Indices of the `top` largest of scores (L,), largest first; equal scores in their order, NaN last."""
    negative = -scores
    if top >= len(scores):
        return np.argsort(negative, kind="stable")
    enough = np.flatnonzero(~(negative > np.partition(negative, top - 1)[top - 1]))  # more than top if some are equal
    return enough[np.argsort(negative[enough], kind="stable")[:top]]


def _label_names(labels: Labels) -> list[tuple[str, list[str]]]:
    """(label, its names) in the order given."""
    if isinstance(labels, Mapping):
        pairs = list(labels.items())
    else:
        single, several = texts(labels, "labels")
        if single:
            raise ContraltoError(
                f"labels must be a list of names or a dict, got one string: give [{several[0][:80]!r}]"
            )
        pairs = [(label, label) for label in several]
    if not pairs:
        raise ContraltoError("labels is empty: a classifier needs at least one label")
    return [(label, _checked_names(label, given)) for label, given in pairs]


def _checked_names(label: object, given: object) -> list[str]:
    names = texts(given, "labels and their names")[1]
    if not isinstance(label, str) or not all(isinstance(name, str) for name in names):
        raise ContraltoError(f"labels and their names must be strings, got {arguments.shown(given)}")
    if not names:
        raise ContraltoError(f"label {one_line(label, 80)!r} has no name to average")
    return names
