"""Known weaknesses of CLIP, tested on pictures drawn by code: every text is true or false by construction.

Read description.py (descriptions of pictures), composition.py, detail.py and reading.py (the questions), then shapes.py
and paint.py (the pixels). They share no picture with the training scenes of `contralto.data.scenes`: the drawing code,
the size and the backgrounds differ.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from contralto.errors import DataError
from contralto.sets.data_set import DataSet, Item
from contralto.sets.drawn import composition, detail, reading
from contralto.sets.drawn.description import ChoiceQuestion
from contralto.sets.drawn.paint import paint_scene
from contralto.sets.variants.lazy_items import LazyItems
from contralto.sets.variants.questions import shuffled
from contralto.sets.variants.randomness import generator

DRAWN_SETS_VERSION = 1
PICTURES_IN_MEMORY = 512  # most recent pictures of a data set, 150 kB each

_QUESTIONS: dict[str, Callable[[int, np.random.Generator], ChoiceQuestion]] = {
    "drawn_counting": composition.counting,
    "drawn_relations": composition.relations,
    "drawn_binding": composition.binding,
    "drawn_negation": composition.negation,
    "drawn_small": detail.small,
    "drawn_fine": detail.fine,
    "drawn_text": reading.text,
}

DRAWN_SETS = {
    "drawn_counting": "how many things there are, one to six",
    "drawn_relations": "which of two things is left, right, above or below",
    "drawn_binding": "which of two things has which colour or size",
    "drawn_negation": "whether a shape is there or not",
    "drawn_small": "which of eight shapes, down to 1/16 of the side",
    "drawn_fine": "which polygon, and what a clock shows",
    "drawn_text": "which of ten words is written",
}
"""Each data set and its question; together they are the suite "limits"."""


def question(name: str, index: int, seed: int = 2026) -> ChoiceQuestion:
    """Scene and texts of item `index`: a function of the arguments alone. Raises DataError for an unknown name."""
    if name not in _QUESTIONS:
        raise DataError(f"no drawn data set is named {name!r} (available: {', '.join(_QUESTIONS)})")
    return _QUESTIONS[name](index, generator(name, DRAWN_SETS_VERSION, seed, index))


def drawn_set(name: str, count: int = 400, seed: int = 2026) -> DataSet:
    """A data set of `DRAWN_SETS` with `count` items, each a choice among its texts.

    The true answers alternate by index, so that each is true equally often. `variants.questions.chance` is the accuracy
    of guessing. Pictures are arrays uint8 (224, 224, 3), drawn on access. Raises DataError for an unknown name.
    """
    question(name, 0, seed)

    @lru_cache(PICTURES_IN_MEMORY)
    def item(index: int) -> Item:
        drawn = question(name, index, seed)
        random = generator(name, "order", DRAWN_SETS_VERSION, seed, index)
        captions, label = shuffled(random, drawn.true, list(drawn.others))
        key = f"{name}-{seed}-{index:05}"
        return Item(key, paint_scene(drawn.scene), label, captions=captions, groups=drawn.groups)

    origin = f"drawn by Contralto, version {DRAWN_SETS_VERSION}, seed {seed}"
    return DataSet(name, "test", "choice", "top1", LazyItems(count, item), splits=("test",), origin=origin)
