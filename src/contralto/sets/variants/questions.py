"""Other questions about the pictures of a labelled data set: negation, and choice among similar classes."""

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
    """The accuracy of guessing, for tasks choice and pairs: the mean of 1 / number of texts.

    Raises DataError if an item has no texts.
    """
    counts = [len(item.captions) for item in data_set.items]
    if not counts or 0 in counts:
        raise DataError(f"{data_set.name} has no texts to choose from: chance is known for tasks choice and pairs")
    return float(np.mean([1 / count for count in counts]))


def shuffled(random: np.random.Generator, true: str, others: list[str]) -> tuple[tuple[str, ...], int]:
    """(all texts in random order, index of the true one), so that the index does not reveal the answer."""
    texts = [true, *others]
    order = random.permutation(len(texts))
    return tuple(texts[place] for place in order), int(np.argmin(order))


def ask_negation(data_set: DataSet, seed: int = 0) -> DataSet:
    """A choice between the presence and the absence of a class, one question per picture; chance is 1/2.

    A random half of the pictures, rounded down: "a photo of a {own class}" (true) or "a photo with no {own class}";
    groups["asked"] is "own". The other half, with a random wrong class: "a photo with no {other}" (true) or "a photo of
    a {other}"; groups["asked"] is "other". For a model that ignores "no" both texts are equal; a model that always, or
    never, answers "no" is right on one half. Raises DataError unless the data set has one class per picture, and
    several classes.
    """
    _needs_classes(data_set)
    names, items = [one.name for one in data_set.classes], data_set.items
    own = generator("negated halves", QUESTIONS_VERSION, seed, len(items)).permutation(len(items)) < len(items) // 2

    def ask(index: int) -> Item:
        item = items[index]
        label, random = _label(item, data_set), generator("negated", QUESTIONS_VERSION, seed, item.key)
        wrong = int(random.integers(len(names) - 1))
        name = names[label] if own[index] else names[wrong + (wrong >= label)]
        present, missing = f"a photo of a {name}", f"a photo with no {name}"
        captions, place = shuffled(random, *((present, [missing]) if own[index] else (missing, [present])))
        groups = {**item.groups, "asked": "own" if own[index] else "other"}
        return replace(item, captions=captions, label=place, groups=groups)

    return _as_choice(data_set, LazyItems(len(items), ask), lambda other: ask_negation(other, seed))


def ask_similar_classes(data_set: DataSet, seed: int = 0) -> DataSet:
    """A choice among the similar classes in the picture's group.

    The texts are the data set's first template (default "a photo of a {}.") with each class name. Pictures whose group
    has only one class are left out. groups["group"] is the group; chance differs by item, see `chance`. Raises
    DataError unless the data set has one class per picture, and a group of several classes.
    """
    _needs_classes(data_set)
    members = defaultdict(list)
    for index, one in enumerate(data_set.classes):
        members[one.group].append(index)
    members.pop("", None)
    items, template = data_set.items, data_set.templates[0] if data_set.templates else "a photo of a {}."
    group_of = [one.group if len(members[one.group]) > 1 else "" for one in data_set.classes]
    selected = [index for index, item in enumerate(items) if group_of[_label(item, data_set)]]
    if not selected:
        raise UndefinedError(f"{data_set.name} knows no group of several classes with pictures: fine needs such groups")

    def ask(index: int) -> Item:
        item = items[selected[index]]
        label = _label(item, data_set)
        texts = {place: template.replace("{}", data_set.classes[place].name) for place in members[group_of[label]]}
        true = texts.pop(label)
        captions, place = shuffled(generator("fine", QUESTIONS_VERSION, seed, item.key), true, list(texts.values()))
        return replace(item, captions=captions, label=place, groups={**item.groups, "group": group_of[label]})

    return _as_choice(data_set, LazyItems(len(selected), ask), lambda other: ask_similar_classes(other, seed))


def _needs_classes(data_set: DataSet) -> None:
    if data_set.task != "classes" or len(data_set.classes) < 2:
        raise UndefinedError(f"{data_set.name} has no classes to ask about: use a data set with one class per picture")


def _label(item: Item, data_set: DataSet) -> int:
    if item.label is None:
        raise DataError(f"{data_set.name}: {item.key} has no class: every item needs one to be asked about")
    return item.label


def _as_choice(data_set: DataSet, items: Sequence[Item], ask: Callable[[DataSet], DataSet]) -> DataSet:
    """The data set with task choice and these items. Its other splits get the same question when they are opened."""
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
