"""The zip reader: against Python's zipfile, and against archives with false records."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Callable

import numpy as np
import pytest
import torch

from contralto.errors import WeightsError
from contralto.weights.archive import Archive

ENTRIES = {"a/data.pkl": b"pickle", "a/data/0": bytes(range(100)), "a/empty": b"", "a/ü/": b""}
NAME, EXTRA, METHOD, SIZE, OFFSET = 28, 30, 10, 24, 42  # in a record of the directory


def zipped(entries: dict[str, bytes], method: int = zipfile.ZIP_STORED, wide: bool = False) -> bytearray:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as file:
        for name, content in entries.items():
            info = zipfile.ZipInfo(name)
            info.compress_type = method
            with file.open(info, "w", force_zip64=wide) as entry:
                entry.write(content)
    return bytearray(buffer.getvalue())


def opened(data: bytes | bytearray) -> Archive:
    return Archive(np.frombuffer(bytes(data), np.uint8), "x.pt")


def record(data: bytes | bytearray, number: int) -> int:
    """Offset of a record of the directory."""
    place = -1
    for _ in range(number + 1):
        place = data.index(b"PK\x01\x02", place + 1)
    return place


@pytest.mark.parametrize("wide", [False, True])
def test_entries_are_as_zipfile_wrote_them_and_are_views(wide: bool) -> None:
    data = np.frombuffer(bytes(zipped(ENTRIES, wide=wide)), np.uint8)
    archive = Archive(data, "x.pt")
    assert archive.names == tuple(ENTRIES)
    assert {name: archive.content(name).tobytes() for name in archive.names} == ENTRIES
    assert np.shares_memory(archive.content("a/data/0"), data)


def test_an_archive_of_pytorch_has_64_bit_records() -> None:
    buffer = io.BytesIO()
    torch.save({"a": torch.arange(5)}, buffer)
    with zipfile.ZipFile(buffer) as peer:
        wanted = {name: peer.read(name) for name in peer.namelist()}
    archive = opened(buffer.getvalue())
    assert b"PK\x06\x06" in buffer.getvalue()
    assert {name: archive.content(name).tobytes() for name in archive.names} == wanted


def test_offsets_beyond_4_gib_stand_in_the_extra_field() -> None:
    extra = struct.pack("<HHQQQ", 1, 24, 5, 5, 2**33)
    data = zipped({"a": b"12345"})
    place = record(data, 0)
    struct.pack_into("<IIHH", data, place + 20, 2**32 - 1, 2**32 - 1, 1, len(extra))
    struct.pack_into("<I", data, place + OFFSET, 2**32 - 1)
    data[place + 47 : place + 47] = extra
    struct.pack_into("<I", data, len(data) - 10, 47 + len(extra))
    with pytest.raises(WeightsError, match="does not fit"):  # the file would have to be larger
        opened(data)


def test_a_compressed_entry_is_named_but_not_unpacked() -> None:
    bomb = zipped({"a/data.pkl": bytes(10_000_000)}, zipfile.ZIP_DEFLATED)
    assert len(bomb) < 20_000
    archive = opened(bomb)
    assert archive.names == ("a/data.pkl",)
    with pytest.raises(WeightsError, match=r"x\.pt: entry 'a/data\.pkl' is compressed .* zip bomb"):
        archive.content("a/data.pkl")


def test_an_absent_entry_is_named() -> None:
    with pytest.raises(WeightsError, match="no entry 'a/data/7'"):
        opened(zipped(ENTRIES)).content("a/data/7")


def encrypted(data: bytearray) -> None:
    data[6] |= 1
    data[record(data, 0) + 8] |= 1


def test_an_encrypted_entry_is_not_read() -> None:
    data = zipped(ENTRIES)
    encrypted(data)
    with pytest.raises(WeightsError, match="encrypted"):
        opened(data).content("a/data.pkl")


def put(form: str, field: int, value: int, number: int = 1) -> Callable[[bytearray], None]:
    """Writes a number into a record of the directory."""
    return lambda data: struct.pack_into(form, data, record(data, number) + field, value)


def put_end(form: str, field: int, value: int) -> Callable[[bytearray], None]:
    """Writes a number into the end record, which has 22 bytes."""
    return lambda data: struct.pack_into(form, data, len(data) - 22 + field, value)


def cut(count: int) -> Callable[[bytearray], None]:
    def damage(data: bytearray) -> None:
        del data[-count:]

    return damage


LIES: dict[str, tuple[Callable[[bytearray], None], str]] = {
    "cut off": (cut(1), "directory at the end"),
    "nearly nothing left": (lambda data: cut(len(data) - 10)(data), "does not fit"),
    "bytes before": (lambda data: data.__setitem__(slice(0, 0), b"MZ"), "not where it should be"),
    "bytes after": (lambda data: data.extend(b"more"), "directory at the end"),
    "another number of entries": (
        lambda data: struct.pack_into("<HH", data, len(data) - 14, 3, 3), "number of entries"),
    "in several files": (put_end("<H", 4, 1), "several files"),
    "a directory elsewhere": (put_end("<I", 16, 5), "not where it should be"),
    "an entry at another place": (put("<I", OFFSET, 3), "is not what the directory says"),
    "an entry beyond the end": (put("<I", OFFSET, 2**31), "does not fit"),
    "an entry on another entry": (put("<I", OFFSET, 0), "is not what the directory says"),
    "two sizes": (put("<I", SIZE, 5), "two sizes"),
    "a size that is not the entry's": (
        lambda data: struct.pack_into("<II", data, record(data, 1) + 20, 90, 90), "is not what the directory says"),
    "a method that is not the entry's": (put("<H", METHOD, 8), "is not what the directory says"),
    "a long name": (put("<H", NAME, 60_000), "broken"),
    "a long extra field": (put("<H", EXTRA, 60_000), "broken"),
    "a name that is not UTF-8": (lambda data: data.__setitem__(record(data, 0) + 46, 0xFF), "not UTF-8"),
}  # fmt: skip


@pytest.mark.parametrize("lie", LIES)
def test_an_archive_that_lies_is_refused_in_one_line(lie: str) -> None:
    damage, reason = LIES[lie]
    data = zipped(ENTRIES)
    damage(data)
    with pytest.raises(WeightsError, match=reason) as caught:
        opened(data)
    assert str(caught.value).startswith("x.pt")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["../x", "a/../../x", "/etc/x", "a\\..\\x", "a//x", "", "./x"])
def test_a_name_that_leaves_the_folder_is_refused(name: str) -> None:
    with pytest.raises(WeightsError, match="leaves its folder"):
        opened(zipped({name: b"1"}))


def test_a_name_twice_is_refused() -> None:
    data = zipped({"a/1": b"x", "a/2": b"y"})
    with pytest.raises(WeightsError, match=r"'a/1' .* twice"):
        opened(data.replace(b"a/2", b"a/1"))


def test_entries_that_share_bytes_are_refused() -> None:
    """The core of zip bombs without nesting: one content, many names. The inner entry lies within the outer one."""
    inner = zipped({"b": bytes(50)})
    body = bytes(inner[: inner.index(b"PK\x01\x02")])
    data = zipped({"a": body, "b": bytes(50)})
    struct.pack_into("<I", data, record(data, 1) + OFFSET, data.index(body))
    with pytest.raises(WeightsError, match=r"'a' and 'b' .* overlap"):
        opened(data)


def test_two_directories_that_disagree_are_refused() -> None:
    buffer = io.BytesIO()
    torch.save({"a": torch.arange(5)}, buffer)
    data = bytearray(buffer.getvalue())
    place = data.index(b"PK\x06\x06")
    struct.pack_into("<QQ", data, place + 24, 1, 1)
    with pytest.raises(WeightsError, match="disagree"):
        opened(data)
