from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from contralto.errors import DataError
from contralto.sets.data_set import Class, DataSet, Item
from contralto.sets.variants.questions import ask_negation, ask_similar_classes, chance

CLASSES = (
    Class("beagle", group="dog"), Class("poodle", group="dog"), Class("pug", group="dog"),
    Class("tabby", group="cat"), Class("siamese", group="cat"), Class("toaster", group="device"), Class("thing"),
)  # fmt: skip
PICTURE = np.zeros((2, 2, 3), np.uint8)


def data_set(count=701, **changes):
    items = [Item(f"k{i}", PICTURE, label=i % len(CLASSES), groups={"light": "day"}) for i in range(count)]
    given = DataSet("set", "test", "classes", "mean_per_class", items, classes=CLASSES, templates=("a {}.", "the {}."))
    return replace(given, **changes)


def test_negation_is_true_as_said_and_balanced():
    given = data_set()
    asked = ask_negation(given)
    halves, places = Counter(), Counter()
    for item, question in zip(given.items, asked.items, strict=True):
        own = CLASSES[item.label].name
        true = question.captions[question.label]
        false = question.captions[1 - question.label]
        named = true.split()[-1]
        assert named == false.split()[-1]
        assert true == (f"a photo of a {own}" if named == own else f"a photo with no {named}")
        assert false == (f"a photo with no {own}" if named == own else f"a photo of a {named}")
        assert question.groups == {"light": "day", "asked": "own" if named == own else "other"}
        halves[named == own] += 1
        places[question.label] += 1
    assert halves == {True: 350, False: 351}
    assert min(places.values()) > 300
    assert chance(asked) == 0.5
    assert (asked.task, asked.metric, len(asked.items)) == ("choice", "top1", 701)


def test_fine_asks_within_the_group():
    given = data_set()
    asked = ask_similar_classes(given)
    kept = [item for item in given.items if CLASSES[item.label].group in ("dog", "cat")]
    assert len(kept) == len(asked.items)
    places = Counter()
    for item, question in zip(kept, asked.items, strict=True):
        group = CLASSES[item.label].group
        assert sorted(question.captions) == sorted(f"a {one.name}." for one in CLASSES if one.group == group)
        assert question.captions[question.label] == f"a {CLASSES[item.label].name}."
        assert (question.key, question.groups["group"]) == (item.key, group)
        places[len(question.captions), question.label] += 1
    assert len(places) == 5
    dogs = sum(CLASSES[item.label].group == "dog" for item in kept)
    assert chance(asked) == pytest.approx((dogs / 3 + (len(kept) - dogs) / 2) / len(kept))
    assert ask_similar_classes(data_set(7, templates=())).items[0].captions[0].startswith("a photo of a ")


@pytest.mark.parametrize("ask", [ask_negation, ask_similar_classes])
def test_the_same_seed_asks_the_same_and_other_splits_are_asked_too(ask):
    train = data_set(20, split="train")
    given = data_set(50, splits=("train", "test"), open_split=lambda split: train)
    same, other = ask(given, seed=0), ask(given, seed=1)
    assert [q.captions for q in ask(given).items] == [q.captions for q in same.items]
    assert [q.captions for q in other.items] != [q.captions for q in same.items]
    assert same.other("train").task == "choice"
    assert [q.captions for q in same.other("train").items] == [q.captions for q in ask(train).items]


@pytest.mark.parametrize("ask", [ask_negation, ask_similar_classes])
def test_sets_that_cannot_be_asked(ask):
    with pytest.raises(DataError, match="one class per picture"):
        ask(data_set(task="labels"))
    with pytest.raises(DataError, match="k0 has no class"):
        list(ask(data_set(items=[Item("k0", PICTURE)])).items)
    if ask is ask_similar_classes:
        with pytest.raises(DataError, match="no group"):
            ask_similar_classes(data_set(classes=tuple(Class(one.name) for one in CLASSES)))


def test_chance_needs_a_choice():
    with pytest.raises(DataError, match="choose from"):
        chance(data_set())
    with pytest.raises(DataError, match="choose from"):
        chance(data_set(0))
