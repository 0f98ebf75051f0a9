"""What a named set declares and how it is opened, on a declaration and a reader of the test's own."""

from __future__ import annotations

import json
import sys
import types

import numpy as np
import pytest

from contralto.errors import DataError
from contralto.sets import declaration, list_files
from contralto.sets.data_set import Class, Item
from contralto.sets.layouts import class_index, locate

STATED = {
    "name": "toys",
    "title": "Toys",
    "task": "classes",
    "metric": "top1",
    "splits": ["train", "test"],
    "reader": "toys:toys",
    "folders": ["toys", "toys-v2"],
    "where": "https://example.org/toys",
    "layout": "toys/<split>.txt",
    "templates": ["a toy {}."],
    "classes": ["ball", {"name": "toy car", "names": ["toy car", "model car"], "folder": "car", "group": "vehicle"}],
}


@pytest.fixture
def reader(monkeypatch):
    """A layout of lists `<split>.txt` with one class a line."""

    def toys(root, split, classes):
        place, path = class_index.index_by_folder(classes), locate.first_existing(root, f"{split}.txt")
        picture = np.zeros((2, 2, 3), np.uint8)
        labelled = [
            int(line) if line.isdigit() else class_index.index_of(place, line, path)
            for line in list_files.read_lines(path)
        ]
        return [Item(f"{split}/{at}", picture, label) for at, label in enumerate(labelled)]

    module = types.ModuleType("contralto.sets.layouts.toys")
    module.toys = toys
    monkeypatch.setitem(sys.modules, module.__name__, module)


def parsed(**changed):
    return declaration.parse(STATED | changed)


def write(folder, **splits):
    folder.mkdir(parents=True, exist_ok=True)
    for split, called in splits.items():
        (folder / f"{split}.txt").write_text("\n".join(called), encoding="utf-8")


def test_classes_are_names_or_objects():
    assert parsed().classes == (Class("ball"), Class("toy car", ("toy car", "model car"), "car", "vehicle"))
    assert parsed().classes[0].names == ("ball",)


@pytest.mark.usefixtures("reader")
def test_an_opened_set_carries_all_that_is_declared(tmp_path):
    write(tmp_path / "toys", train=["ball"], test=["car", "ball"])
    opened = parsed().open(tmp_path)
    assert (opened.name, opened.split, opened.metric, opened.task) == ("toys", "test", "top1", "classes")
    assert [(item.key, item.label) for item in opened.items] == [("test/0", 1), ("test/1", 0)]
    assert (opened.templates, opened.template_set) == (("a toy {}.",), "toys")
    assert opened.splits == ("train", "test")
    assert opened.origin == str(tmp_path / "toys")
    assert [item.label for item in opened.other("train").items] == [0]
    with pytest.raises(DataError, match=r"no split 'val' \(available: train, test\)"):
        opened.other("val")


@pytest.mark.usefixtures("reader")
def test_templates_by_name_keep_their_name(tmp_path):
    write(tmp_path / "toys", test=["ball"])
    opened = parsed(templates="mnist").open(tmp_path)
    assert opened.template_set == "mnist"
    assert opened.templates == ('a photo of the number: "{}".',)


@pytest.mark.parametrize("folder", ["toys", "toys-v2", "."])
@pytest.mark.usefixtures("reader")
def test_the_root_is_a_folder_by_one_of_its_names_or_the_data_folder_itself(tmp_path, folder):
    write(tmp_path / folder, test=["ball"])
    assert len(parsed().open(tmp_path).items) == 1


@pytest.mark.usefixtures("reader")
def test_a_folder_that_lacks_files_does_not_hide_one_that_has_them(tmp_path):
    write(tmp_path / "toys", train=["ball"])
    write(tmp_path / "toys-v2", test=["car"])
    assert parsed().open(tmp_path).origin == str(tmp_path / "toys-v2")


@pytest.mark.usefixtures("reader")
def test_what_is_missing_comes_first_then_where_to_get_it_and_the_layout(tmp_path):
    with pytest.raises(DataError) as absent:
        parsed().open(tmp_path)
    assert str(absent.value) == (
        f"toys: no folder toys or toys-v2 in {tmp_path}; get Toys from https://example.org/toys "
        "and lay it out as toys/<split>.txt"
    )
    write(tmp_path / "toys", train=["ball"])
    with pytest.raises(DataError) as partly:
        parsed().open(tmp_path)
    assert str(partly.value).startswith(f"toys: {tmp_path / 'toys' / 'test.txt'} is missing; get Toys from https://")


@pytest.mark.parametrize(
    ("splits", "asked", "opened"),
    [(["train", "test"], None, "test"), (["train", "val"], None, "val"), (["train", "test"], "train", "train")],
)
@pytest.mark.usefixtures("reader")
def test_no_split_named_is_test_else_val(tmp_path, splits, asked, opened):
    write(tmp_path / "toys", **{split: ["ball"] for split in splits})
    assert parsed(splits=splits).open(tmp_path, asked).split == opened


@pytest.mark.usefixtures("reader")
def test_a_split_that_is_not_there_is_an_error_that_lists_them(tmp_path):
    with pytest.raises(DataError, match=r"toys has no split 'dev' \(available: train, test\)"):
        parsed().open(tmp_path, "dev")
    with pytest.raises(DataError, match=r"neither test nor val: name a split \(train, extra\), as toys:train"):
        parsed(splits=["train", "extra"]).open(tmp_path)


@pytest.mark.usefixtures("reader")
def test_labels_outside_the_classes_are_an_error_with_both_counts(tmp_path):
    write(tmp_path / "toys", test=["0", "2"])
    with pytest.raises(DataError, match="has labels 0 to 2, but 2 classes are declared"):
        parsed().open(tmp_path)
    write(tmp_path / "toys", test=["doll"])
    with pytest.raises(DataError, match="'doll' is none of the 2 classes declared"):
        parsed().open(tmp_path)


@pytest.mark.usefixtures("reader")
def test_a_split_without_pictures_is_an_error(tmp_path):
    write(tmp_path / "toys", test=[])
    with pytest.raises(DataError, match="no pictures"):
        parsed().open(tmp_path)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"colour": "red"}, "unknown key 'colour'"),
        ({"task": "guess"}, "'guess' is no task"),
    ],
)
def test_a_malformed_declaration_is_refused(changed, message):
    with pytest.raises(DataError, match=message):
        parsed(**changed)
    with pytest.raises(DataError, match="where"):
        declaration.parse({key: value for key, value in STATED.items() if key != "where"})


def test_classes_of_another_set_and_a_subset(monkeypatch):
    monkeypatch.setattr(declaration, "load_declaration", lambda name: parsed(name=name))
    stated = {key: value for key, value in STATED.items() if key != "classes"}
    assert [c.name for c in declaration.parse(stated | {"classes_of": "toys"}).classes] == ["ball", "toy car"]
    assert [c.name for c in declaration.parse(stated | {"classes_of": "toys", "subset": [1]}).classes] == ["toy car"]


def test_an_unknown_name_is_answered_with_the_closest(monkeypatch):
    monkeypatch.setattr(declaration, "set_names", lambda: ["cifar10", "cifar100", "mnist"])
    with pytest.raises(DataError, match=r"no data set is named 'cifar' \(available: cifar10, cifar100\)"):
        declaration.load_declaration("cifar")


def test_every_declaration_parses_and_is_called_as_its_file():
    for name in declaration.set_names():
        assert declaration.load_declaration(name).name == name


def test_the_registry_is_plain_json_of_known_keys():
    assert declaration.parse(json.loads(json.dumps(STATED))) == parsed()
