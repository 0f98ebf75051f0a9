"""Other questions about the pictures of any labelled set: negation, and telling apart only what is alike."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from contralto.errors import DataError
from contralto.metrics import UndefinedError
from contralto.sets.data_set import DataSet, Item
from contralto.sets.variants.lazy_items import LazyItems
from contralto.sets.variants.randomness import generator

QUESTIONS_VERSION = 1


def chance(data_set: DataSet) -> float:
    """What guessing reaches on a set of task choice or pairs: the mean of 1 / number of texts.

    Raises DataError if an item has nothing to choose from.
    """
    counts = [len(item.captions) for item in data_set.items]
    if not counts or 0 in counts:
        raise DataError(f"{data_set.name} has no texts to choose from: chance is known for tasks choice and pairs")
    return float(np.mean([1 / count for count in counts]))


def ordered(random: np.random.Generator, true: str, others: list[str]) -> tuple[tuple[str, ...], int]:
    """(texts in an order that is drawn, place of the true one): the place gives nothing away."""
    texts = [true, *others]
    order = random.permutation(len(texts))
    return tuple(texts[place] for place in order), int(np.argmin(order))


def negated(data_set: DataSet, seed: int = 0) -> DataSet:
    """A choice between what is there and that it is not, one question a picture; chance 1/2.

    To a drawn half of the pictures, rounded down: "a photo of a {own class}" against "a photo with no {own class}"
    (groups["asked"] "own"). To the others, of a wrong class that is drawn: "a photo with no {other}", which is true,
    against "a photo of a {other}" ("other"). To whoever ignores "no" both texts are one; whoever always says "no", or
    never, is right in one half. Raises DataError if the set does not have one class a picture, or only one class.
    """
    _needs_classes(data_set)
    names, items = [one.name for one in data_set.classes], data_set.items
    own = generator("negated halves", QUESTIONS_VERSION, seed, len(items)).permutation(len(items)) < len(items) // 2

    def ask(index: int) -> Item:
        item = items[index]
        label, random = _label(item, data_set), generator("negated", QUESTIONS_VERSION, seed, item.key)
        wrong = int(random.integers(len(names) - 1))
        name = names[label] if own[index] else names[wrong + (wrong >= label)]
        there, missing = f"a photo of a {name}", f"a photo with no {name}"
        captions, place = ordered(random, *((there, [missing]) if own[index] else (missing, [there])))
        groups = {**item.groups, "asked": "own" if own[index] else "other"}
        return replace(item, captions=captions, label=place, groups=groups)

    return _asked(data_set, LazyItems(len(items), ask), lambda other: negated(other, seed))


def fine(data_set: DataSet, seed: int = 0) -> DataSet:
    """A choice among the classes of the picture's own group: what is alike has to be told apart.

    The texts are the set's first template with each class's name, or "a photo of a {}." if it has none. Pictures whose
    group has one class are left out. groups["group"] is the group; chance differs by item, see `chance`. Raises
    DataError if the set does not have one class a picture, or no group of several classes.
    """
    _needs_classes(data_set)
    members = defaultdict(list)
    for index, one in enumerate(data_set.classes):
        members[one.group].append(index)
    members.pop("", None)
    items, template = data_set.items, data_set.templates[0] if data_set.templates else "a photo of a {}."
    group_of = [one.group if len(members[one.group]) > 1 else "" for one in data_set.classes]
    kept = [index for index, item in enumerate(items) if group_of[_label(item, data_set)]]
    if not kept:
        raise UndefinedError(f"{data_set.name} knows no group of several classes with pictures: fine needs such groups")

    def ask(index: int) -> Item:
        item = items[kept[index]]
        label = _label(item, data_set)
        texts = {place: template.replace("{}", data_set.classes[place].name) for place in members[group_of[label]]}
        true = texts.pop(label)
        captions, place = ordered(generator("fine", QUESTIONS_VERSION, seed, item.key), true, list(texts.values()))
        return replace(item, captions=captions, label=place, groups={**item.groups, "group": group_of[label]})

    return _asked(data_set, LazyItems(len(kept), ask), lambda other: fine(other, seed))


def _needs_classes(data_set: DataSet) -> None:
    if data_set.task != "classes" or len(data_set.classes) < 2:
        raise UndefinedError(f"{data_set.name} has no classes to ask about: take a set with one class a picture")


def _label(item: Item, data_set: DataSet) -> int:
    if item.label is None:
        raise DataError(f"{data_set.name}: {item.key} has no class: every item needs one to be asked about")
    return item.label


def _asked(data_set: DataSet, items: Sequence[Item], ask: Callable[[DataSet], DataSet]) -> DataSet:
    """The set as one of task choice; its other splits are asked the same when they are opened."""
    return replace(
        data_set,
        task="choice",
        metric="top1",
        items=items,
        classes=(),
        templates=(),
        template_set="",
        open_split=lambda split: ask(data_set.other(split)),
    )
