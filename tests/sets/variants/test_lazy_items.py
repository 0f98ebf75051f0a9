from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageOps

from contralto.errors import DataError
from contralto.sets.data_set import DataSet, Item, PictureChange
from contralto.sets.variants.lazy_items import LazyItems, change_picture, map_items

PICTURE = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)


def test_items_are_made_when_asked_for_and_sliced_like_a_list():
    made = []

    def make(index):
        made.append(index)
        return Item(str(index), PICTURE)

    items = LazyItems(10, make)
    part = items[2:9:3]
    assert made == []
    assert [item.key for item in part] == ["2", "5", "8"]
    assert (items[-1].key, items[::-1][0].key, len(part), len(items[4:2])) == ("9", "9", 3, 0)
    for beyond in (10, -11):
        with pytest.raises(IndexError):
            items[beyond]


def test_changes_follow_each_other_and_tell_in_which_order():
    def flip(picture, key):
        return ImageOps.mirror(picture)

    def crop(picture, key):
        return picture.crop((0, 0, 2, 2))

    item = Item("a", PICTURE)
    both = change_picture(change_picture(item, PictureChange("flip", flip)), PictureChange("crop", crop))
    assert np.array_equal(np.asarray(both.encoder_input()), PICTURE[:2, :3:-1])
    other = change_picture(change_picture(item, PictureChange("crop", crop)), PictureChange("flip", flip))
    assert np.array_equal(np.asarray(other.encoder_input()), PICTURE[:2, 1::-1])
    assert len({one.digest() for one in (item, both, other)}) == 3


def test_other_splits_stay_as_they_are():
    train = DataSet("set", "train", "classes", "top1", [Item("t", PICTURE)], splits=("train", "test"))
    test = replace(train, split="test", items=[Item("a", PICTURE)], open_split=lambda split: train)
    inverted = map_items(
        test, lambda item: change_picture(item, PictureChange("invert", lambda picture, key: ImageOps.invert(picture)))
    )
    assert np.array_equal(np.asarray(inverted.items[0].encoder_input()), 255 - PICTURE)
    assert inverted.other("train") is train
    with pytest.raises(DataError, match="val"):
        inverted.other("val")


def test_pictures_are_rgb_for_a_change():
    grey = Item("g", np.zeros((3, 3, 3), np.uint8))
    seen = []
    change_picture(
        grey, PictureChange("look", lambda picture, key: seen.append((picture.mode, key)) or Image.new("RGB", (1, 1)))
    ).encoder_input()
    assert seen == [("RGB", "g")]
