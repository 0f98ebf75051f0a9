"""CSV, TSV and JSON Lines next to pictures."""

import pytest
from support.user_files import labels, png, shade, tree

from contralto.errors import DataError
from contralto.sets.open import open_set
from contralto.sets.picture_tables import NO_ROW

PICTURES = {f"p/{n}.png": png(n) for n in range(4)}


def table(tmp_path, text, name="t.csv"):
    return str(tree(tmp_path, {**PICTURES, name: text}) / name)


def test_classes_by_name_are_sorted_and_the_splits_are_those_of_the_column(tmp_path):
    text = "path,label,split\np/0.png,hot_dog,train\np/1.png,apple,test\np/2.png,hot_dog,test\n"
    data_set = open_set(table(tmp_path, text))
    assert (data_set.name, data_set.split, data_set.task, data_set.splits) == (
        "t",
        "test",
        "classes",
        ("train", "test"),
    )
    assert labels(data_set) == {1: "apple", 2: "hot dog"}
    assert [item.key for item in data_set.items] == ["p/1.png", "p/2.png"]
    assert labels(data_set.other("train")) == {0: "hot dog"}


def test_classes_by_index_need_names(tmp_path):
    path = table(tmp_path, "filename,class\np/0.png,1\np/1.png,0\n")
    with pytest.raises(DataError, match="--classes"):
        open_set(path)
    assert labels(open_set(path, classes=["a", "b"])) == {0: "b", 1: "a"}


def test_several_rows_a_picture_are_its_captions(tmp_path):
    data_set = open_set(table(tmp_path, 'path,caption\np/0.png,"one, two"\np/1.png,x\np/0.png,three\n'))
    assert [item.captions for item in data_set.items] == [("one, two", "three"), ("x",)]
    assert data_set.task == "retrieval"


@pytest.mark.parametrize("name", ["t.csv", "t.tsv"])
def test_tabs_and_the_columns_of_open_clip(tmp_path, name):
    data_set = open_set(table(tmp_path, "filepath\ttitle\np/0.png\ta cat\n", name))
    assert [(item.key, item.captions) for item in data_set.items] == [("p/0.png", ("a cat",))]


def test_json_lines_with_lists(tmp_path):
    data_set = open_set(table(tmp_path, '{"image": "p/3.png", "captions": ["a", "b"]}\n\n', "t.jsonl"))
    assert [(shade(item), item.captions) for item in data_set.items] == [(3, ("a", "b"))]


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
    data_set = open_set(str(tmp_path))
    assert (data_set.split, [(item.key, shade(item)) for item in data_set.items]) == ("test", [("test/1.png", 1)])
    assert [item.captions for item in data_set.other("val").items] == [("a validation",)]


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
        ("path,label\n,x\n", "line 2: names no picture"),
        ('path,label\np/0.png,"x" y\n', "line 2: is no row of a table"),
        ('path,label\np/0.png,"x\np/1.png,y\n', "not a table in UTF-8"),
        (b"\xff\xfep\0a\0t\0h\0,\0l\0a\0b\0e\0l\0\n\0", "not a table in UTF-8: save it as UTF-8"),
        (b"path,label\np/0.png,\xff\n", "line 2: is not UTF-8 text"),
    ],
)
def test_another_layout_is_an_error_that_names_the_line(tmp_path, text, why):
    with pytest.raises(DataError, match=why) as error:
        open_set(table(tmp_path, text))
    assert "\n" not in str(error.value)


ODD_ROWS = {
    "p/0.png": "has too few columns",
    "p/0.png,x,test,y": "has too many columns",
    "p/0.png,,test": "has no label",
    "p/0.png, ,test": "has no label",
    "p/0.png,x,": "names no split",
    ",x,test": "names no picture",
    "p/1.png,x,test": "is a second row for the same picture",
    "p/1.png,other,test": "is a second row for the same picture",
    'p/0.png,"x" y,test': "is no row of a table",
}


@pytest.mark.parametrize("odd", ODD_ROWS)
def test_an_odd_row_costs_itself_and_is_told(tmp_path, odd):
    rows = ["path,label,split", "p/1.png,apple,test", odd, "p/2.png,pear,test"]
    data_set = open_set(table(tmp_path, "\n".join(rows)))
    assert labels(data_set) == {1: "apple", 2: "pear"}
    ((where, reason),) = data_set.left_out.failed.items()
    assert (where, ODD_ROWS[odd] in reason) == (f"{tmp_path}/t.csv line 3", True)


@pytest.mark.parametrize(
    "odd",
    ["{", "[1]", "7", '{"note": 1}', '{"image": null, "captions": ["a"]}', '{"image": "p/0.png", "captions": null}',
     '{"image": "p/0.png", "captions": [null, " ", 7]}', '{"image": "p/0.png", "captions": NaN}',
     '{"image": "p/0\\u0000.png", "captions": ["a"]}', '{"image": 3, "captions": ["a"]}', '{"image": "p/0.png"}'],
)  # fmt: skip
@pytest.mark.parametrize("first", [True, False])
def test_an_odd_object_costs_itself_wherever_it_stands(tmp_path, odd, first):
    whole = '{"image": "p/3.png", "captions": [null, "a"]}'
    data_set = open_set(table(tmp_path, "\n".join([odd, whole] if first else [whole, odd]), "t.jsonl"))
    assert [(shade(item), item.captions) for item in data_set.items] == [(3, ("a",))]
    assert list(data_set.left_out.failed) == [f"{tmp_path}/t.jsonl line {1 if first else 2}"]


def test_columns_may_change_from_object_to_object(tmp_path):
    text = '{"image": "p/1.png", "text": "a"}\n{"caption": "b", "file_name": "p/2.png"}\n'
    assert [item.captions for item in open_set(table(tmp_path, text, "t.jsonl")).items] == [("a",), ("b",)]


@pytest.mark.parametrize("label", ["null", "NaN", '""', '{"a": 1}', "-1", "true", "1" * 5000])
def test_a_label_that_is_none_costs_its_row(tmp_path, label):
    text = f'{{"path": "p/0.png", "label": {label}}}\n{{"path": "p/1.png", "label": "x"}}\n'
    data_set = open_set(table(tmp_path, text, "t.jsonl"))
    assert labels(data_set) == {1: "x"}
    assert len(data_set.left_out.failed) == 1


@pytest.mark.parametrize("spelling", ["3", " 3", "3.0"])
def test_an_index_is_one_as_spreadsheets_write_it_too(tmp_path, spelling):
    path = table(tmp_path, f"path,label\np/0.png,{spelling}\np/1.png,0\n")
    assert labels(open_set(path, classes=list("abcd"))) == {0: "d", 1: "a"}


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("name", ["t.csv", "t.tsv", "t.CSV"])
def test_the_header_says_what_parts_the_cells(tmp_path, separator, name):
    text = f'\nFilepath{separator} Title\np/0.png{separator}"one{separator} two"\n\np/1.png{separator}x\n'
    data_set = open_set(table(tmp_path, text, name))
    assert [item.captions for item in data_set.items] == [(f"one{separator} two",), ("x",)]


def test_paths_may_lie_anywhere_in_a_table_that_one_names(tmp_path):
    tree(
        tmp_path,
        {"else where/5.png": png(5), "set/t.csv": f"path,label\n{tmp_path}/else where/5.png,x\n../p/1.png,y\n"},
    )
    tree(tmp_path, PICTURES)
    assert labels(open_set(str(tmp_path / "set/t.csv"))) == {5: "x", 1: "y"}


@pytest.mark.parametrize("outside", ["/etc/hostname", "../t.png", "a/../../t.png"])
def test_the_table_of_a_folder_stays_within_it(tmp_path, outside):
    tree(tmp_path / "set", {"metadata.csv": f"file_name,text\n{outside},x\n1.png,y\n", "1.png": png(1)})
    data_set = open_set(str(tmp_path / "set"))
    assert [item.captions for item in data_set.items] == [("y",)]
    assert "must lie within" in data_set.left_out.first()


def test_pictures_of_the_folder_that_no_row_names_are_told(tmp_path):
    tree(tmp_path, {**PICTURES, "q.png": png(9), "metadata.csv": "file_name,text\n./p/0.png,x\np/1.png,y\n"})
    data_set = open_set(str(tmp_path))
    assert [shade(item) for item in data_set.items] == [0, 1]
    assert data_set.left_out.ignored == {NO_ROW: (3, "q.png")}


def test_tables_that_systems_left_are_none(tmp_path):
    tree(tmp_path, {"test/metadata.csv": "file_name,text\n1.png,x\n", "test/1.png": png(1),
                    ".ipynb_checkpoints/metadata.csv": "junk", "__MACOSX/metadata.csv": "junk"})  # fmt: skip
    assert [shade(item) for item in open_set(str(tmp_path)).items] == [1]


def test_a_quotation_mark_that_eats_rows_is_told_with_them(tmp_path):
    text = 'path,caption\np/0.png,"a\np/1.png,b\np/2.png,"c"\np/3.png,d\n'
    data_set = open_set(table(tmp_path, text))
    assert [item.captions for item in data_set.items] == [("d",)]
    assert "line 4: is no row of a table, with the lines from 2 on" in data_set.left_out.first()


@pytest.mark.parametrize(("text", "why"), [("[1]\n", "line 1: must be an object"), ("{\n", "line 1: is not JSON")])
def test_other_lines_than_json_objects_are_errors(tmp_path, text, why):
    with pytest.raises(DataError, match=why):
        open_set(table(tmp_path, text, "t.jsonl"))


def test_an_index_among_names_costs_itself(tmp_path):
    text = '{"path": "p/0.png", "label": 7}\n{"path": "p/1.png", "label": "x"}\n'
    data_set = open_set(table(tmp_path, text, "t.jsonl"))
    assert (labels(data_set), len(data_set.classes)) == ({1: "x"}, 1)
    assert data_set.left_out.failed == {"p/0.png": "has label 7, but 1 classes are named"}
