"""The patterns by which users of WebDataset name shards."""

import pytest

from contralto.data import shards
from contralto.data.shards import expand, shard_files
from contralto.data.webdataset import WebDataset
from contralto.errors import DataError


def names(pattern):
    return [str(path) for path in expand(pattern)]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("x-{000000..000002}.tar", ["x-000000.tar", "x-000001.tar", "x-000002.tar"]),
        ("x-{8..11}.tar", ["x-8.tar", "x-9.tar", "x-10.tar", "x-11.tar"]),
        ("x-{08..11}.tar", ["x-08.tar", "x-09.tar", "x-10.tar", "x-11.tar"]),
        ("x-{098..101}.tar", ["x-098.tar", "x-099.tar", "x-100.tar", "x-101.tar"]),
        ("x-{2..0}.tar", ["x-0.tar", "x-1.tar", "x-2.tar"]),
        ("x-{0..10..5}.tar", ["x-0.tar", "x-5.tar", "x-10.tar"]),
        ("{a..c}.tar", ["a.tar", "b.tar", "c.tar"]),
        ("{b,a}.tar", ["a.tar", "b.tar"]),
        ("{train,more/{0..1}}/{a,b}.tar", ["more/0/a.tar", "more/0/b.tar", "more/1/a.tar", "more/1/b.tar",
                                           "train/a.tar", "train/b.tar"]),
        ("x{,-{0..1}}.tar", ["x-0.tar", "x-1.tar", "x.tar"]),
        ("a.tar::b-{0..1}.tar::a.tar", ["a.tar", "b-0.tar", "b-1.tar"]),
        ("a{}b{c}{0..}.tar", ["a{}b{c}{0..}.tar"]),
        ("a{0..1.tar", ["a{0..1.tar"]),
        ("a{{0..1}.tar", ["a{0.tar", "a{1.tar"]),
        ("plain.tar", ["plain.tar"]),
    ],
)  # fmt: skip
def test_braces_and_lists(pattern, expected, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert names(pattern) == expected


def test_globs_are_sorted_by_number_and_mix_with_braces(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a-10.tar", "a-9.tar", "b-1.tar", "b-1.txt", ".c-1.tar"):
        (tmp_path / name).touch()
    assert names("*.tar") == ["a-9.tar", "a-10.tar", "b-1.tar"]
    assert names("{a,b}-?.tar") == ["a-9.tar", "b-1.tar"]
    assert names("b-[0-9].*::a-9.tar") == ["a-9.tar", "b-1.tar", "b-1.txt"]


def test_a_file_of_the_very_name_goes_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("x-{0..1}.tar", "y[1].tar", "z::0.tar"):
        (tmp_path / name).touch()
        assert names(name) == [name]


def test_a_slip_of_the_pen_ends(monkeypatch):
    monkeypatch.setattr(shards, "MAX_SHARD_NAMES", 1000)
    with pytest.raises(DataError, match="expands to more than 1000 files"):
        expand("x-{0..99999999999}.tar")


def test_missing_shards_are_named_in_one_line(tmp_path):
    (tmp_path / "x-3.tar").touch()
    with pytest.raises(DataError, match=r"9 of its 10 files are missing: x-0\.tar, .* x-5\.tar, \.\.\.$") as error:
        shard_files(f"{tmp_path}/x-{{0..9}}.tar")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("pattern", ["y-*.tar", "y-{0..3}.tar", "{a,b}.tar", "a.tar::b.tar"])
def test_a_pattern_that_nothing_matches_is_an_error(tmp_path, monkeypatch, pattern):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=": no such file"):
        WebDataset(pattern)


@pytest.mark.parametrize("pattern", ["{a,b}-*.tar", "a-*.tar::b-*.tar", "a-0.tar::b-0.tar", "a-{0..0}.tar::b-?.tar"])
def test_a_part_that_matches_nothing_is_missing(tmp_path, monkeypatch, pattern):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a-0.tar").touch()
    with pytest.raises(DataError, match=r"1 of its 2 files are missing: b-.\.tar$"):
        shard_files(pattern)


def test_a_list_keeps_its_order_and_its_patterns_are_sorted(tmp_path):
    for name in ("b.tar", "a-1.tar", "a-0.tar"):
        (tmp_path / name).touch()
    paths = shard_files([tmp_path / "b.tar", f"{tmp_path}/a-{{0..1}}.tar"])
    assert [path.name for path in paths] == ["b.tar", "a-0.tar", "a-1.tar"]
