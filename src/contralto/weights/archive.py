"""Reads a zip archive of torch.save or TorchScript: its entries are slices of a memory map.

Nothing is unpacked. Only uncompressed entries can be read, so an archive never holds more bytes than its file; a
compressed entry could be a zip bomb. The directory is checked against the header before each entry, and no two
entries may share bytes. Format: PKWARE's APPNOTE.TXT, with its 64-bit extension.
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from contralto.errors import WeightsError, one_line
from contralto.weights.tensorfile import Bytes

# The fixed part of each record. Unused fields are skipped (x).
# LOCAL_HEADER: marker, flags, method, packed size, size, lengths of name and extra field
# CENTRAL_HEADER: the same, then length of comment, disk, offset of the local header
# END_RECORD: marker, disk, directory's disk, entries here, entries, size, begin, length of comment
# LOCATOR: marker, disk, offset of the 64-bit end record, disks
# END_RECORD_64: marker, length of the rest, disk, directory's disk, entries here, entries, size, begin
LOCAL_HEADER = struct.Struct("<4s2xHH8xIIHH")
CENTRAL_HEADER = struct.Struct("<4s4xHH8xIIHHHH6xI")
END_RECORD = struct.Struct("<4sHHHHIIH")
LOCATOR = struct.Struct("<4sIQI")
END_RECORD_64 = struct.Struct("<4sQ4xIIQQQQ")

IN_EXTRA_FIELD = 0xFFFFFFFF  # marks a number that is in the 64-bit extra field
ENCRYPTED, SIZES_FOLLOW = 1, 8  # flags; SIZES_FOLLOW: the sizes follow the content, and the local header may have 0


@dataclass(frozen=True)
class _Entry:
    """One entry of the directory. plain: neither compressed nor encrypted. header: offset of its local header."""

    name: str
    plain: bool
    packed: int
    size: int
    header: int


class Archive:
    """The entries of an archive by name; `names` in the order of the directory."""

    def __init__(self, data: Bytes, where: str) -> None:
        """data: the whole file; where: its name in errors. Raises WeightsError."""
        self._where = where
        self._entries: dict[str, Bytes | None] = {}
        try:
            self._open(data)
        except struct.error as error:
            raise self._damaged("a record of the zip archive does not fit in it") from error

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._entries)

    def content(self, name: str) -> Bytes:
        """The bytes of an entry, a read-only view of the file. Raises WeightsError if it is absent or compressed."""
        if name not in self._entries:
            raise self._damaged(f"its zip archive has no entry {_shown(name)}")
        content = self._entries[name]
        if content is None:
            reason = "is compressed or encrypted, as weights never are: it could be a zip bomb and is not unpacked"
            raise WeightsError(f"{self._where}: entry {_shown(name)} {reason}")
        return content

    def _open(self, data: Bytes) -> None:
        begin, end, count = self._directory(data)
        spans: list[tuple[int, int, str]] = []
        for entry in self._listed(data[begin:end].tobytes(), count):
            if entry.name in self._entries:
                raise self._damaged(f"entry {_shown(entry.name)} of its zip archive occurs twice")
            content = self._located(data[:begin], entry)
            spans.append((entry.header, content + entry.packed, entry.name))
            self._entries[entry.name] = data[content : content + entry.packed] if entry.plain else None
        for (_, stop, one), (start, _, other) in itertools.pairwise(sorted(spans)):
            if start < stop:
                raise self._damaged(f"entries {_shown(one)} and {_shown(other)} of its zip archive overlap")

    def _directory(self, data: Bytes) -> tuple[int, int, int]:
        """(begin, end, number of entries) of the directory. PyTorch writes no comment after it."""
        end = len(data) - END_RECORD.size
        marker, disk, start_disk, here, count, size, begin, comment = END_RECORD.unpack(data[max(end, 0) :].tobytes())
        if marker != b"PK\x05\x06" or comment:
            raise self._damaged("the directory at the end of its zip archive is not there")
        narrow = (disk, start_disk, here, count, size, begin)
        locator = data[max(end - LOCATOR.size, 0) : end].tobytes()
        if locator.startswith(b"PK\x06\x07"):
            _, where_disk, place, disks = LOCATOR.unpack(locator)
            end -= LOCATOR.size + END_RECORD_64.size
            marker, rest, *wide = END_RECORD_64.unpack(data[max(end, 0) : end + END_RECORD_64.size].tobytes())
            agree = all(a in (b, 0xFFFF, IN_EXTRA_FIELD) for a, b in zip(narrow, wide, strict=True))
            if (marker, rest, place) != (b"PK\x06\x06", END_RECORD_64.size - 12, end) or not agree:
                raise self._damaged("the two directories at the end of its zip archive disagree")
            disk, start_disk, here, count, size, begin = wide
            disk |= where_disk | (disks != 1)
        if disk or start_disk or here != count:
            raise WeightsError(f"{self._where} is one part of a zip archive in several files: join them first")
        if begin + size != end:
            raise self._damaged("the directory of its zip archive is not where it should be")
        return begin, end, count

    def _listed(self, directory: bytes, count: int) -> Iterator[_Entry]:
        """The entries of the directory. Together they must fill it."""
        place = 0
        while place < len(directory):
            marker, flags, method, packed, size, name, extra, comment, disk, header = CENTRAL_HEADER.unpack_from(
                directory, place
            )
            stop = place + CENTRAL_HEADER.size + name + extra
            if marker != b"PK\x01\x02" or stop + comment > len(directory):
                raise self._damaged("the directory of its zip archive is broken")
            text = self._name(directory[place + CENTRAL_HEADER.size : stop - extra])
            size, packed, header = _widened(directory[stop - extra : stop], size, packed, header)
            plain = not method and not flags & ENCRYPTED
            if disk or (plain and size != packed):
                raise self._damaged(f"entry {_shown(text)} of its zip archive has two sizes, or lies elsewhere")
            yield _Entry(text, plain, packed, size, header)
            place, count = stop + comment, count - 1
        if count:
            raise self._damaged("the directory of its zip archive has another number of entries than it says")

    def _located(self, data: Bytes, entry: _Entry) -> int:
        """Offset of the entry's content. Its local header must agree with the directory."""
        start = data[entry.header : entry.header + LOCAL_HEADER.size].tobytes()
        marker, flags, method, packed, size, name_length, extra_length = LOCAL_HEADER.unpack(start)
        place: int = entry.header + LOCAL_HEADER.size
        name = data[place : place + name_length].tobytes()
        place += name_length
        size, packed, _ = _widened(data[place : place + extra_length].tobytes(), size, packed, 0)
        place += extra_length
        sizes = [(entry.size, entry.packed)] + [(0, 0)] * bool(flags & SIZES_FOLLOW)
        same = name == entry.name.encode() and (not method and not flags & ENCRYPTED) == entry.plain
        if marker != b"PK\x03\x04" or not same or (size, packed) not in sizes:
            raise self._damaged(f"entry {_shown(entry.name)} of its zip archive is not what the directory says")
        if place + entry.packed > len(data):
            raise self._damaged(f"entry {_shown(entry.name)} does not fit in its zip archive")
        return place

    def _name(self, raw: bytes) -> str:
        try:
            name = raw.decode()
        except UnicodeDecodeError as error:
            raise self._damaged("a name in its zip archive is not UTF-8") from error
        if any(part in ("", ".", "..") for part in name.removesuffix("/").split("/")) or "\\" in name or "\0" in name:
            raise WeightsError(f"{self._where} is refused: entry {_shown(name)} of its zip archive leaves its folder")
        return name

    def _damaged(self, fault: str) -> WeightsError:
        return WeightsError(f"{self._where} is cut off or damaged: {fault}")


def _widened(extra: bytes, *numbers: int) -> Iterator[int]:
    """The numbers. One that did not fit in 32 bits is replaced by the next number of the extra field of kind 1."""
    wide: Iterator[int] = iter(())
    place = 0
    while IN_EXTRA_FIELD in numbers and place + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, place)
        if kind == 1:
            field = extra[place + 4 : place + 4 + length]
            wide = iter(struct.unpack_from(f"<{len(field) // 8}Q", field))
            break
        place += 4 + length
    return (next(wide, number) if number == IN_EXTRA_FIELD else number for number in numbers)


def _shown(name: str) -> str:
    return repr(one_line(name, 80))
