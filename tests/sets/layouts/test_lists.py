"""Food-101, DTD, Pets, Aircraft and SUN397 in the form of their published lists."""

from __future__ import annotations

import pytest

from contralto.errors import DataError
from contralto.sets.declaration import load_declaration


def lay(root, listed, folder, **lists):
    """Lists by name (with / for the folder, given as __) and an empty folder of pictures."""
    for name, rows in lists.items():
        path = root / listed / f"{name}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    (root / folder).mkdir(parents=True, exist_ok=True)


def shown(opened):
    return [(item.key, opened.classes[item.label].name) for item in opened.items]


def test_food101(tmp_path):
    root = tmp_path / "food-101"
    lay(root, "meta", "images", train=["apple_pie/1005649"], test=["lobster_roll_sandwich/104", "waffles/7"])
    opened = load_declaration("food101").open(tmp_path)
    assert shown(opened) == [
        ("images/lobster_roll_sandwich/104.jpg", "lobster roll sandwich"),
        ("images/waffles/7.jpg", "waffles"),
    ]
    assert opened.items[0].picture == root / "images" / "lobster_roll_sandwich" / "104.jpg"
    assert shown(opened.other("train")) == [("images/apple_pie/1005649.jpg", "apple pie")]
    assert opened.templates == ("a photo of {}, a type of food.",)
    assert len(opened.classes) == 101


def test_dtd_takes_the_first_cut(tmp_path):
    root = tmp_path / "dtd"
    lay(root, "labels", "images", test1=["polka-dotted/polka-dotted_0001.jpg"], val1=["zigzagged/zigzagged_0002.jpg"])
    lay(root, "labels", "images", test2=["banded/banded_0001.jpg"])
    opened = load_declaration("dtd").open(tmp_path)
    assert shown(opened) == [("images/polka-dotted/polka-dotted_0001.jpg", "polka-dotted")]
    assert shown(opened.other("val")) == [("images/zigzagged/zigzagged_0002.jpg", "zigzagged")]
    with pytest.raises(DataError, match=r"train1\.txt is missing; get Describable Textures from https://"):
        opened.other("train")


def test_pets_are_classed_by_name_since_their_ids_follow_another_order(tmp_path):
    """In the published lists Bengal, third of our names, is 6 and american_bulldog is 2."""
    root = tmp_path / "oxford-iiit-pet"
    test = ["Abyssinian_201 1 1 1", "american_bulldog_203 2 2 1", "Bengal_101 6 1 2", "British_Shorthair_3 10 1 5"]
    lay(root, "annotations", "images", test=test, trainval=["#Image CLASS-ID SPECIES BREED ID", "Sphynx_2 34 1 12"])
    opened = load_declaration("pets").open(tmp_path)
    assert shown(opened) == [
        ("images/Abyssinian_201.jpg", "Abyssinian"),
        ("images/american_bulldog_203.jpg", "american bulldog"),
        ("images/Bengal_101.jpg", "Bengal"),
        ("images/British_Shorthair_3.jpg", "British Shorthair"),
    ]
    assert [opened.classes[item.label].group for item in opened.items] == ["cat", "dog", "cat", "cat"]
    assert shown(opened.other("train")) == [("images/Sphynx_2.jpg", "Sphynx")]
    assert opened.metric == "mean_per_class"


def test_aircraft_variants_may_have_spaces_and_slashes(tmp_path):
    root = tmp_path / "fgvc-aircraft-2013b" / "data"
    lay(root, ".", "images", images_variant_test=["0062765 Boeing 717", "0481847 F-16A/B"])
    assert shown(load_declaration("aircraft").open(tmp_path)) == [
        ("images/0062765.jpg", "Boeing 717"),
        ("images/0481847.jpg", "F-16A/B"),
    ]


@pytest.mark.parametrize("listed", [".", "Partitions"])
def test_sun397_classes_are_one_or_two_folders_below_a_letter(tmp_path, listed):
    root = tmp_path / "SUN397"
    lay(root, listed, "a/abbey", Testing_01=["/a/abbey/sun_aaa.jpg", "/b/bow_window/indoor/sun_bbb.jpg"])
    lay(root, listed, "a/abbey", Training_01=["/w/wine_cellar/bottle_storage/sun_c.jpg"])
    opened = load_declaration("sun397").open(tmp_path)
    assert shown(opened) == [
        ("a/abbey/sun_aaa.jpg", "abbey"),
        ("b/bow_window/indoor/sun_bbb.jpg", "bow window indoor"),
    ]
    assert opened.items[1].picture == root / "b" / "bow_window" / "indoor" / "sun_bbb.jpg"
    assert shown(opened.other("train")) == [("w/wine_cellar/bottle_storage/sun_c.jpg", "wine cellar bottle storage")]


def test_a_class_that_is_not_declared_and_a_path_that_leads_out(tmp_path):
    root = tmp_path / "food-101"
    lay(root, "meta", "images", test=["lemonade/1"])
    with pytest.raises(DataError, match="'lemonade' is none of the 101 classes declared"):
        load_declaration("food101").open(tmp_path)
    lay(root, "meta", "images", test=["apple_pie/../../../secret"])
    with pytest.raises(DataError, match="is outside of it"):
        load_declaration("food101").open(tmp_path)
