"""CSV, TSV and JSON Lines beside pictures."""

import pytest
from own_files import labels, png, shade, tree

from contralto.errors import DataError
from contralto.sets.open import open_set

PICTURES = {f"p/{n}.png": png(n) for n in range(4)}


def table(tmp_path, text, name="t.csv"):
    return str(tree(tmp_path, {**PICTURES, name: text}) / name)


def test_classes_by_name_are_sorted_and_the_splits_are_those_of_the_column(tmp_path):
    text = "path,label,split\np/0.png,hot_dog,train\np/1.png,apple,test\np/2.png,hot_dog,test\n"
    found = open_set(table(tmp_path, text))
    assert (found.name, found.split, found.task, found.splits) == ("t", "test", "classes", ("train", "test"))
    assert labels(found) == {1: "apple", 2: "hot dog"}
    assert [item.key for item in found.items] == ["p/1.png", "p/2.png"]
    assert labels(found.other("train")) == {0: "hot dog"}


def test_classes_by_index_need_names(tmp_path):
    path = table(tmp_path, "filename,class\np/0.png,1\np/1.png,0\n")
    with pytest.raises(DataError, match="--classes"):
        open_set(path)
    assert labels(open_set(path, classes=["a", "b"])) == {0: "b", 1: "a"}


def test_several_rows_a_picture_are_its_captions(tmp_path):
    found = open_set(table(tmp_path, 'path,caption\np/0.png,"one, two"\np/1.png,x\np/0.png,three\n'))
    assert [item.captions for item in found.items] == [("one, two", "three"), ("x",)]
    assert found.task == "retrieval"


@pytest.mark.parametrize("name", ["t.csv", "t.tsv"])
def test_tabs_and_the_columns_of_open_clip(tmp_path, name):
    found = open_set(table(tmp_path, "filepath\ttitle\np/0.png\ta cat\n", name))
    assert [(item.key, item.captions) for item in found.items] == [("p/0.png", ("a cat",))]


def test_json_lines_with_lists(tmp_path):
    found = open_set(table(tmp_path, '{"image": "p/3.png", "captions": ["a", "b"]}\n\n', "t.jsonl"))
    assert [(shade(item), item.captions) for item in found.items] == [(3, ("a", "b"))]


@pytest.mark.parametrize("name", ["metadata.csv", "metadata.jsonl"])
def test_the_metadata_of_an_image_folder(tmp_path, name):
    rows = {"test": "1.png", "validation": "2.png"}
    for split, file in rows.items():
        text = (
            f"file_name,text\n{file},a {split}\n"
            if name.endswith("csv")
            else f'{{"file_name":"{file}","text":"a {split}"}}'
        )
        tree(tmp_path / split, {file: png(int(file[0])), name: text})
    found = open_set(str(tmp_path))
    assert (found.split, [(item.key, shade(item)) for item in found.items]) == ("test", [("test/1.png", 1)])
    assert [item.captions for item in found.other("val").items] == [("a validation",)]


def test_one_table_is_read_where_there_are_two_kinds(tmp_path):
    tree(
        tmp_path, {"metadata.csv": "file_name,text\na.png,x\n", "metadata.jsonl": '{"file_name": "a.png", "text": "y"}'}
    )
    assert [item.captions for item in open_set(str(tmp_path)).items] == [("x",)]


def test_metadata_above_the_pictures(tmp_path):
    tree(tmp_path, {**PICTURES, "metadata.csv": "file_name,label,split\np/0.png,x,val\np/1.png,y,val\n"})
    assert labels(open_set(str(tmp_path))) == {0: "x", 1: "y"}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a,label\nx,y\n", "no column of pictures.*its columns: a, label"),
        ("path,size\nx,y\n", "no column label, class or caption; its columns: path, size"),
        ("path,label\n", "holds no rows"),
        ("path,label\n../p/0.png,x\n", "line 2: path '../p/0.png' must lie within"),
        ("path,label\n/etc/passwd,x\n", "must lie within"),
        ("path,label\n,x\n", "must lie within"),
        ("path,label\np/0.png\n", "line 2: the row has too many or too few"),
        ("path,label\np/0.png,x,y\n", "line 2: the row has too many or too few"),
        ("path,label\np/0.png,\n", "line 2: the row has no label"),
        ("path,caption\np/0.png, \n", "line 2: the row has no caption"),
        ("path,label\np/0.png,x\np/0.png,x\n", "line 3: a second row for 'p/0.png'"),
        ("path,label,caption\np/0.png,x,a\np/0.png,y,b\n", "line 3: a second row"),
        ("path,label,split\np/0.png,x,\n", "line 2: the row names no split"),
        ('path,label\np/0.png,"x" y\n', "not a table in UTF-8"),
        (b"path,label\np/0.png,\xff\n", "not a table in UTF-8"),
    ],
)
def test_another_layout_is_an_error_that_names_the_line(tmp_path, text, why):
    with pytest.raises(DataError, match=why) as error:
        open_set(table(tmp_path, text))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("text", "why"), [("[1]\n", "line 1 must be an object"), ("{\n", "line 1 is not JSON")])
def test_other_lines_than_json_objects_are_errors(tmp_path, text, why):
    with pytest.raises(DataError, match=why):
        open_set(table(tmp_path, text, "t.jsonl"))


def test_an_index_among_names_is_an_error(tmp_path):
    with pytest.raises(DataError, match="so 8 classes, but 2 are named"):
        open_set(table(tmp_path, '{"path": "p/0.png", "label": 7}\n{"path": "p/1.png", "label": "x"}\n', "t.jsonl"))
