"""Every spelling of a split has one name."""

import pytest

from contralto.data.splits import find_split, is_split, split_name, split_of_shard


@pytest.mark.parametrize(
    ("spelling", "name"),
    [("train", "train"), ("Training", "train"), ("VALID", "val"), ("validation", "val"), ("Testing", "test"),
     ("Dev", "dev"), ("development", "dev"), ("evaluation", "eval"), (" test ", "test")],
)  # fmt: skip
def test_spellings(spelling, name):
    assert is_split(spelling)
    assert split_name(spelling) == name


@pytest.mark.parametrize("name", ["trainer", "tested", "values", "holdout", "Fold-1", ""])
def test_other_names_are_none_and_stay_as_they_are(name):
    assert not is_split(name)
    assert split_name(name) == name


@pytest.mark.parametrize(
    ("stem", "split"),
    [("test-00000-of-00004", "test"), ("Validation_3", "val"), ("training-01", "train"), ("dev.clean", "dev"),
     ("holdout-00001-of-00002", "holdout"), ("trainee", None), ("developer-1", None), ("0", None)],
)  # fmt: skip
def test_the_names_of_shards(stem, split):
    assert split_of_shard(stem) == split


@pytest.mark.parametrize(
    ("asked", "splits", "expected"),
    [("valid", ("train", "val"), "val"), ("val", ("train", "dev"), "dev"), ("dev", ("val",), None),
     ("validation", ("eval", "dev"), "dev"), ("VAL", ("VAL",), "VAL"), ("test", ("train",), None)],
)  # fmt: skip
def test_a_split_that_is_asked_for(asked, splits, expected):
    assert find_split(asked, splits) == expected
