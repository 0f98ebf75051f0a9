"""A folder per class, on the disk and in a tar: splits, names, what is wrong."""

import pytest
from own_files import labels, png, tar_of, tree

from contralto.errors import DataError
from contralto.sets.open import open_set

FILES = {
    "train/cat_fish/1.png": png(1),
    "train/ape/2.png": png(2),
    "validation/ape/3.png": png(3),
    "validation/ape/._3.png": b"junk",
    "train/ape/notes.txt": b"no picture",
}


@pytest.fixture(params=["disk", "tar"])
def made(request, tmp_path):
    """Writes the files as a folder, or as a tar, and gives the path as one types it."""

    def make(files):
        if request.param == "disk":
            return str(tree(tmp_path / "set", files))
        return str(tar_of(tmp_path / "set.tar", [("./" + name, data) for name, data in files.items()]))

    return make


def test_splits_are_found_and_val_goes_before_train(made):
    found = open_set(made(FILES))
    assert (found.name, found.split, found.task, found.metric) == ("set", "val", "classes", "top1")
    assert sorted(found.splits) == ["train", "val"]
    assert labels(found) == {3: "ape"}


def test_classes_are_those_of_all_splits_in_the_order_of_their_folders(made):
    path = made(FILES)
    for split, expected in {"train": {1: "cat fish", 2: "ape"}, "valid": {3: "ape"}}.items():
        found = open_set(f"{path}:{split}")
        assert labels(found) == expected
        assert [(known.name, known.folder) for known in found.classes] == [("ape", "ape"), ("cat fish", "cat_fish")]
        assert found.other("train").items[0].key.startswith("train/")


def test_test_goes_before_val_and_keys_are_paths_within_the_set(made):
    found = open_set(made({**FILES, "test/ape/4.png": png(4)}))
    assert (found.split, [item.key for item in found.items]) == ("test", ["test/ape/4.png"])


def test_without_splits_all_pictures_are_one(made):
    found = open_set(made({"ape/1.png": png(1), "bee/2.png": png(2)}))
    assert (found.split, found.splits, labels(found)) == ("all", ("all",), {1: "ape", 2: "bee"})


def test_a_folder_that_the_whole_tar_lies_in_is_no_class(tmp_path):
    for number, above in enumerate(("set/", "./set/val/")):
        path = tar_of(tmp_path / f"{number}.tar", [(f"{above}ape/1.png", png(1)), (f"{above}bee/2.png", png(2))])
        assert labels(open_set(str(path))) == {1: "ape", 2: "bee"}


def test_what_lies_beside_the_folders_of_splits_is_none(made):
    found = open_set(made({**FILES, "extra/9.png": png(9)}))
    assert sorted(found.splits) == ["train", "val"]
    assert [known.name for known in found.classes] == ["ape", "cat fish"]


def test_a_class_may_be_called_train(made):
    assert labels(open_set(made({"train/1.png": png(1), "tram/2.png": png(2)}))) == {1: "train", 2: "tram"}


def test_the_json_beside_it_states_names_groups_and_templates(made, tmp_path):
    path = made(FILES)
    classes = [
        {"index": 0, "dir": "zebra", "name": "zebra"},
        {"index": 1, "dir": "cat_fish", "name": "catfish", "coarse": "fish"},
        {"index": 2, "dir": "ape", "name": "great ape"},
    ]
    tree(tmp_path, {"set.json": {"classes": classes, "templates": ["see {}"], "side": 8}})
    found = open_set(f"{path}:train")
    assert labels(found) == {1: "catfish", 2: "great ape"}
    assert [known.group for known in found.classes] == ["", "fish", ""]
    assert (found.templates, found.template_set) == (("see {}",), "set")


def test_names_alone_find_their_folders_with_or_without_spaces(made, tmp_path):
    path = made(FILES)
    tree(tmp_path, {"set.json": {"classes": ["cat fish", "ape"]}})
    assert labels(open_set(f"{path}:train")) == {1: "cat fish", 2: "ape"}


@pytest.mark.parametrize(
    ("stated", "why"),
    [
        ({"classes": ["ape"]}, r"2 class folders, set\.json states 1 classes: 'cat_fish' is none"),
        ({"classes": "ape"}, "must be a list"),
        ({"classes": [{"dir": "ape"}]}, "class 0 must be a name"),
        ({"classes": ["cat fish", {"index": 0, "dir": "ape", "name": "x"}]}, "class 1 must be"),
        ({"classes": ["ape", "cat fish", "ape"]}, "same folder"),
        ({"templates": ["no place"]}, "for the class name"),
        (["ape"], "must be an object"),
    ],
)
def test_a_json_that_does_not_fit_is_an_error(made, tmp_path, stated, why):
    path = made(FILES)
    tree(tmp_path, {"set.json": stated})
    with pytest.raises(DataError, match=why):
        open_set(path)


def test_an_unknown_split_is_an_error_that_lists_the_others(made):
    with pytest.raises(DataError, match=r"no split 'test' \(there are: .*train"):
        open_set(made(FILES) + ":test")


def test_pictures_outside_of_class_folders_are_no_set(made):
    with pytest.raises(DataError, match="no pictures in folders per class"):
        open_set(made({"1.png": png(1)}))


def test_train_alone_is_measured_but_never_chosen_among_several(made):
    assert open_set(made({"train/ape/1.png": png(1)})).split == "train"


def test_two_names_of_the_same_split_are_an_error(tmp_path):
    tree(tmp_path, {"val/ape/1.png": png(1), "valid/ape/2.png": png(2)})
    with pytest.raises(DataError, match="more than one"):
        open_set(str(tmp_path))


def test_an_empty_split_is_an_error(tmp_path):
    tree(tmp_path, {"test/ape/notes.txt": b"", "train/ape/1.png": png(1)})
    with pytest.raises(DataError, match="'test' is empty"):
        open_set(str(tmp_path))


def test_a_member_twice_is_an_error(tmp_path):
    path = tar_of(tmp_path / "set.tar", [("ape/1.png", png(1)), ("ape/1.png", png(2))])
    with pytest.raises(DataError, match=r"ape/1\.png"):
        open_set(str(path))
