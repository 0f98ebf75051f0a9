"""EuroSAT, Caltech-101 and RESISC45: a folder per class, cut by the stated rule."""

from __future__ import annotations

import hashlib

import pytest

from contralto.errors import DataError
from contralto.sets.declaration import load_declaration


def lay(root, name, counts):
    """counts: class folder -> how many empty pictures; one each for the classes not named."""
    for known in load_declaration(name).classes:
        folder = root / (known.folder or known.name)
        folder.mkdir(parents=True)
        for number in range(counts.get(folder.name, 1)):
            (folder / f"{folder.name}_{number + 1}.jpg").touch()


def drawn(folder, count):
    """The stated rule, in a line: names in the order of the SHA-256 of `folder/file name`."""
    keys = [f"{folder}/{folder}_{number + 1}.jpg" for number in range(count)]
    return sorted(keys, key=lambda key: hashlib.sha256(key.encode()).hexdigest())


def keys(opened, folder):
    return sorted(item.key for item in opened.items if item.key.startswith(f"{folder}/"))


def test_eurosat_cuts_500_for_test_and_1000_for_training(tmp_path):
    lay(tmp_path / "EuroSAT" / "2750", "eurosat", {"Pasture": 1700})
    test = load_declaration("eurosat").open(tmp_path)
    order = drawn("Pasture", 1700)
    assert keys(test, "Pasture") == sorted(order[:500])
    assert keys(test.other("train"), "Pasture") == sorted(order[500:1500])
    assert {test.classes[item.label].name for item in test.items if "Pasture" in item.key} == {"pasture land"}
    assert {item.key: test.classes[item.label].name for item in test.items}["SeaLake/SeaLake_1.jpg"] == "lake or sea"


def test_caltech101_draws_30_a_class_and_tests_on_the_others(tmp_path):
    root = tmp_path / "caltech101" / "101_ObjectCategories"
    lay(root, "caltech101", {"crocodile_head": 40, "BACKGROUND_Google": 31})
    (root / "BACKGROUND_Google" / "tmp").touch()
    test = load_declaration("caltech101").open(tmp_path)
    order = drawn("crocodile_head", 40)
    assert keys(test, "crocodile_head") == sorted(order[30:])
    assert keys(test.other("train"), "crocodile_head") == sorted(order[:30])
    assert len(test.items) == 11
    names = {item.key.partition("/")[0]: test.classes[item.label].name for item in test.other("train").items}
    assert names["Faces"], names["Faces_easy"] == ("off-center face", "centered face")
    assert names["BACKGROUND_Google"] == "background"
    assert names["yin_yang"] == "yin and yang symbol"


def test_resisc45_is_cut_by_the_rule(tmp_path):
    lay(tmp_path / "NWPU-RESISC45", "resisc45", {"sea_ice": 150})
    test = load_declaration("resisc45").open(tmp_path)
    order = drawn("sea_ice", 150)
    assert keys(test, "sea_ice") == sorted(order[140:])
    assert keys(test.other("val"), "sea_ice") == sorted(order[70:140])
    assert keys(test.other("train"), "sea_ice") == sorted(order[:70])


@pytest.mark.parametrize("folder", ["NWPU-RESISC45", "resisc45/NWPU-RESISC45"])
def test_resisc45_follows_split_files_where_there_are_some(tmp_path, folder):
    root = tmp_path / folder
    lay(root, "resisc45", {})
    (root.parent / "resisc45-test.txt").write_text("baseball_diamond_001.jpg\nsea_ice_009.jpg\n")
    test = load_declaration("resisc45").open(tmp_path)
    assert [(item.key, test.classes[item.label].name) for item in test.items] == [
        ("baseball_diamond/baseball_diamond_001.jpg", "baseball diamond"),
        ("sea_ice/sea_ice_009.jpg", "sea ice"),
    ]
    assert test.items[0].picture == root / "baseball_diamond" / "baseball_diamond_001.jpg"
    with pytest.raises(DataError, match=r"resisc45-train\.txt is missing"):
        test.other("train")


def test_folders_that_are_not_the_declared_classes(tmp_path):
    root = tmp_path / "EuroSAT" / "2750"
    lay(root, "eurosat", {})
    (root / "Desert").mkdir()
    assert len(load_declaration("eurosat").open(tmp_path).items) == 10, "an empty folder is no class"
    (root / "Desert" / "Desert_1.jpg").touch()
    with pytest.raises(DataError, match="the data have 11 classes, 10 are declared: 'Desert' is not declared"):
        load_declaration("eurosat").open(tmp_path)
    (root / "Desert" / "Desert_1.jpg").unlink()
    (root / "River" / "River_1.jpg").unlink()
    with pytest.raises(DataError, match="the data have 9 classes, 10 are declared: 'River' is not among the data"):
        load_declaration("eurosat").open(tmp_path)


def test_other_folders_in_the_data_folder_are_not_taken_for_classes(tmp_path):
    (tmp_path / "mnist").mkdir()
    with pytest.raises(DataError, match=r"eurosat: no folder EuroSAT/2750 or .* get EuroSAT from https://"):
        load_declaration("eurosat").open(tmp_path)
