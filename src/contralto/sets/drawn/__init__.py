"""What CLIP is said to be weak at, on pictures that the code draws: every text is true or false by construction.

Read scene.py (descriptions), composition.py, detail.py and reading.py (what is asked of them), then shapes.py and
paint.py (how they come to be pixels). No scene of `contralto.data.scenes`, from which models are trained, is among
them: another hand draws them, at another size, on other grounds.
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
from contralto.sets.variants.questions import ordered
from contralto.sets.variants.randomness import generator

DRAWN_SETS_VERSION = 1
PICTURES_IN_MEMORY = 512  # pictures of a set that stay in memory once they are drawn, 150 kB each

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
"""The sets, with what each asks; together they are the suite "limits"."""


def question(name: str, index: int, seed: int = 2026) -> ChoiceQuestion:
    """Scene and texts of item `index` of a set: a function of these three alone. Raises DataError for no such set."""
    if name not in _QUESTIONS:
        raise DataError(f"nothing is drawn under the name {name!r} (there are: {', '.join(_QUESTIONS)})")
    return _QUESTIONS[name](index, generator(name, DRAWN_SETS_VERSION, seed, index))


def drawn(name: str, count: int = 400, seed: int = 2026) -> DataSet:
    """A set of `DRAWN_SETS` with `count` items, each a choice among its texts; what is asked about goes round by index, so
    that every answer is true equally often. `variants.questions.chance` says what guessing reaches.

    Pictures are arrays uint8 (224, 224, 3), drawn when an item is asked for. Raises DataError for no such set.
    """
    question(name, 0, seed)

    @lru_cache(PICTURES_IN_MEMORY)
    def item(index: int) -> Item:
        asked = question(name, index, seed)
        captions, label = ordered(
            generator(name, "order", DRAWN_SETS_VERSION, seed, index), asked.true, list(asked.others)
        )
        picture = paint_scene(asked.scene)
        return Item(f"{name}-{seed}-{index:05}", picture, label, captions=captions, groups=asked.groups)

    origin = f"drawn by Contralto, version {DRAWN_SETS_VERSION}, seed {seed}"
    return DataSet(name, "test", "choice", "top1", LazyItems(count, item), splits=("test",), origin=origin)
