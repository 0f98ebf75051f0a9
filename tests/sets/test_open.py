"""What a SET on the command line means: a registry's name or a path, and a split."""

from pathlib import Path

import pytest
from support.user_files import png, tar_of, tree

from contralto.errors import DataError
from contralto.sets import declaration
from contralto.sets.data_set import Class, DataSet, Item
from contralto.sets.open import open_set


class Declared:
    """A set of the registry, that tells how it was opened."""

    def open(self, data, split):
        def other(asked):
            return self.open(data, asked)

        items = (Item("k", png(0), 0),)
        return DataSet("birds", split or "test", "classes", "mean_per_class", items, (Class("owl"),), ("{}",), "birds",
                       ("test", "val"), str(data), other)  # fmt: skip


@pytest.fixture(autouse=True)
def registry(monkeypatch, tmp_path):
    def load_declaration(name):
        if name != "birds":
            raise DataError(f"no data set is named {name}: is it birds?")
        return Declared()

    monkeypatch.setattr(declaration, "set_names", lambda: ["birds"])
    monkeypatch.setattr(declaration, "load_declaration", load_declaration)
    monkeypatch.chdir(tmp_path)


def test_a_name_is_looked_for_under_data_and_here_by_default():
    data_set = open_set("birds:val", Path("there"))
    assert (data_set.name, data_set.origin, data_set.split, data_set.metric) == (
        "birds",
        "there",
        "val",
        "mean_per_class",
    )
    assert (open_set("birds").origin, open_set("birds").split) == (".", "test")


def test_given_names_and_templates_go_before_the_registrys_in_all_splits():
    data_set = open_set("birds", classes=["a barn owl"], templates=("see {}",)).other("val")
    assert (data_set.split, data_set.classes[0].name, data_set.templates) == ("val", "a barn owl", ("see {}",))
    with pytest.raises(DataError, match="has 1 classes, but 2 are given"):
        open_set("birds", classes=["a", "b"])


def test_a_name_goes_before_a_folder_of_that_name_and_a_path_is_a_path():
    tree(Path(), {"birds/test/ape/1.png": png(1), "apes/ape/2.png": png(1)})
    assert open_set("birds").origin == "."
    assert open_set("./birds").origin == "birds"
    assert open_set(Path("birds")).origin == "birds"
    assert open_set("apes").name == "apes"
    assert open_set("apes:all").split == "all"


def test_a_path_may_hold_a_colon():
    tree(Path(), {"a:b/test/ape/1.png": png(1), "a:b/val/ape/1.png": png(1), "a/val/ape/1.png": png(1)})
    assert (open_set("a:b").name, open_set("a:b").split) == ("a:b", "test")
    assert (open_set("./a:b:val").name, open_set("./a:b:val").split) == ("a:b", "val")
    assert open_set("./a:val").name == "a"


@pytest.mark.parametrize(
    "given", ["./none", "none.tar", "none/at/all:test", "none.tar:val", "n-{000..003}.tar", "x*.tar"]
)
def test_a_path_that_is_not_there_is_said_to_be_missing(given):
    with pytest.raises(DataError, match=": no such file or folder"):
        open_set(given)


@pytest.mark.parametrize("given", ["brids", "brids:test"])
def test_a_name_that_is_not_there_is_left_to_the_registry(given):
    with pytest.raises(DataError, match="no data set is named brids: is it birds"):
        open_set(given)


def test_other_files_are_errors_that_list_what_is_read():
    tree(Path(), {"a.zip": b"PK"})
    with pytest.raises(DataError, match=r"a\.zip is no folder and no \.tar"):
        open_set("a.zip")
    tree(Path(), {"a.tar": b"not a tar"})
    with pytest.raises(DataError, match="not a plain tar"):
        open_set("a.tar")


def test_an_unknown_split_of_an_opened_set_is_an_error():
    tar_of(Path("a.tar"), [("test/ape/1.png", png(1)), ("val/ape/2.png", png(2))])
    with pytest.raises(DataError, match=r"no split 'train' \(available: test, val\)"):
        open_set("a.tar").other("train")


def test_a_split_is_listed_when_it_is_opened_and_not_before():
    """Whoever measures on val does not wait for a million training pictures."""
    tree(Path(), {"s/test/ape/1.png": png(1), "s/train/bee/2.png": png(2)})
    data_set = open_set("s")
    tree(Path(), {"s/train/bee/3.png": png(3)})
    assert len(data_set.other("train").items) == 2
