"""WebDataset tars: captions, classes, splits, and CLIP_benchmark's layout."""

import io
import re

import numpy as np
import pytest
from support.user_files import labels, png, shade, tar_of, tree

from contralto.errors import DataError
from contralto.sets.open import open_set


def npy(value) -> bytes:
    file = io.BytesIO()
    np.save(file, value)
    return file.getvalue()


def sample(number, **parts):
    return [(f"s{number:07d}.png", png(number)), *((f"s{number:07d}.{part}", data) for part, data in parts.items())]


def benchmark(root, per_shard=2, names="cat\ndog\nowl\n"):
    """As CLIP_benchmark writes them."""
    for shard in range(2):
        first = shard * per_shard
        parts = [part for n in range(first, first + per_shard) for part in sample(n, cls=str(n % 3))]
        tar_of(root / f"test/{shard}.tar", parts)
    tar_of(root / "train/0.tar", [part for n in range(10, 13) for part in sample(n, cls=f"{n % 3}\n")])
    return tree(
        root,
        {
            "classnames.txt": names,
            "zeroshot_classification_templates.txt": "a photo of {c}.\n{c}, seen\n",
            "dataset_type.txt": "classification",
            "test/nshards.txt": "2\n",
            "train/nshards.txt": "1\n",
        },
    )


def test_the_layout_of_clip_benchmark(tmp_path):
    data_set = open_set(str(benchmark(tmp_path)))
    assert (data_set.split, data_set.task, sorted(data_set.splits)) == ("test", "classes", ["test", "train"])
    assert labels(data_set) == {0: "cat", 1: "dog", 2: "owl", 3: "cat"}
    assert data_set.templates == ("a photo of {}.", "{}, seen")
    assert [item.key for item in data_set.items][1:3] == ["test/0.tar/s0000001", "test/1.tar/s0000002"]
    assert labels(data_set.other("train")) == {10: "dog", 11: "owl", 12: "cat"}


def test_the_folder_of_one_split_takes_names_from_above(tmp_path):
    data_set = open_set(str(benchmark(tmp_path) / "test"))
    assert (data_set.split, [known.name for known in data_set.classes]) == ("all", ["cat", "dog", "owl"])


def test_shards_are_read_in_the_order_of_their_numbers(tmp_path):
    for shard in (10, 9):
        tar_of(tmp_path / f"test/{shard}.tar", sample(shard, txt="x"))
    assert [shade(item) for item in open_set(str(tmp_path)).items] == [9, 10]


@pytest.mark.parametrize(("names", "count"), [("cat\ndog\n", 2), ("cat\ndog\nowl\nelk\n", 4)])
def test_names_that_are_too_few_or_too_many_are_an_error_that_says_both_counts(tmp_path, names, count):
    with pytest.raises(DataError, match=f"go up to 2, so 3 classes, but {count} are named"):
        open_set(str(benchmark(tmp_path, names=names)))


def test_a_shard_that_is_missing_is_an_error(tmp_path):
    (benchmark(tmp_path) / "test/1.tar").unlink()
    with pytest.raises(DataError, match=r"nshards\.txt states 2 shards, but 1 exist"):
        open_set(str(tmp_path))


def test_classes_without_names_are_an_error_until_names_are_given(tmp_path):
    path = str(tar_of(tmp_path / "a.tar", sample(0, cls="0") + sample(1, cls="1")))
    with pytest.raises(DataError, match=r"--classes"):
        open_set(path)
    assert labels(open_set(path, classes=["yes", "no"])) == {0: "yes", 1: "no"}
    with pytest.raises(DataError, match="so 2 classes, but 3 are named"):
        open_set(path, classes=["yes", "no", "maybe"])


@pytest.mark.parametrize("kind", [np.float32, np.int64, bool])
def test_several_classes_a_picture(tmp_path, kind):
    arrays = [np.array(row, kind) for row in ([0, 1, 1], [1, 0, 0], [0, 0, 0])]
    tar_of(tmp_path / "a.tar", [part for n, row in enumerate(arrays) for part in sample(n, npy=npy(row))])
    tree(tmp_path, {"classnames.txt": "a\nb\nc\n"})
    data_set = open_set(str(tmp_path / "a.tar"))
    assert (data_set.task, data_set.metric) == ("labels", "map11")
    assert [item.labels for item in data_set.items] == [(1, 2), (0,), ()]


def test_an_array_of_no_dimension_is_a_class_index(tmp_path):
    path = str(tar_of(tmp_path / "a.tar", sample(0, npy=npy(np.int64(0))) + sample(1, npy=npy(np.int64(1)))))
    assert labels(open_set(path, classes=["a", "b"])) == {0: "a", 1: "b"}


@pytest.mark.parametrize(
    "value",
    [
        npy(np.array([0.5, 1])),
        npy(np.array([2, 0])),
        npy(np.array(["a"], dtype=object)),
        npy(np.int64(-1)),
        npy(np.zeros((2, 2))),
        npy(np.zeros(2**17)),
        b"\x93NUMPY",
        b"",
    ],
)
def test_other_arrays_are_errors_and_pickles_are_not_run(tmp_path, value):
    path = tar_of(tmp_path / "a.tar", sample(0, npy=value))
    with pytest.raises(DataError, match=r"s0000000\.npy"):
        open_set(str(path))


def test_captions_in_json_or_text_make_retrieval(tmp_path):
    parts = sample(1, json={"captions": ["a", "b"]}) + sample(2, txt="c\n\nd\n") + sample(3, json={"id": 3}, txt="e")
    data_set = open_set(str(tar_of(tmp_path / "a.tar", parts)))
    assert (data_set.split, data_set.task, data_set.metric) == ("all", "retrieval", "r1_image_to_text")
    assert [item.captions for item in data_set.items] == [("a", "b"), ("c", "d"), ("e",)]
    assert data_set.classes == data_set.templates == ()


def test_the_split_in_each_json(tmp_path):
    said = {1: "train", 2: "fold", 3: "fold"}
    parts = [part for n, split in said.items() for part in sample(n, json={"captions": ["x"], "split": split})]
    path = str(tar_of(tmp_path / "a.tar", parts))
    with pytest.raises(DataError, match=r"no split test or val \(available: train, fold\): name one"):
        open_set(path)
    data_set = open_set(path + ":fold")
    assert [shade(item) for item in data_set.items] == [2, 3]
    assert [shade(item) for item in data_set.other("train").items] == [1]


@pytest.mark.parametrize("odd", [{"captions": ["x"]}, {"captions": ["x"], "split": None}, "{", [1]])
def test_a_json_that_states_no_split_among_others_that_do_costs_itself(tmp_path, odd):
    parts = sample(2, json=odd) + sample(1, json={"captions": ["x"], "split": "Dev"})
    data_set = open_set(str(tar_of(tmp_path / "a.tar", parts)))
    assert (data_set.split, [shade(item) for item in data_set.items]) == ("dev", [1])
    assert "states no `split`" in data_set.left_out.first()


def test_numbered_shards_by_pattern(tmp_path):
    for n in range(8, 11):
        tar_of(tmp_path / f"x-{n:03d}.tar", sample(n, txt="a"))
    assert [shade(item) for item in open_set(str(tmp_path / "x-{008..010}.tar")).items] == [8, 9, 10]
    assert [shade(item) for item in open_set(str(tmp_path / "x-{008..009}.tar:all")).items] == [8, 9]
    assert [shade(item) for item in open_set(str(tmp_path / "x-*.tar")).items] == [8, 9, 10]
    with pytest.raises(DataError, match=r"1 of its 3 files are missing: x-011\.tar$"):
        open_set(str(tmp_path / "x-{009..011}.tar"))
    with pytest.raises(DataError, match="no such file"):
        open_set(str(tmp_path / "y-{009..011}.tar"))


@pytest.mark.parametrize(
    "pattern", ["{a,b}-{0..1}.tar", "{a-{0,1},b-{0,1}}.tar", "?-*.tar", "a-{0..1}.tar::b-{0..1}.tar", "{a..b}-[01].tar"]
)
@pytest.mark.parametrize("split", ["", ":all"])
def test_every_way_to_name_several_shards(tmp_path, monkeypatch, pattern, split):
    for n, name in enumerate(("a-0", "a-1", "b-0", "b-1")):
        tar_of(tmp_path / f"{name}.tar", sample(n, txt="a"))
    monkeypatch.chdir(tmp_path)
    assert [shade(item) for item in open_set(pattern + split).items] == [0, 1, 2, 3]


def test_a_list_of_relative_and_absolute_paths(tmp_path, monkeypatch):
    for n in (1, 2, 3):
        tar_of(tmp_path / f"part{n}/x.tar", sample(n, txt="a"))
    monkeypatch.chdir(tmp_path / "part1")
    data_set = open_set(f"x.tar::../part2/x.tar::{tmp_path}/part3/x.tar:all")
    assert sorted(map(shade, data_set.items)) == [1, 2, 3]


def test_what_systems_leave_beside_tars_and_in_them_is_none(tmp_path):
    junk = [("__MACOSX/._s0000001.png", b"x"), ("._s0000001.png", b"x"), ("@eaDir/s9.png", png(9)), (".x/s8.txt", b"y")]
    tar_of(tmp_path / "a.tar", sample(1, txt="a") + junk)
    tree(tmp_path, {"._a.tar": b"junk", "__MACOSX/._a.tar": b"junk", ".hidden/b.tar": b"junk"})
    data_set = open_set(str(tmp_path))
    assert [shade(item) for item in data_set.items] == [1]
    assert not data_set.left_out.counts()


def test_a_pattern_of_folders(tmp_path):
    for n in (1, 2):
        tar_of(tmp_path / f"part{n}/x.tar", sample(n, txt="a"))
    data_set = open_set(str(tmp_path / "part*/x.tar"))
    assert [(item.key, shade(item)) for item in data_set.items] == [
        ("part1/x.tar/s0000001", 1),
        ("part2/x.tar/s0000002", 2),
    ]


def test_splits_that_the_shards_names_begin_with_stay_apart(tmp_path):
    for name, n in (("train-000.tar", 1), ("valid-000.tar", 2), ("valid-001.tar", 3), ("trainee.tar", 4)):
        tar_of(tmp_path / name, sample(n, txt="a"))
    data_set = open_set(str(tmp_path))
    assert (data_set.split, [shade(item) for item in data_set.items]) == ("val", [2, 3])
    assert [shade(item) for item in data_set.other("train").items] == [1]


@pytest.mark.parametrize(
    ("parts", "why"),
    [
        ([("s2.png", png(2))], r"s2\.png: has no caption and no class"),
        ([("s2.txt", "b")], "s2: has no picture, but txt"),
        (sample(2, txt="a") + sample(2, txt="b"), "second picture of the same key"),
        ([("s2.png", png(2)), ("s2.jpg", png(2)), ("s2.txt", "x")], "second picture of the same key"),
        (sample(2, cls="0"), "has no caption"),
        (sample(2, json={"caption": None}), "has no caption"),
        (sample(2, json={"captions": [None, " ", 7]}, txt=" \n"), "has no caption"),
        (sample(2, json="{"), "is not JSON"),
        (sample(2, txt=b"\xff"), "is not UTF-8"),
        (sample(2, cls="one"), "no class index"),
        (sample(2, cls="1" * 5000), "no class index"),
    ],
)
def test_an_odd_sample_costs_itself_and_is_told(tmp_path, parts, why):
    data_set = open_set(str(tar_of(tmp_path / "a.tar", sample(1, txt="a") + parts + sample(3, txt="b"))))
    assert [shade(item) for item in data_set.items] == [1, 3]
    assert len(data_set.left_out.failed) == 1
    assert re.search(why, data_set.left_out.first())


@pytest.mark.parametrize("odd", [{"txt": "a"}, {"cls": ""}, {"cls": "null", "txt": "a"}, {"json": {"captions": ["x"]}}])
def test_a_sample_without_a_class_costs_itself_where_others_have_one(tmp_path, odd):
    path = str(tar_of(tmp_path / "a.tar", sample(2, **odd) + sample(0, cls="0") + sample(1, cls="1")))
    data_set = open_set(path, classes=["a", "b"])
    assert labels(data_set) == {0: "a", 1: "b"}
    assert len(data_set.left_out.failed) == 1


@pytest.mark.parametrize(
    "said",
    [{"caption": None}, {"captions": None}, {"captions": []}, {"captions": [None, " "]}, {"caption": " "},
     {"caption": 7}, {}, {"caption": float("nan")}, [], None, "{", b"\xff"],
)  # fmt: skip
def test_where_the_json_has_no_caption_the_text_is_looked_at(tmp_path, said):
    data_set = open_set(str(tar_of(tmp_path / "a.tar", sample(1, json=said, txt="from the text"))))
    assert [item.captions for item in data_set.items] == [("from the text",)]


def test_null_captions_beside_a_caption(tmp_path):
    data_set = open_set(str(tar_of(tmp_path / "a.tar", sample(1, json={"captions": None, "caption": "x"}, txt="y"))))
    assert [item.captions for item in data_set.items] == [("x",)]


def test_a_broken_json_does_not_cost_a_sample_its_class(tmp_path):
    data_set = open_set(str(tar_of(tmp_path / "a.tar", sample(0, cls="0", json="{"))), classes=["a"])
    assert labels(data_set) == {0: "a"}


def test_of_a_picture_and_its_mask_the_picture_is_taken(tmp_path):
    parts = [("s1.seg.png", png(9)), ("s1.png", png(1)), ("s1.depth.png", png(8)), ("s1.txt", "a")]
    assert [shade(item) for item in open_set(str(tar_of(tmp_path / "a.tar", parts))).items] == [1]


def test_a_header_that_claims_more_than_there_is_is_an_error(tmp_path):
    value = npy(np.zeros(4)).replace(b"(4,), }" + b" " * 14, b"(4" + b"0" * 14 + b",), }")
    assert len(value) == len(npy(np.zeros(4)))
    with pytest.raises(DataError, match=r"s0000000\.npy"):
        open_set(str(tar_of(tmp_path / "a.tar", sample(0, npy=value))))
