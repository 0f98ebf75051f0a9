"""Class names -> a matrix with a unit row a class -> scores of pictures, by the contract's rule.

A class is the mean of its prompts' unit rows, scaled to unit length again (Radford et al. 2021, section 3.1.4): as
costly as one prompt once the rows are there. Logits would be another thing to average, and are not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from contralto import arguments, progress
from contralto.contract import Score
from contralto.embeddings import Embeddings, at_once, probabilities, unit
from contralto.encoder import Clip
from contralto.encoder.items import texts
from contralto.encoder.stream import windows
from contralto.errors import ContraltoError, one_line
from contralto.zeroshot import matrices, prompts

Labels = Iterable[str] | Mapping[str, str | Iterable[str]]
Templates = str | Iterable[str] | None

ENCODING = "encoding the prompts of the labels"
PROMPTS_AT_ONCE = 8192  # bounds the memory: 80 templates of 20,000 classes would be 3 GB of rows


class Prediction(NamedTuple):
    """A label and its score in [0, 1]."""

    label: str
    score: float


@dataclass(frozen=True)
class Classifier:
    """Labels and their unit rows (L, d): what is worked out once and asked for many pictures."""

    labels: tuple[str, ...]
    rows: Embeddings
    rule: Score

    def __call__(self, images: Embeddings, top: int = 5) -> list[list[Prediction]]:
        """For each unit row of images (N, d) the `top` best labels, best first; of equals the one listed first.

        Beside the answers it takes some tens of megabytes, however many pictures there are.
        """
        top = arguments.whole(top, "top")
        if images.ndim != 2 or images.shape[1] != self.rows.shape[1]:
            raise ContraltoError(f"images are rows (N, {self.rows.shape[1]}), got {images.shape}")
        answers = []
        for start in range(0, len(images), step := at_once(len(self.labels))):
            scores = probabilities(images[start : start + step] @ self.rows.T, self.rule)
            answers += [[Prediction(self.labels[j], float(row[j])) for j in _best(row, top)] for row in scores]
        return answers


def build(clip: Clip, labels: Labels, templates: Templates = "photo") -> Classifier:
    """The classifier of these labels, whose texts are encoded here, once; the next time its rows are read from a cache.

    labels: a list of names, or a dict label -> name or names whose embeddings are averaged. templates: as
    `prompts.templates` takes them. Raises ContraltoError if there is no label, or one without a name; TextError.
    """
    named, chosen = _named(labels), prompts.templates(templates)
    names = [several for _, several in named]
    rows = matrices.kept(
        clip, names, chosen, RULE, lambda: _averaged(names, lambda distinct: _rows(clip, distinct, chosen))
    )
    return Classifier(tuple(label for label, _ in named), rows, clip.contract.score)


def _rows(clip: Clip, names: list[str], templates: tuple[str, ...]) -> Embeddings:
    """Each name's unit row, from its prompts; those of many names go to the tower together, as they begin alike."""
    step, count = max(1, PROMPTS_AT_ONCE // len(templates)), len(names) * len(templates)
    is_much = len(names) > step
    if is_much:
        clip.expect(texts=count)
    found = []
    for start in range(0, len(names), step):
        if is_much:
            progress.tell(ENCODING, start * len(templates), count)
        some = [prompts.fill(templates, name) for name in names[start : start + step]]
        found.append(_averaged(some, clip.encode_text))
    if is_much:
        progress.tell(ENCODING, count, count)
    return np.concatenate(found)


RULE: Final = 1  # of the averaging below: another number for another rule, so that no matrix of an older one is used


def _averaged(groups: Sequence[Sequence[str]], encode: Callable[[list[str]], Embeddings]) -> Embeddings:
    """(G, d): of each group of texts the mean of their rows, scaled to unit length; of equal texts one is encoded."""
    places: dict[str, int] = {}
    of_groups = [[places.setdefault(text, len(places)) for text in group] for group in groups]
    rows = encode(list(places))
    found = np.empty((len(groups), rows.shape[1]), np.float32)
    sizes = np.array([len(group) for group in groups])
    for size in np.unique(sizes):
        alike = np.flatnonzero(sizes == size)
        for part in windows(alike, at_once(size * rows.shape[1])):
            side_by_side = rows[[of_groups[i] for i in part]]
            found[part] = unit(side_by_side.mean(axis=1, dtype=np.float64))
    return found


def _best(scores: Embeddings, top: int) -> NDArray[np.intp]:
    """Places of the `top` largest of scores (L,), largest first, equals in their order; what is no number last."""
    negative = -scores
    if top >= len(scores):
        return np.argsort(negative, kind="stable")
    enough = np.flatnonzero(~(negative > np.partition(negative, top - 1)[top - 1]))  # more than top if some are equal
    return enough[np.argsort(negative[enough], kind="stable")[:top]]


def _named(labels: Labels) -> list[tuple[str, list[str]]]:
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
    return [(label, _names(label, given)) for label, given in pairs]


def _names(label: object, given: object) -> list[str]:
    names = texts(given, "labels and their names")[1]
    if not isinstance(label, str) or not all(isinstance(name, str) for name in names):
        raise ContraltoError(f"labels and their names must be strings, got {arguments.shown(given)}")
    if not names:
        raise ContraltoError(f"label {one_line(label, 80)!r} has no name to average")
    return names
