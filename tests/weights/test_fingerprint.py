"""The sha256 of large files: computed once, cached, and computed again for a file that has changed."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import numpy as np
import pytest

from contralto import cache
from contralto.errors import WeightsError
from contralto.weights import checkpoint, fingerprint
from contralto.weights.checkpoint import StoredTensor


@pytest.fixture
def large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CONTRALTO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(fingerprint, "CACHED_BYTES", 100)
    path = tmp_path / "weights.bin"
    path.write_bytes(b"a" * 100)
    return path


def memory() -> Path:
    return cache.folder() / fingerprint.SHA256_CACHE_FILE


def test_a_large_file_is_read_once(large: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = hashlib.sha256(b"a" * 100).hexdigest()
    assert fingerprint.digest([large]) == wanted

    def refuse(*_: object) -> object:
        raise AssertionError("the file is read again")

    monkeypatch.setattr(fingerprint, "sha256", refuse)
    assert fingerprint.digest([large]) == wanted


@pytest.mark.parametrize("change", ["bytes", "time", "another file"])
def test_a_changed_file_is_read_anew(large: Path, change: str) -> None:
    fingerprint.digest([large])
    status = large.stat()
    if change == "bytes":
        large.write_bytes(b"b" * 101)
    elif change == "time":
        large.write_bytes(b"b" * 100)
        os.utime(large, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    else:
        beside = large.with_name("beside")
        beside.write_bytes(b"b" * 100)
        os.utime(beside, ns=(status.st_atime_ns, status.st_mtime_ns))
        os.replace(beside, large)
    assert fingerprint.digest([large]) == hashlib.sha256(large.read_bytes()).hexdigest()


def test_small_files_are_not_remembered(large: Path) -> None:
    large.write_bytes(b"a" * 99)
    fingerprint.digest([large])
    assert not memory().exists()


def test_several_files_are_what_the_checkpoint_says(large: Path) -> None:
    other = large.with_name("other")
    other.write_bytes(b"b" * 200)
    assert fingerprint.digest([large, other]) == checkpoint.digest([large, other])
    assert fingerprint.digest([large, other]) != fingerprint.digest([other, large])


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"x": 1}', b'{"x": [1, 2, 3]}', b"[" * 100_000])
def test_a_damaged_memory_is_as_good_as_none(large: Path, damage: bytes) -> None:
    memory().parent.mkdir()
    memory().write_bytes(damage)
    assert fingerprint.digest([large]) == hashlib.sha256(b"a" * 100).hexdigest()
    assert list(json.loads(memory().read_bytes())) == [str(large)]


def test_an_unwritable_cache_is_no_failure(large: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONTRALTO_CACHE", str(large / "below a file"))
    assert fingerprint.digest([large]) == hashlib.sha256(b"a" * 100).hexdigest()


def test_the_oldest_are_forgotten(large: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fingerprint, "MAX_ENTRIES", 2)
    for name in ("one", "two", "three"):
        large.with_name(name).write_bytes(name.encode() * 100)
        fingerprint.digest([large.with_name(name)])
    assert [Path(path).name for path in json.loads(memory().read_bytes())] == ["two", "three"]


def test_weights_are_named_with_the_dtype_of_most_numbers(large: Path) -> None:
    tensors = [StoredTensor("F32", np.zeros(3, np.float32)), StoredTensor("F32", np.zeros(3, np.float32)),
               StoredTensor("F16", np.zeros(7, np.float16)), StoredTensor("I64", np.zeros(99, np.int64))]  # fmt: skip
    stated = fingerprint.weights(large, [large], tensors)
    assert (stated.file, stated.dtype, stated.sha256) == ("weights.bin", "float16", fingerprint.digest([large]))


def test_a_missing_file_is_an_error_of_one_line(large: Path) -> None:
    with pytest.raises(WeightsError, match="absent: No such file"):
        fingerprint.digest([large.with_name("absent")])


@pytest.mark.parametrize("size", [0, 1, 99, 100, 101, 250])
def test_a_file_that_takes_long_tells_how_far_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog, size
) -> None:
    for name, value in (("PROGRESS_BYTES", 100), ("READ_BYTES", 60), ("MEGABYTE", 1)):
        monkeypatch.setattr(checkpoint, name, value)
    caplog.set_level("INFO", "contralto")
    path = tmp_path / "weights.bin"
    path.write_bytes(bytes(size))
    assert checkpoint.digest([path]) == hashlib.sha256(bytes(size)).hexdigest()
    told = [record.done for record in caplog.records]
    assert told == ([*range(0, size, 60), size] if size >= 100 else [])
    assert all(record.total == size for record in caplog.records)
