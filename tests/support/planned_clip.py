"""A stand-in for Clip with planned embeddings: a picture's first pixel and a text's words select one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from contralto.contract import Score, preset
from contralto.embeddings import unit
from contralto.encoder import Failure
from contralto.errors import ImageError
from contralto.image.decode import decode
from contralto.sets.data_set import Class, DataSet, Item

WIDTH = 4
CONTRACT = replace(preset("tiny"), embedding=WIDTH)


def picture(number: int) -> np.ndarray:
    """The picture with embedding `number`."""
    return np.full((4, 4, 3), number, np.uint8)


def planned_set(labels: Iterable[int], classes: Iterable[str], **changes: Any) -> DataSet:
    """Picture i has class labels[i]."""
    items = [Item(f"item {i}", picture(i), label) for i, label in enumerate(labels)]
    made = DataSet("planned", "test", "classes", "top1", items, tuple(Class(name) for name in classes), ("{}",), "bare")
    return replace(made, **changes)


class PlannedClip:
    """rows[n]: the embedding of picture n; texts: text -> embedding. `seen` lists what was encoded."""

    engine, device, precision, decode, reproducible = "planned", "cpu", "fp32", "exact", False
    adaptation = None

    def __init__(self, rows: Any, texts: Mapping[str, Any], rule: Score | None = None) -> None:
        self.rows, self.texts = (
            unit(np.array(rows, np.float64)),
            {t: unit(np.array(r, float)) for t, r in texts.items()},
        )
        self.contract = CONTRACT if rule is None else replace(CONTRACT, score=rule)
        self.feature_width = self.rows.shape[1]
        self.seen: list[Any] = []
        self.fails_after: int | None = None
        self.made = "fp32"

    def made_in(self, side: str) -> str:
        return self.made

    def engine_report(self) -> None: ...

    def stream_images(self, items: Iterable[Any]) -> Iterator[tuple[int, Any]]:
        for index, item in enumerate(items):
            if self.fails_after is not None and len(self.seen) >= self.fails_after:
                raise KeyboardInterrupt
            self.seen.append(item)
            try:
                number = int(np.asarray(decode(item).convert("RGB"))[0, 0, 0])
            except ImageError as error:
                yield index, Failure.of(index, item, error)
            else:
                yield index, self.rows[number]

    def stream_features(self, items: Iterable[Any]) -> Iterator[tuple[int, Any]]:
        yield from self.stream_images(items)

    def encode_text(self, texts: Any, *, overlong: str = "error") -> np.ndarray:
        self.seen += list(texts)
        return np.stack([self.texts[text] for text in texts])

    def too_long(self, texts: Iterable[str]) -> list[int]:
        return [place for place, text in enumerate(texts) if len(text) > 40]

    def encode_labels(self, labels: Mapping[str, Any], templates: Iterable[str]) -> np.ndarray:
        several = [[t.replace("{}", name) for name in names for t in templates] for names in labels.values()]
        return np.stack([unit(np.mean([self.texts[text] for text in group], axis=0)) for group in several])
