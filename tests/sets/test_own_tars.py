"""WebDataset tars: captions, classes, splits, and CLIP_benchmark's layout."""

import io

import numpy as np
import pytest
from own_files import labels, png, shade, tar_of, tree

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
        found = [part for n in range(first, first + per_shard) for part in sample(n, cls=str(n % 3))]
        tar_of(root / f"test/{shard}.tar", found)
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
    found = open_set(str(benchmark(tmp_path)))
    assert (found.split, found.task, sorted(found.splits)) == ("test", "classes", ["test", "train"])
    assert labels(found) == {0: "cat", 1: "dog", 2: "owl", 3: "cat"}
    assert found.templates == ("a photo of {}.", "{}, seen")
    assert [item.key for item in found.items][1:3] == ["test/0.tar/s0000001", "test/1.tar/s0000002"]
    assert labels(found.other("train")) == {10: "dog", 11: "owl", 12: "cat"}


def test_the_folder_of_one_split_takes_names_from_above(tmp_path):
    found = open_set(str(benchmark(tmp_path) / "test"))
    assert (found.split, [known.name for known in found.classes]) == ("all", ["cat", "dog", "owl"])


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
    with pytest.raises(DataError, match=r"nshards\.txt says 2 shards, but 1 are there"):
        open_set(str(tmp_path))


def test_classes_without_names_are_an_error_until_names_are_given(tmp_path):
    path = str(tar_of(tmp_path / "a.tar", sample(0, cls="0") + sample(1, cls="1")))
    with pytest.raises(DataError, match=r"--classes"):
        open_set(path)
    assert labels(open_set(path, classes=["yes", "no"])) == {0: "yes", 1: "no"}
    with pytest.raises(DataError, match="so 2 classes, but 3 are named"):
        open_set(path, classes=["yes", "no", "maybe"])


def test_several_classes_a_picture(tmp_path):
    arrays = [np.array(row) for row in ([0, 1, 1], [1, 0, 0], [0, 0, 0])]
    tar_of(tmp_path / "a.tar", [part for n, row in enumerate(arrays) for part in sample(n, npy=npy(row))])
    tree(tmp_path, {"classnames.txt": "a\nb\nc\n"})
    found = open_set(str(tmp_path / "a.tar"))
    assert (found.task, found.metric) == ("labels", "map11")
    assert [item.labels for item in found.items] == [(1, 2), (0,), ()]


def test_an_array_of_no_dimension_is_a_class_index(tmp_path):
    path = str(tar_of(tmp_path / "a.tar", sample(0, npy=npy(np.int64(0))) + sample(1, npy=npy(np.int64(1)))))
    assert labels(open_set(path, classes=["a", "b"])) == {0: "a", 1: "b"}


@pytest.mark.parametrize(
    "value", [npy(np.array([0.5, 1])), npy(np.array([2, 0])), npy(np.array(["a"], dtype=object)), b"\x93NUMPY", b""]
)
def test_other_arrays_are_errors_and_pickles_are_not_run(tmp_path, value):
    path = tar_of(tmp_path / "a.tar", sample(0, npy=value))
    with pytest.raises(DataError, match=r"s0000000\.npy"):
        open_set(str(path))


def test_captions_in_json_or_text_make_retrieval(tmp_path):
    parts = sample(1, json={"captions": ["a", "b"]}) + sample(2, txt="c\n\nd\n") + sample(3, json={"id": 3}, txt="e")
    found = open_set(str(tar_of(tmp_path / "a.tar", parts)))
    assert (found.split, found.task, found.metric) == ("all", "retrieval", "r1_image_to_text")
    assert [item.captions for item in found.items] == [("a", "b"), ("c", "d"), ("e",)]
    assert found.classes == found.templates == ()


def test_the_split_in_each_json(tmp_path):
    said = {1: "train", 2: "dev", 3: "dev"}
    parts = [part for n, split in said.items() for part in sample(n, json={"captions": ["x"], "split": split})]
    path = str(tar_of(tmp_path / "a.tar", parts))
    with pytest.raises(DataError, match=r"no split test or val \(there are: train, dev\): name one"):
        open_set(path)
    found = open_set(path + ":dev")
    assert [shade(item) for item in found.items] == [2, 3]
    assert [shade(item) for item in found.other("train").items] == [1]


def test_a_json_that_states_no_split_among_others_that_do_is_an_error(tmp_path):
    parts = sample(1, json={"captions": ["x"], "split": "dev"}) + sample(2, json={"captions": ["x"]})
    with pytest.raises(DataError, match=r"s0000002.*states no `split`"):
        open_set(str(tar_of(tmp_path / "a.tar", parts)))


def test_numbered_shards_by_pattern(tmp_path):
    for n in range(8, 11):
        tar_of(tmp_path / f"x-{n:03d}.tar", sample(n, txt="a"))
    assert [shade(item) for item in open_set(str(tmp_path / "x-{008..010}.tar")).items] == [8, 9, 10]
    assert [shade(item) for item in open_set(str(tmp_path / "x-{008..009}.tar:all")).items] == [8, 9]
    assert [shade(item) for item in open_set(str(tmp_path / "x-*.tar")).items] == [8, 9, 10]
    with pytest.raises(DataError, match=r"x-011\.tar cannot be read"):
        open_set(str(tmp_path / "x-{009..011}.tar"))
    with pytest.raises(DataError, match="is not there"):
        open_set(str(tmp_path / "y-{009..011}.tar"))


def test_a_pattern_of_folders(tmp_path):
    for n in (1, 2):
        tar_of(tmp_path / f"part{n}/x.tar", sample(n, txt="a"))
    found = open_set(str(tmp_path / "part*/x.tar"))
    assert [(item.key, shade(item)) for item in found.items] == [
        ("part1/x.tar/s0000001", 1),
        ("part2/x.tar/s0000002", 2),
    ]


def test_splits_that_the_shards_names_begin_with_stay_apart(tmp_path):
    for name, n in (("train-000.tar", 1), ("valid-000.tar", 2), ("valid-001.tar", 3), ("trainee.tar", 4)):
        tar_of(tmp_path / name, sample(n, txt="a"))
    found = open_set(str(tmp_path))
    assert (found.split, [shade(item) for item in found.items]) == ("val", [2, 3])
    assert [shade(item) for item in found.other("train").items] == [1]


@pytest.mark.parametrize(
    ("parts", "why"),
    [
        ([*sample(1, txt="a"), ("s2.png", png(2))], r"s2\.png: has no caption and no class"),
        ([*sample(1, txt="a"), ("s2.txt", "b")], "'s2' has no picture, but txt"),
        (sample(1, txt="a") + sample(1, txt="b"), "second picture of the same key"),
        (sample(1, txt="a") + sample(2, cls="0"), "has no caption"),
        (sample(1, cls="0") + sample(2, txt="a"), "has no class"),
        (sample(1, cls="one"), "no class index"),
    ],
)
def test_nothing_is_passed_over_in_silence(tmp_path, parts, why):
    with pytest.raises(DataError, match=why):
        open_set(str(tar_of(tmp_path / "a.tar", parts)), classes=["a"] if "cls" in str(parts) else None)
