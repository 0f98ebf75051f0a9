"""Where the cache folder is, and what of it is forgotten."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from contralto import cache


def test_the_first_that_is_set(monkeypatch):
    monkeypatch.setenv("CONTRALTO_CACHE", "/own")
    monkeypatch.setenv("XDG_CACHE_HOME", "/shared")
    monkeypatch.setenv("HOME", "/home/me")
    assert cache.folder() == Path("/own")
    monkeypatch.delenv("CONTRALTO_CACHE")
    assert cache.folder() == Path("/shared/contralto")
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    assert cache.folder() == Path("/home/me/.cache/contralto")


def test_a_user_without_a_home_has_a_cache_that_cannot_be_used(monkeypatch):
    for name in ("CONTRALTO_CACHE", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)

    def no_home():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", no_home)
    with pytest.raises(OSError, match="contralto"):
        cache.folder().mkdir(parents=True)


@pytest.mark.parametrize(
    ("name", "value", "found"),
    [
        ("CONTRALTO_CACHE", "~", "/home/me"),
        ("CONTRALTO_CACHE", "~/x", "/home/me/x"),
        ("XDG_CACHE_HOME", "~/x", "/home/me/x/contralto"),
        ("CONTRALTO_CACHE", "x/~", "x/~"),
        ("CONTRALTO_CACHE", "./~x", "~x"),
        ("CONTRALTO_CACHE", "~nobody-of-this-name/x", "/dev/null/contralto"),
    ],
)
def test_a_tilde_is_expanded(monkeypatch, name, value, found):
    for other in ("CONTRALTO_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(other, raising=False)
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.setenv(name, value)
    assert cache.folder() == Path(found)


def digests(*letters):
    return [f"{letter * 64}.sqlite" for letter in letters]


def make(folder, name, age, size=10):
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_bytes(bytes(size))
    os.utime(path, ns=(10**18 - age, 10**18 - age))


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_the_longest_unused_go_with_their_logs_and_nothing_that_is_not_ours(own_cache):
    a, b, c = digests(*"abc")
    for age, name in enumerate([a, b, f"{b}-wal", f"{b}-shm", f"{b}.damaged", c, f".{c}.0123456789ab.tmp"]):
        make(own_cache, name, age)
    foreign = ["holiday.sqlite", "notes.txt", "abc.sqlite"]
    for name in foreign:
        make(own_cache, name, 99)
    (own_cache / ("d" * 64)).mkdir()
    cache.prune(own_cache, 2, 10**6)
    kept = [a, b, f"{b}-wal", f"{b}-shm", f"{b}.damaged", *foreign, "d" * 64]
    assert names(own_cache) == sorted(kept)
    cache.prune(own_cache, 9, 49)  # bytes; those of b and its log are 40
    assert names(own_cache) == sorted([a, *foreign, "d" * 64])


def test_a_new_database_makes_room_and_a_known_one_is_marked_as_used(own_cache):
    folder = own_cache / "index-2"
    a, b, c, d = digests(*"abcd")
    for age, name in enumerate((a, b, c)):
        make(folder, name, age)
    assert cache.database("index-2", c, 3, 10**6) == folder / c
    assert names(folder) == [a, b, c]
    assert cache.database("index-2", d, 3, 10**6) == folder / d
    assert names(folder) == [a, c]


def test_what_is_of_an_older_layout_goes_when_a_file_of_the_new_one_is_made(own_cache):
    older = [f"{'a' * 64}-exact.sqlite", f"{'a' * 64}-exact.sqlite-wal", "seen.sqlite"]
    for name in older:
        make(own_cache / "index-1", name, 0)
    for folder in ("index-3", "indexes-1", "other-1", "classes-1"):
        make(own_cache / folder, *digests("a"), 0)
    cache.database("index-2", *digests("b"), 3, 10**6)
    assert names(own_cache) == ["classes-1", "index-3", "indexes-1", "other-1"]
    make(own_cache / "index-1", older[0], 0)
    make(own_cache / "index-1", "mine.txt", 0)
    cache.database("index-2", *digests("b"), 3, 10**6)
    assert names(own_cache / "index-1") == ["mine.txt"]


def test_a_database_in_a_folder_that_cannot_be_has_a_path_all_the_same(own_cache):
    own_cache.write_text("a file")
    assert cache.database("index-2", "x.sqlite", 3, 10**6) == own_cache / "index-2" / "x.sqlite"
