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
from contralto.sets.drawn import composition, detail, reading
from contralto.sets.drawn.paint import painted
from contralto.sets.drawn.scene import Question
from contralto.sets.items import DataSet, Item
from contralto.sets.variants.draws import generator
from contralto.sets.variants.lazy import Lazy
from contralto.sets.variants.questions import ordered

VERSION = 1
KEPT = 512  # pictures of a set that stay in memory once they are drawn, 150 kB each

_ASKED: dict[str, Callable[[int, np.random.Generator], Question]] = {
    "drawn_counting": composition.counting,
    "drawn_relations": composition.relations,
    "drawn_binding": composition.binding,
    "drawn_negation": composition.negation,
    "drawn_small": detail.small,
    "drawn_fine": detail.fine,
    "drawn_text": reading.text,
}

NAMES = {
    "drawn_counting": "how many things there are, one to six",
    "drawn_relations": "which of two things is left, right, above or below",
    "drawn_binding": "which of two things has which colour or size",
    "drawn_negation": "whether a shape is there or not",
    "drawn_small": "which of eight shapes, down to 1/16 of the side",
    "drawn_fine": "which polygon, and what a clock shows",
    "drawn_text": "which of ten words is written",
}
"""The sets, with what each asks; together they are the suite "limits"."""


def question(name: str, index: int, seed: int = 2026) -> Question:
    """Scene and texts of item `index` of a set: a function of these three alone. Raises DataError for no such set."""
    if name not in _ASKED:
        raise DataError(f"nothing is drawn under the name {name!r} (there are: {', '.join(_ASKED)})")
    return _ASKED[name](index, generator(name, VERSION, seed, index))


def drawn(name: str, count: int = 400, seed: int = 2026) -> DataSet:
    """A set of `NAMES` with `count` items, each a choice among its texts; what is asked about goes round by index, so
    that every answer is true equally often. `variants.questions.chance` says what guessing reaches.

    Pictures are arrays uint8 (224, 224, 3), drawn when an item is asked for. Raises DataError for no such set.
    """
    question(name, 0, seed)

    @lru_cache(KEPT)
    def item(index: int) -> Item:
        asked = question(name, index, seed)
        captions, label = ordered(generator(name, "order", VERSION, seed, index), asked.true, list(asked.others))
        picture = painted(asked.scene)
        return Item(f"{name}-{seed}-{index:05}", picture, label, captions=captions, groups=asked.groups)

    origin = f"drawn by Contralto, version {VERSION}, seed {seed}"
    return DataSet(name, "test", "choice", "top1", Lazy(count, item), splits=("test",), origin=origin)
