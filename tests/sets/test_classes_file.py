"""Class names and texts of the user's own, by file or by value."""

import json

import pytest
from support.user_files import labels, png, tree

from contralto.errors import ContraltoError, DataError
from contralto.sets.classes_file import read_classes, rename_classes
from contralto.sets.data_set import Class
from contralto.sets.open import open_set

KNOWN = (Class("ape", folder="a_ape", group="beast"), Class("bee", folder="b_bee"))


def file(tmp_path, text):
    (tmp_path / "names").write_bytes(text if isinstance(text, bytes) else text.encode())
    return tmp_path / "names"


@pytest.mark.parametrize("text", ["ape\n\n  bee \n", '["ape", "bee"]', "\ufeffape\r\nbee"])
def test_names_by_index(tmp_path, text):
    assert read_classes(file(tmp_path, text)) == (Class("ape"), Class("bee"))


def test_names_with_synonyms(tmp_path):
    classes = read_classes(file(tmp_path, '["ape", ["bee", ["a bee", "a honey bee"]]]'))
    assert classes == (Class("ape"), Class("bee", ("a bee", "a honey bee")))


def test_texts_by_name(tmp_path):
    classes = read_classes(file(tmp_path, '{"bee": ["it flies", "it hums"], "ape": "it climbs"}'))
    assert classes == {"bee": ("it flies", "it hums"), "ape": ("it climbs",)}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "names no class"),
        ("[]", "names no class"),
        ("[1]", "class 0 must be a name"),
        ('["a", ["b"]]', "class 1 must be a name"),
        ('[["b", []]]', "'b' needs a list of texts"),
        ('{"a": [1]}', "'a' needs a list of texts"),
        ("[", "not JSON"),
        (b"\xff", "not UTF-8"),
    ],
)
def test_other_files_are_errors_that_name_them(tmp_path, text, why):
    with pytest.raises(DataError, match=why) as error:
        read_classes(file(tmp_path, text))
    assert "names" in str(error.value)


def test_a_missing_file_is_an_error(tmp_path):
    with pytest.raises(DataError, match="No such file"):
        read_classes(tmp_path / "none")


def test_names_take_the_place_of_a_sets_and_keep_what_is_known():
    classes = rename_classes(KNOWN, ["gorilla", ("bee", ("a bee", "bees"))], "x")
    assert classes == (
        (Class("gorilla", folder="a_ape", group="beast"), Class("bee", ("a bee", "bees"), "b_bee")),
        False,
    )


def test_texts_find_their_class_by_name_or_folder_whatever_their_order():
    classes, are_texts = rename_classes(KNOWN, {"b_bee": ["it hums"], "ape": ["it climbs"]}, "x")
    assert are_texts
    assert [(known.name, known.names) for known in classes] == [("ape", ("it climbs",)), ("bee", ("it hums",))]


@pytest.mark.parametrize("given", [["a"], ["a", "b", "c"], {"ape": ["x"]}])
def test_another_number_of_classes_is_an_error_that_says_both(given):
    with pytest.raises(DataError, match=f"has 2 classes, but {len(given)} are given"):
        rename_classes(KNOWN, given, "x")


def test_texts_of_a_class_that_is_not_there_are_an_error():
    with pytest.raises(DataError, match="nothing is given for the class 'bee'"):
        rename_classes(KNOWN, {"ape": ["x"], "wasp": ["y"]}, "x")


@pytest.fixture
def two_splits(tmp_path):
    files = {"test/ape/1.png": png(1), "test/bee/2.png": png(2), "val/bee/3.png": png(3)}
    return str(tree(tmp_path / "s", files))


def test_given_names_and_templates_go_first_in_every_split(two_splits):
    data_set = open_set(two_splits, classes=["A", "B"], templates=["{}!"])
    for opened in (data_set, data_set.other("val"), data_set.other("val").other("test")):
        assert [known.name for known in opened.classes] == ["A", "B"]
        assert (opened.templates, opened.template_set) == (("{}!",), "given")
    assert labels(data_set) == {1: "A", 2: "B"}


def test_templates_by_the_name_of_their_set(two_splits):
    data_set = open_set(two_splits, templates="imagenet-7")
    assert (len(data_set.templates), data_set.template_set) == (7, "imagenet-7")
    with pytest.raises(ContraltoError, match="no set of templates"):
        open_set(two_splits, templates="nothing of that kind")


def test_texts_are_prompts_as_they_stand_unless_templates_are_given(two_splits, tmp_path):
    tree(tmp_path, {"texts.json": {"bee": ["it hums"], "ape": ["it climbs", "it eats"]}})
    texts = read_classes(tmp_path / "texts.json")
    data_set = open_set(two_splits, classes=texts)
    assert (data_set.templates, data_set.classes[0].names) == (("{}",), ("it climbs", "it eats"))
    assert open_set(two_splits, classes=texts, templates=["{}, seen"]).templates == ("{}, seen",)


def test_captions_have_no_classes_to_name(tmp_path):
    tree(tmp_path, {"t.csv": "path,caption\na.png,x\n"})
    with pytest.raises(DataError, match="its task is retrieval"):
        open_set(str(tmp_path / "t.csv"), classes=["a"])


def test_json_files_are_those_that_json_writes(tmp_path):
    (tmp_path / "names").write_text(json.dumps(["ä", "b"]), encoding="utf-8")
    assert [known.name for known in read_classes(tmp_path / "names")] == ["ä", "b"]
