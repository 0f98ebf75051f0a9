"""What measuring gives: figures with their intervals, the protocol that they were made by, and a record an item.

Whatever is drawn or compared later (reliability, confusion, worst errors, paired tests) is worked out of the records.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Column = NDArray[Any]


@dataclass(frozen=True)
class Figure:
    """A metric's value with its 95% interval, over n items. Shares lie in 0..1. chance: what guessing reaches."""

    metric: str
    value: float
    low: float | None
    high: float | None
    n: int
    chance: float | None = None


@dataclass(frozen=True, eq=False)
class Records:
    """One record an item, as columns of equal length.

    key: the item's name. label, predicted: class index (choice: the text's place), -1 where there is none.
    confidence: of the predicted class, by the contract's score rule. rank: how many wrong answers score at least as
    high as the right one, so that it is right at k if rank < k. direction: "image_to_text" or "text_to_image" for
    retrieval, else "". text: for text_to_image the caption's place among all captions, else -1. scores: float32, for
    task labels (N, C), for two classes (N, 1), by how much the second scores above the first; else None.
    """

    key: Column
    label: Column
    predicted: Column
    confidence: Column
    rank: Column
    direction: Column
    text: Column
    scores: NDArray[np.float32] | None = None

    @classmethod
    def of_items(
        cls,
        keys: Sequence[str],
        label: Column,
        predicted: Column,
        confidence: Column,
        rank: Column,
        scores: NDArray[np.float32] | None = None,
    ) -> Records:
        """One record for each picture, as every task but retrieval has them."""
        count = len(keys)
        no_direction, no_text = np.full(count, "", object), np.full(count, -1, np.int64)
        return cls(np.array(keys, object), label, predicted, confidence, rank, no_direction, no_text, scores)

    def __len__(self) -> int:
        return len(self.key)

    def taken(self, places: NDArray[np.intp]) -> Records:
        """Those at these places."""
        return Records(**{name: values[places] for name, values in vars(self).items() if values is not None})


@dataclass(frozen=True, eq=False)
class Outcome:
    """Everything that one set, measured in one way, gave.

    variant: what else was done, such as "templates imagenet-7", "linear probe" or "gaussian_noise 3"; "" for the set as
    it is. protocol: all that decides the figures (names, templates, hashes, precision, tie rule ...), fit for JSON.
    """

    set: str
    split: str
    task: str
    variant: str
    figures: tuple[Figure, ...]
    protocol: Mapping[str, Any]
    records: Records
    classes: tuple[str, ...] = ()
    failures: Mapping[str, str] = field(default_factory=dict)
    """key -> why it could not be used. An item whose picture failed counts as wrong. A sample or a row of which nothing
    true is known is no item and does not count; the protocol's `left_out` has how many."""
