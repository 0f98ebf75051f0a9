"""Parquet and Arrow as the Hugging Face hub and its library `datasets` lay them out."""

import json
import os
import pickle
import sys

import pyarrow as pa
import pytest
import yaml
from pyarrow import parquet
from support.user_files import labels, png, shade, tree

from contralto.errors import DataError, MissingExtraError
from contralto.sets.arrow_files import ParquetColumn, RowGroupCache
from contralto.sets.open import open_set

IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def pictures(shades):
    return pa.array([{"bytes": png(s), "path": f"{s}.png"} for s in shades], IMAGE)


def with_features(table, **features):
    """As `datasets` marks a table."""
    said = {"info": {"features": {"image": {"_type": "Image"}, **features}}}
    return table.replace_schema_metadata({"huggingface": json.dumps(said)})


def class_label(*names):
    return {"names": list(names), "_type": "ClassLabel"}


def write(path, table, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(table, path, **options)


def hub(root, rows):
    """`data/SPLIT-0000N-of-0000M.parquet` with two shards a split; rows: split -> (shades, labels)."""
    for split, (shades, values) in rows.items():
        for shard in range(2):
            part = slice(shard * 2, None if shard else 2)
            table = pa.table({"image": pictures(shades[part]), "label": pa.array(values[part], pa.int64())})
            path = root / f"data/{split}-{shard:05d}-of-00002.parquet"
            write(path, with_features(table, label=class_label("apple_pie", "soup")), row_group_size=1)
    return str(root)


def test_a_folder_of_the_hub(tmp_path):
    rows = {
        "train": ([1, 2, 3], [0, 0, 0]),
        "validation": ([4, 5, 6], [1, 0, 1]),
        "test": ([7, 8, 9, 10], [0, 0, 0, 1]),
    }
    data_set = open_set(hub(tmp_path, rows))
    assert (data_set.split, data_set.task, sorted(data_set.splits)) == ("test", "classes", ["test", "train", "val"])
    assert labels(data_set) == {7: "apple pie", 8: "apple pie", 9: "apple pie", 10: "soup"}
    assert labels(data_set.other("val")) == {4: "soup", 5: "apple pie", 6: "soup"}
    assert data_set.items[3].key == "data/test-00001-of-00002.parquet row 1"


def test_a_row_is_told_apart_by_its_stamp_and_seen_to_change_by_its_files(tmp_path):
    items = open_set(hub(tmp_path, {"test": ([1, 2, 3], [0, 1, 0])})).items
    before = [item.stamp() for item in items]
    assert len(set(before)) == 3
    assert None not in before
    os.utime(tmp_path / "data/test-00000-of-00002.parquet", ns=(1, 1))
    assert [a == b for a, b in zip(before, (item.stamp() for item in items), strict=True)] == [False, False, True]


def test_opening_reads_no_picture(tmp_path, monkeypatch):
    """Only the columns that say something are read: the pictures may be far larger than the memory."""
    path = hub(tmp_path, {"test": ([1, 2, 3], [0, 1, 0])})
    read: list[list[str]] = []
    of_file, of_group = parquet.ParquetFile.read, parquet.ParquetFile.read_row_group
    monkeypatch.setattr(
        parquet.ParquetFile, "read", lambda self, columns: (read.append(columns), of_file(self, columns=columns))[1]
    )
    monkeypatch.setattr(
        parquet.ParquetFile,
        "read_row_group",
        lambda self, n, columns: (read.append([n]), of_group(self, n, columns))[1],
    )
    data_set = open_set(path)
    assert [item.label for item in data_set.items] == [0, 1, 0]
    assert read == [["label"], ["label"]]
    assert shade(data_set.items[2]) == 3
    assert read[2:] == [[0]]


def test_one_file_with_lists_of_captions_and_a_column_of_splits(tmp_path):
    columns = {
        "image": pictures([1, 2, 3]),
        "caption": [["a", " "], ["b", "c"], ["d"]],
        "split": ["train", "test", "test"],
        "filename": ["x", "y", "z"],
    }
    write(tmp_path / "test-00000-of-00001.parquet", pa.table(columns))
    data_set = open_set(str(tmp_path / "test-00000-of-00001.parquet"))
    assert (data_set.split, data_set.task, data_set.splits) == ("test", "retrieval", ("train", "test"))
    assert [(shade(item), item.captions) for item in data_set.items] == [(2, ("b", "c")), (3, ("d",))]


def test_bytes_without_structures_and_classes_by_name(tmp_path):
    write(tmp_path / "a.parquet", pa.table({"jpg": [png(1), png(2)], "class": ["red_fox", "ant"]}))
    data_set = open_set(str(tmp_path / "a.parquet"))
    assert (data_set.split, labels(data_set)) == ("all", {1: "red fox", 2: "ant"})
    assert [known.name for known in data_set.classes] == ["ant", "red fox"]


def test_several_classes_a_picture(tmp_path):
    table = pa.table({"image": pictures([1, 2]), "labels": [[0, 2], []]})
    write(tmp_path / "a.parquet", with_features(table, labels={"feature": class_label("a", "b", "c"), "_type": "List"}))
    data_set = open_set(str(tmp_path / "a.parquet"))
    assert (data_set.task, [item.labels for item in data_set.items]) == ("labels", [(0, 2), ()])
    write(tmp_path / "b.parquet", pa.table({"image": pictures([1, 2]), "labels": [["x", "y"], ["x"]]}))
    assert [item.labels for item in open_set(str(tmp_path / "b.parquet")).items] == [(0, 1), (0,)]


def test_names_in_dataset_info_where_the_schema_has_none(tmp_path):
    write(tmp_path / "data/test-00000-of-00001.parquet", pa.table({"image": pictures([1, 2]), "label": [1, 0]}))
    with pytest.raises(DataError, match="--classes"):
        open_set(str(tmp_path))
    tree(tmp_path, {"dataset_info.json": {"features": {"label": class_label("no", "yes")}}})
    assert labels(open_set(str(tmp_path))) == {1: "yes", 2: "no"}


def card(described) -> str:
    return f"---\n{yaml.safe_dump({'license': 'mit', 'dataset_info': described})}---\n# A set\n"


def described(*names):
    label = {"name": "label", "dtype": {"class_label": {"names": {str(n): name for n, name in enumerate(names)}}}}
    return {"features": [{"name": "image", "dtype": "image"}, label], "splits": [{"name": "test", "num_examples": 2}]}


def test_names_in_the_card_where_nothing_else_has_them(tmp_path):
    write(tmp_path / "data/test-00000-of-00001.parquet", pa.table({"image": pictures([1, 2]), "label": [1, 0]}))
    tree(tmp_path, {"README.md": card(described("no", "yes"))})
    assert labels(open_set(str(tmp_path))) == {1: "yes", 2: "no"}
    one, other = ({"config_name": name, **described("no", name)} for name in ("yes", "maybe"))
    tree(tmp_path, {"README.md": card([one, {"config_name": "texts", "features": []}])})
    assert labels(open_set(str(tmp_path))) == {1: "yes", 2: "no"}
    tree(tmp_path, {"README.md": card([one, other])})
    with pytest.raises(DataError, match="--classes"):
        open_set(str(tmp_path))
    tree(tmp_path, {"README.md": "---\na: [\n---\n"})
    with pytest.raises(DataError, match=r"README\.md: its head is not YAML"):
        open_set(str(tmp_path))


def test_the_row_groups_kept_are_bounded_over_all_files(tmp_path):
    for n in range(3):
        write(tmp_path / f"{n}.parquet", pa.table({"jpg": [b"x" * 1000] * 4}), row_group_size=2)
    groups = RowGroupCache(limit=4500)
    columns = [ParquetColumn(tmp_path / f"{n}.parquet", "jpg", [2, 2], groups) for n in range(3)]
    for _ in range(2):
        assert [len(column[row]) for column in columns for row in range(4)] == [1000] * 12
        assert 2000 < groups.nbytes <= 4500
    small = RowGroupCache(limit=1)
    assert len(ParquetColumn(tmp_path / "0.parquet", "jpg", [2, 2], small)[3]) == 1000
    assert len(small) == 1


def test_a_file_that_is_damaged_after_opening_fails_where_it_is_read(tmp_path):
    data_set = open_set(hub(tmp_path, {"test": ([1, 2, 3], [0, 1, 0])}))
    (tmp_path / "data/test-00000-of-00002.parquet").write_bytes(b"PAR1")
    with pytest.raises(DataError, match="test-00000-of-00002"):
        data_set.items[0].content()
    assert shade(data_set.items[2]) == 3


def test_a_label_outside_the_names_is_an_error(tmp_path):
    table = with_features(pa.table({"image": pictures([1]), "label": [2]}), label=class_label("a", "b"))
    write(tmp_path / "a.parquet", table)
    with pytest.raises(DataError, match=r"a\.parquet row 0: has label 2, but 2 classes are named"):
        open_set(str(tmp_path / "a.parquet"))


def test_hidden_labels_are_an_error(tmp_path):
    table = with_features(pa.table({"image": pictures([1]), "label": [-1]}), label=class_label("a", "b"))
    write(tmp_path / "a.parquet", table)
    with pytest.raises(DataError, match=r"a\.parquet row 0: '-1' is neither a class"):
        open_set(str(tmp_path / "a.parquet"))


def test_odd_rows_cost_themselves(tmp_path):
    table = pa.table({"image": pictures([1, 2, 3, 4]), "label": pa.array([1, None, -1, 0])})
    write(tmp_path / "a.parquet", with_features(table, label=class_label("a", "b")))
    data_set = open_set(str(tmp_path / "a.parquet"))
    assert labels(data_set) == {1: "b", 4: "a"}
    assert list(data_set.left_out.failed) == ["a.parquet row 2", "a.parquet row 1"]
    write(tmp_path / "b.parquet", pa.table({"image": pictures([1, 2, 3]), "caption": ["a", None, " "]}))
    data_set = open_set(str(tmp_path / "b.parquet"))
    assert [item.captions for item in data_set.items] == [("a",)]
    assert data_set.left_out.failed == dict.fromkeys(("b.parquet row 1", "b.parquet row 2"), "has no caption")


def test_what_systems_leave_beside_files_is_no_table(tmp_path):
    write(tmp_path / "data/test-00000-of-00001.parquet", pa.table({"image": pictures([1]), "caption": ["a"]}))
    tree(tmp_path, {"data/._test-00000-of-00001.parquet": b"junk", "__MACOSX/x.parquet": b"junk", ".x/y.parquet": b""})
    assert [shade(item) for item in open_set(str(tmp_path)).items] == [1]


def test_two_configurations_are_not_mixed(tmp_path):
    for name in ("de", "en"):
        write(tmp_path / name / "test-00000-of-00001.parquet", pa.table({"image": pictures([1]), "caption": [name]}))
    with pytest.raises(DataError, match="test is in several folders"):
        open_set(str(tmp_path))
    assert open_set(str(tmp_path / "de")).items[0].captions == ("de",)


def test_files_of_other_columns_are_not_mixed(tmp_path):
    write(tmp_path / "test-00000-of-00001.parquet", pa.table({"image": pictures([1]), "caption": ["a"]}))
    write(tmp_path / "train-00000-of-00001.parquet", pa.table({"image": pictures([1]), "label": ["a"]}))
    with pytest.raises(DataError, match=r"train-.* has other columns than .*test-"):
        open_set(str(tmp_path))
    assert open_set(tmp_path / "train-00000-of-00001.parquet").split == "train"


def test_without_pyarrow_the_extra_is_named(tmp_path, monkeypatch):
    write(tmp_path / "a.parquet", pa.table({"image": pictures([1]), "caption": ["a"]}))
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtraError, match=r"contralto\[evaluate\]"):
        open_set(tmp_path / "a.parquet")


def test_rows_without_a_picture_fail_alone(tmp_path):
    table = pa.table({"image": pa.array([None, {"bytes": png(2), "path": None}], IMAGE), "label": ["a", "b"]})
    write(tmp_path / "a.parquet", table)
    first, second = open_set(str(tmp_path / "a.parquet")).items
    with pytest.raises(DataError, match=r"a\.parquet row 0: holds no bytes"):
        first.content()
    assert shade(second) == 2


def test_other_files_are_errors(tmp_path):
    write(tmp_path / "a.parquet", pa.table({"path": ["x"], "label": ["a"]}))
    with pytest.raises(DataError, match="no column of pictures"):
        open_set(str(tmp_path / "a.parquet"))
    tree(tmp_path, {"b.parquet": b"PAR1"})
    with pytest.raises(DataError, match=r"b\.parquet is not a readable Parquet"):
        open_set(str(tmp_path / "b.parquet"))


def saved(folder, shades, values, split=None):
    """As `Dataset.save_to_disk` writes it: one Arrow stream in several batches."""
    folder.mkdir(parents=True)
    table = with_features(pa.table({"image": pictures(shades), "label": values}), label=class_label("no", "yes"))
    with pa.ipc.new_stream(str(folder / "data-00000-of-00001.arrow"), table.schema) as stream:
        stream.write_table(table, max_chunksize=2)
    state = {"_data_files": [{"filename": "data-00000-of-00001.arrow"}], "_split": split}
    return tree(folder, {"state.json": state, "dataset_info.json": {"features": {}}})


def test_what_save_to_disk_writes(tmp_path):
    data_set = open_set(str(saved(tmp_path / "one", [1, 2, 3], [0, 1, 1], split="validation")))
    assert (data_set.name, data_set.split, labels(data_set)) == ("one", "val", {1: "no", 2: "yes", 3: "yes"})
    for split, shade_ in (("train", 4), ("test", 5)):
        saved(tmp_path / "both" / split, [shade_], [0])
    data_set = open_set(str(tree(tmp_path / "both", {"dataset_dict.json": {"splits": ["train", "test"]}})))
    assert (data_set.split, sorted(data_set.splits), labels(data_set)) == ("test", ["test", "train"], {5: "no"})


def test_a_selection_that_is_not_flattened_and_damage_are_errors(tmp_path):
    folder = saved(tmp_path / "one", [1], [0])
    tree(folder, {"data-00000-of-00001.arrow": pickle.dumps([1])})
    with pytest.raises(DataError, match="not a readable Arrow stream"):
        open_set(str(folder))
    tree(
        folder, {"state.json": {"_data_files": [{"filename": "x.arrow"}], "_indices_files": [{"filename": "i.arrow"}]}}
    )
    with pytest.raises(DataError, match="does not list its files in row order"):
        open_set(str(folder))
