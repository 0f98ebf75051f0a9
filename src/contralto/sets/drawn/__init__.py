"""Known weaknesses of CLIP, tested on pictures drawn by code: every text is true or false by construction.

Read description.py (descriptions of pictures), composition.py, detail.py and reading.py (the questions), location.py
(where things are), then shapes.py and paint.py (the pixels). They share no picture with the training scenes of
`contralto.data.scenes`: the drawing code, the size and the backgrounds differ.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from contralto.errors import DataError
from contralto.sets.data_set import DataSet, Item, Task
from contralto.sets.drawn import composition, detail, location, reading
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
    "drawn_boxes": "where shapes are, by name, from 1/10 to half of the side",
}
"""Each data set and its question."""

CHOICES_COUNT = 400
BOXES_COUNT = 200  # a picture holds three things on average, and is searched region by region


def question(name: str, index: int, seed: int = 2026) -> ChoiceQuestion:
    """Scene and texts of item `index`: a function of the arguments alone. Raises DataError for an unknown name."""
    if name not in _QUESTIONS:
        raise DataError(f"no drawn data set is named {name!r} (available: {', '.join(_QUESTIONS)})")
    return _QUESTIONS[name](index, generator(name, DRAWN_SETS_VERSION, seed, index))


def task_of(name: str) -> Task:
    """The task of a data set of `DRAWN_SETS`: a choice among texts, but for the set of boxes."""
    return "choice" if name in _QUESTIONS else "boxes"


def drawn_set(name: str, count: int | None = None, seed: int = 2026) -> DataSet:
    """A data set of `DRAWN_SETS` with `count` items (by default 400 choices, or 200 pictures with boxes).

    Pictures are arrays uint8 (224, 224, 3), drawn on access. Raises DataError for an unknown name.
    """
    if name == "drawn_boxes":
        return _boxes(name, BOXES_COUNT if count is None else count, seed)
    return _choices(name, CHOICES_COUNT if count is None else count, seed)


def _choices(name: str, count: int, seed: int) -> DataSet:
    """Each item is a choice among its texts. The true answers alternate by index, so that each is true equally often;
    `variants.questions.chance` is the accuracy of guessing."""
    question(name, 0, seed)

    @lru_cache(PICTURES_IN_MEMORY)
    def item(index: int) -> Item:
        drawn = question(name, index, seed)
        random = generator(name, "order", DRAWN_SETS_VERSION, seed, index)
        captions, label = shuffled(random, drawn.true, list(drawn.others))
        key = f"{name}-{seed}-{index:05}"
        return Item(key, paint_scene(drawn.scene), label, captions=captions, groups=drawn.groups)

    return DataSet(name, "test", "choice", "top1", LazyItems(count, item), splits=("test",), origin=_origin(seed))


def _boxes(name: str, count: int, seed: int) -> DataSet:
    """Every picture is asked for every shape that is clearly there or clearly not."""

    @lru_cache(PICTURES_IN_MEMORY)
    def item(index: int) -> Item:
        scene = location.location(index, generator(name, DRAWN_SETS_VERSION, seed, index))
        boxes = location.true_boxes(scene)
        key = f"{name}-{seed}-{index:05}"
        return Item(key, paint_scene(scene), ignored=location.unclear(boxes), boxes=boxes)

    items = LazyItems(count, item)
    return DataSet(name, "test", "boxes", "ap50", items, location.SHAPE_CLASSES, splits=("test",), origin=_origin(seed))


def _origin(seed: int) -> str:
    return f"drawn by Contralto, version {DRAWN_SETS_VERSION}, seed {seed}"
