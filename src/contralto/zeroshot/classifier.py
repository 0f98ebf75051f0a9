"""Class names -> a matrix with a unit row a class -> scores of pictures, by the contract's rule.

A class is the mean of its prompts' unit rows, scaled to unit length again (Radford et al. 2021, section 3.1.4): as
costly as one prompt once the rows are there. Logits would be another thing to average, and are not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from contralto.contract import Score
from contralto.encoder import Clip
from contralto.encoder.rows import Rows, probabilities, unit
from contralto.errors import ContraltoError, one_line
from contralto.zeroshot import prompts

Labels = Iterable[str] | Mapping[str, str | Iterable[str]]
Templates = str | Iterable[str] | None

PROMPTS_AT_ONCE = 4096  # bounds the memory: 80 templates of 20,000 classes would be 3 GB of rows


class Prediction(NamedTuple):
    """A label and its score in [0, 1]."""

    label: str
    score: float


@dataclass(frozen=True)
class Classifier:
    """Labels and their unit rows (L, d): what is worked out once and asked for many pictures."""

    labels: tuple[str, ...]
    rows: Rows
    rule: Score

    def __call__(self, images: Rows, top: int = 5) -> list[list[Prediction]]:
        """For each unit row of images (N, d) the `top` best labels, best first; of equals the one listed first."""
        if top < 1:
            raise ContraltoError(f"top must be at least 1, got {top}")
        scores = probabilities(images @ self.rows.T, self.rule)
        best = np.argsort(-scores, axis=1, kind="stable")[:, :top]
        return [
            [Prediction(self.labels[j], float(row[j])) for j in order] for row, order in zip(scores, best, strict=True)
        ]


def build(clip: Clip, labels: Labels, templates: Templates = "photo") -> Classifier:
    """The classifier of these labels, whose texts are encoded here, once.

    labels: a list of names, or a dict label -> name or names whose embeddings are averaged. templates: as
    `prompts.templates` takes them. Raises ContraltoError if there is no label, or one without a name; TextError.
    """
    named = _named(labels)
    distinct = list(dict.fromkeys(name for _, names in named for name in names))
    rows = _name_rows(clip, distinct, prompts.templates(templates))
    means = [np.stack([rows[name] for name in names]).mean(axis=0, dtype=np.float64) for _, names in named]
    return Classifier(tuple(label for label, _ in named), unit(np.stack(means)), clip.contract.score)


def _name_rows(clip: Clip, names: list[str], templates: tuple[str, ...]) -> dict[str, Rows]:
    """Each name's unit row: the mean over its prompts. Prompts that are equal are encoded once."""
    rows: dict[str, Rows] = {}
    step = max(1, PROMPTS_AT_ONCE // len(templates))
    for start in range(0, len(names), step):
        texts = {name: prompts.fill(templates, name) for name in names[start : start + step]}
        distinct = list(dict.fromkeys(text for several in texts.values() for text in several))
        encoded = dict(zip(distinct, clip.encode_text(distinct), strict=True))
        for name, several in texts.items():
            rows[name] = unit(np.stack([encoded[text] for text in several]).mean(axis=0, dtype=np.float64))
    return rows


def _named(labels: Labels) -> list[tuple[str, list[str]]]:
    """(label, its names) in the order given."""
    if isinstance(labels, str):
        raise ContraltoError(f"labels must be a list of names or a dict, got one string: give [{labels[:80]!r}]")
    pairs = dict(labels).items() if isinstance(labels, Mapping) else [(label, label) for label in labels]
    if not pairs:
        raise ContraltoError("labels is empty: a classifier needs at least one label")
    return [(label, _names(label, given)) for label, given in pairs]


def _names(label: object, given: object) -> list[str]:
    names = [given] if isinstance(given, str) else list(given) if isinstance(given, Iterable) else []
    if not isinstance(label, str) or not all(isinstance(name, str) for name in names):
        raise ContraltoError(f"labels and their names must be strings, got {one_line(repr(given), 80)}")
    if not names:
        raise ContraltoError(f"label {one_line(label, 80)!r} has no name to average")
    return names
