from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from contralto.errors import DataError
from contralto.sets.data_set import Class, DataSet, Item
from contralto.sets.variants.typographic import write_wrong_class

NAMES = ("dog", "cat", "piano", "Cabernet Sauvignon from the Napa Valley")
GREEN = (0, 128, 0)


def data_set(count=40, height=100, width=140):
    picture = np.broadcast_to(np.array(GREEN, np.uint8), (height, width, 3))
    items = [Item(f"k{i}", picture, label=i % 4, groups={"light": "day"}) for i in range(count)]
    return DataSet("set", "test", "classes", "top1", items, classes=tuple(map(Class, NAMES)))


def box(picture):
    """(top, bottom, left, right) of what is not the ground."""
    y, x = np.nonzero((picture != GREEN).any(2))
    return y.min(), y.max() + 1, x.min(), x.max() + 1


def test_a_wrong_name_each_equally_often_and_the_right_class_stays():
    given = data_set(1200)
    drawn = Counter()
    for item, hit in zip(given.items, write_wrong_class(given).items, strict=True):
        assert (hit.label, hit.key, hit.groups["light"]) == (item.label, item.key, "day")
        assert hit.groups["written"] in hit.change.name
        drawn[item.label, hit.groups["written"]] += 1
    assert set(drawn) == {(i, name) for i in range(4) for name in NAMES if name != NAMES[i]}
    assert min(drawn.values()) > 60  # 100 expected


def test_a_white_label_with_black_letters_within_the_picture():
    places = set()
    for hit in write_wrong_class(data_set()).items:
        shown = np.asarray(hit.encoder_input())
        top, bottom, left, right = box(shown)
        label = shown[top:bottom, left:right]
        assert shown.shape == (100, 140, 3)
        assert (label != GREEN).any(2).all()  # a full rectangle
        edge = np.concatenate([label[0], label[-1], label[:, 0], label[:, -1]])
        assert (edge == 255).all()
        assert label.min() < 60 if hit.groups["written"] != NAMES[3] else label.min() < 200  # a long name is small
        assert 0.02 < (label < 128).mean() < 0.5
        places.add((top, left))
    assert len(places) > 30


def test_longer_words_make_longer_labels():
    widths = {}
    for hit in write_wrong_class(data_set(60, 300, 300)).items:
        _, _, left, right = box(np.asarray(hit.encoder_input()))
        widths.setdefault(hit.groups["written"], []).append(right - left)
    assert np.mean(widths["cat"]) < np.mean(widths["piano"]) < np.mean(widths[NAMES[3]]) <= 0.92 * 300


def test_the_seed_and_the_key_draw_all():
    one, two, other = (
        write_wrong_class(data_set(5), 0),
        write_wrong_class(data_set(5), 0),
        write_wrong_class(data_set(5), 1),
    )
    assert [a.encoder_input().tobytes() for a in one.items] == [
        b.encoder_input().tobytes() for b in reversed(two.items)
    ][::-1]
    assert all(
        a.encoder_input().tobytes() != b.encoder_input().tobytes() for a, b in zip(one.items, other.items, strict=True)
    )
    assert all(a.digest() != b.digest() for a, b in zip(one.items, other.items, strict=True))


@pytest.mark.parametrize("size", [(1, 1), (8, 8), (5, 300), (300, 5)])
def test_any_size_of_picture(size):
    for hit in write_wrong_class(data_set(4, *size)).items:
        assert np.asarray(hit.encoder_input()).shape == (*size, 3)


def test_sets_without_a_wrong_class():
    given = data_set(1)
    for wrong in (replace(given, task="retrieval"), replace(given, classes=given.classes[:1])):
        with pytest.raises(DataError, match="wrong class"):
            write_wrong_class(wrong)
    unknown = write_wrong_class(replace(given, items=[replace(given.items[0], label=None)]))
    with pytest.raises(DataError, match="k0 has no class"):
        unknown.items[0]
