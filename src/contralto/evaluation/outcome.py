"""The result of a measurement: figures with their intervals, their protocol, and one record per item.

Whatever is drawn or compared later (reliability, confusion, worst errors, paired tests) is computed from the records.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypedDict

import numpy as np
from numpy.typing import NDArray

from contralto.evaluation.condition import PLAIN, Condition

Column = NDArray[Any]


@dataclass(frozen=True)
class Figure:
    """A metric's value with its 95% interval, over n items. Shares lie in 0..1. chance: the value of random
    guessing.
    """

    metric: str
    value: float
    low: float | None
    high: float | None
    n: int
    chance: float | None = None


@dataclass(frozen=True, eq=False)
class Records:
    """One record per item, as columns of equal length (N,).

    key: the item's name. label, predicted: class index (for choices, the index of the text), -1 if the item has none.
    confidence: the predicted class's, by the contract's score rule. rank: the number of wrong answers that score at
    least as high as the right one, so an item is right at k if rank < k. direction: "image_to_text" or "text_to_image"
    for retrieval, else "". text: for text_to_image the index of the caption among all captions, else -1. scores:
    float32, for multi-label data sets (N, C), for two classes (N, 1), the margin of the second over the first; else
    None.
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
        """One record per picture, for every task but retrieval."""
        count = len(keys)
        no_direction, no_text = np.full(count, "", object), np.full(count, -1, np.int64)
        return cls(np.array(keys, object), label, predicted, confidence, rank, no_direction, no_text, scores)

    def __len__(self) -> int:
        return len(self.key)

    def select(self, places: NDArray[np.intp]) -> Records:
        """The records at these places."""
        return Records(**{name: values[places] for name, values in vars(self).items() if values is not None})


PairEntry = TypedDict("PairEntry", {"item": str, "with": str, "score": float, "cosine": float})
"""Two near-duplicates by their keys; score: similarity of their pixels."""

OverlapEntry = TypedDict(
    "OverlapEntry",
    {
        "with": str,
        "with_sha256": str,
        "with_items": int,
        "threshold": float,
        "p": float | None,
        "intervals": str,
        "pairs": list[PairEntry],
    },
)
"""The protocol's entry on near-duplicates in another data set. with: that data set as "name:split"."""


Corners = tuple[float, float, float, float]
"""x0, y0, x1, y1 in pixels of the upright picture."""


class BoxExample(NamedTuple):
    """A picture with its true boxes (label, box), and as many of the best detected ones (label, score, box)."""

    key: str
    true: tuple[tuple[str, Corners], ...]
    detected: tuple[tuple[str, float, Corners], ...]


@dataclass(frozen=True, eq=False)
class Outcome:
    """The result of measuring one data set under one condition.

    protocol: all that decides the figures (names, templates, hashes, precision, tie rule ...), ready for JSON; the
    properties below name the entries that code reads.
    """

    set: str
    split: str
    task: str
    condition: Condition
    figures: tuple[Figure, ...]
    protocol: Mapping[str, Any]
    records: Records
    classes: tuple[str, ...] = ()
    failures: Mapping[str, str] = field(default_factory=dict)
    """key -> why the item could not be used. An item whose picture failed counts as wrong. A sample that has no label,
    or a wrong one, is not an item and is ignored; the protocol's `left_out` says how many there are."""
    examples: tuple[BoxExample, ...] = ()
    """A few pictures of a set of boxes, for the page."""

    @property
    def variant(self) -> str:
        """The display name of the condition: "linear probe", "fog 3"; "" for the data set as it is."""
        return self.condition.variant

    @property
    def is_plain(self) -> bool:
        """Whether the data set was measured as it is."""
        return self.condition == PLAIN

    @property
    def identity(self) -> tuple[str, str, str]:
        """(set, split, variant), unique within a report."""
        return self.set, self.split, self.variant

    @property
    def undefined(self) -> Mapping[str, str]:
        """Metric -> why it has no value on these items."""
        undefined: Mapping[str, str] = self.protocol.get("without", {})
        return undefined

    @property
    def split_sha256(self) -> str | None:
        """Hash of the items with their labels: equal if two outcomes measure the same items."""
        return self.protocol.get("split_sha256")

    @property
    def overlap(self) -> OverlapEntry | None:
        """Near-duplicates in another data set, if they were searched for."""
        return self.protocol.get("overlap")

    @property
    def faces(self) -> Mapping[str, Any] | None:
        """The tables of the face probe (`FaceReport.to_json`), if it was run."""
        return self.protocol.get("faces")
