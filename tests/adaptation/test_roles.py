"""Who is fitted and who is measured: by content, before anything is encoded, and never both."""

from __future__ import annotations

import hashlib
import itertools
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from support.adaptable import contents, digests, picture, set_of, write_folders

from contralto.adaptation.roles import assign_roles, folds, turns
from contralto.errors import DataError
from contralto.sets.data_set import Class, Item
from contralto.sets.open import open_set


def sha(content):
    return hashlib.sha256(content).digest()


def made(*labels, start=0):
    """A picture of its own for each label."""
    return [(label, picture(start + place)) for place, label in enumerate(labels)]


@pytest.mark.parametrize(("splits", "measured"), [(("train", "val", "test"), "test"), (("train", "val"), "val")])
def test_train_is_fitted_and_test_else_val_is_measured(session, tmp_path, splits, measured):
    folder = write_folders(tmp_path / "d", dict.fromkeys(splits, 2))
    roles = assign_roles(session, open_set(folder))
    assert (roles.fit.data.split, roles.measure.data.split) == ("train", measured)
    assert (len(roles.fit), len(roles.measure), roles.notes) == (6, 6, ())
    assert [item.key for item in roles.fit.bare] == [item.key for item in open_set(f"{folder}:train").items]


@pytest.mark.parametrize("split", ["all", "train", "test"])
def test_without_a_second_split_the_fifth_of_each_class_with_the_first_sha256_is_measured(session, split):
    pictures = made(*[0] * 11, *[1] * 7, *[2] * 2)
    roles = assign_roles(session, set_of({split: pictures}, split))
    expected = set()
    for label, count in ((0, 2), (1, 1), (2, 1)):
        own = sorted(sha(content) for one, content in pictures if one == label)
        expected |= set(own[:count])
    assert set(roles.measure.digests) == expected
    assert set(roles.fit.digests) == {sha(content) for _, content in pictures} - expected
    assert roles.fit.data.split == f"four fifths of {split}"
    assert roles.measure.data.split == f"a fifth of {split}"
    assert [sha(one) for one in contents(roles.measure)] == list(roles.measure.digests)  # pictures follow their digests


def test_the_order_of_the_items_changes_no_role(session):
    pictures = made(*[0] * 10, *[1] * 10)
    one, other = (assign_roles(session, set_of({"all": given}, "all")) for given in (pictures, pictures[::-1]))
    assert set(one.fit.digests) == set(other.fit.digests)
    assert one.fit.sha256 == other.fit.sha256 != one.measure.sha256


def test_pictures_of_equal_bytes_never_lie_on_both_sides_of_one_split(session):
    pictures = made(*[0] * 10, *[1] * 10)
    first = min(pictures[:10], key=lambda one: sha(one[1]))[1]  # it is measured
    copies = [(0, first), (1, first), (2, first)]  # in its own class, in another one, and as the only one of a class
    roles = assign_roles(session, set_of({"all": pictures + copies}, "all"))
    assert not set(roles.fit.digests) & set(roles.measure.digests)
    assert Counter(roles.measure.digests)[sha(first)] == 4
    assert 2 not in roles.fit.labels


def test_pictures_of_both_splits_are_only_measured_and_that_is_told(session):
    test = made(0, 1, 2)
    fit = [*made(0, 0, 1, 1, start=50), (2, test[0][1])]  # its copy has another class
    roles = assign_roles(session, set_of({"train": fit, "test": test}, "test"))
    assert len(roles.measure) == 3
    assert roles.fit.labels.tolist() == [0, 0, 1, 1]
    assert roles.notes == ("1 pictures lie in both splits and are only measured, such as train/4",)


def test_unreadable_pictures_are_not_fitted_but_count_where_they_are_measured(session, tmp_path):
    data = set_of({"train": made(0, 0, 1, 1), "test": made(0, 1, start=50)}, "test")
    gone = Item("gone", tmp_path / "none.png", 1)

    def opened(split):
        one = data.other(split)
        return replace(one, items=[*one.items, gone], open_split=opened)

    roles = assign_roles(session, opened("test"))
    assert roles.fit.labels.tolist() == [0, 0, 1, 1]
    assert len(roles.measure) == 3
    assert roles.measure.digests[2] is None
    assert roles.notes == ("1 pictures of train cannot be read, such as gone",)


def test_an_unreadable_picture_of_a_single_split_is_on_no_side(session, tmp_path):
    data = set_of({"all": made(*[0] * 5, *[1] * 5)}, "all")
    data = replace(data, items=[*data.items, Item("gone", tmp_path / "none.png", 1)])
    roles = assign_roles(session, data)
    assert None not in roles.fit.digests + roles.measure.digests
    assert len(roles.fit) + len(roles.measure) == 10


def test_shots_are_nested_and_drawn_by_the_seed(session):
    data = set_of({"train": made(*[0] * 9, *[1] * 5), "test": made(0, 1, start=50)}, "test")
    drawn = {shots: assign_roles(session, data, shots=shots, seed=3).fit for shots in (1, 2, 4, 8)}
    assert [Counter(part.labels.tolist()) for part in drawn.values()] == [
        {0: 1, 1: 1}, {0: 2, 1: 2}, {0: 4, 1: 4}, {0: 8, 1: 5}
    ]  # fmt: skip
    several = [set(part.digests) for part in drawn.values()]
    assert all(fewer < more for fewer, more in itertools.pairwise(several))
    others = [frozenset(assign_roles(session, data, shots=1, seed=seed).fit.digests) for seed in range(6)]
    assert len(set(others)) > 1


def test_the_order_of_the_items_changes_no_turn_but_the_seed_does():
    labels, known = np.repeat([0, 1], 10), digests(20)
    order = np.random.default_rng(0).permutation(20)
    shuffled = turns(labels[order], [known[place] for place in order], 5)
    assert (shuffled == turns(labels, known, 5)[order]).all()
    assert (turns(labels, known, 5) != turns(labels, known, 6)).any()
    assert sorted(turns(labels, known, 5)[:10].tolist()) == list(range(10))


def test_folds_are_stratified_and_independent_of_order():
    labels, known = np.repeat([0, 1, 2], [13, 5, 3]), digests(21)
    dealt = folds(labels, known)
    for label, count in ((0, 13), (1, 5), (2, 3)):
        sizes = np.bincount(dealt[labels == label], minlength=5)
        assert sizes.sum() == count
        assert sizes.max() - sizes.min() <= 1
    order = np.random.default_rng(0).permutation(21)
    assert (folds(labels[order], [known[place] for place in order]) == dealt[order]).all()


def test_equal_bytes_share_a_fold_across_classes_too():
    labels, known = np.repeat([0, 1], 6), list(digests(12))
    known[7] = known[1]
    known[8] = known[9]
    dealt = folds(labels, known)
    assert dealt[7] == dealt[1]
    assert dealt[8] == dealt[9]


def test_with_under_three_different_pictures_of_a_class_there_are_no_folds():
    known = digests(8)
    assert folds(np.array([0] * 6 + [1] * 2), known) is None
    assert folds(np.array([0] * 5 + [1] * 3), [*known[:7], known[6]]) is None  # three pictures, of which two are equal
    assert folds(np.array([0] * 5 + [2] * 3), known) is not None  # class 1 has none, which is no obstacle


def test_splits_with_other_classes_are_refused(session):
    data = set_of({"train": made(0, 1), "test": made(0, 1, start=9)}, "test")
    other = replace(data.other("train"), classes=tuple(Class(name) for name in "abc"))
    with pytest.raises(DataError, match="made: the splits train and test have different classes"):
        assign_roles(session, replace(data, open_split=lambda split: other))


@pytest.mark.parametrize(
    ("splits", "said"),
    [
        ({"train": made(0, 1), "test": made(0, 1)}, "has no picture to fit: it needs a split train"),
        ({"train": made(1, 1), "test": made(0, 1, start=9)}, "are of one class; adapting needs two"),
        ({"all": made(0, 1, 2)}, "has no picture to measure: it needs a split train"),
    ],
)
def test_too_few_pictures_are_refused_in_one_line(session, splits, said):
    with pytest.raises(DataError, match=said) as raised:
        assign_roles(session, set_of(splits, list(splits)[-1]))
    assert "\n" not in str(raised.value)


def test_of_captioned_pictures_a_fifth_is_measured_too(session):
    data = set_of({"all": made(*[0] * 10)}, "all", task="retrieval", metric="r1_image_to_text", classes=())
    captioned = [replace(item, label=None, captions=("one", "two")) for item in data.items]
    roles = assign_roles(session, replace(data, items=captioned))
    assert (len(roles.fit), len(roles.measure)) == (8, 2)
    assert roles.fit.bare[0].captions == ("one", "two")


def test_the_hash_of_a_part_knows_no_labels(session):
    one, other = (
        assign_roles(session, set_of({"train": made(0, 1), "test": [(label, picture(9)), (0, picture(8))]}, "test"))
        for label in (0, 1)
    )
    assert one.measure.sha256 == other.measure.sha256
