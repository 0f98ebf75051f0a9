"""Reads tars without unpacking them: indexes the offset of each member, then reads by offset.

Nothing is written to disk, so a malicious member name does no harm: it is only a key. Links and devices are ignored.
"""

from __future__ import annotations

import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from contralto.data.sample import SampleError
from contralto.errors import DataError


@dataclass(frozen=True)
class Member:
    """A regular file in a tar: `size` bytes from `offset`."""

    tar: Path
    name: str
    offset: int
    size: int

    def __str__(self) -> str:
        return f"{self.tar}: {self.name}"

    def read(self) -> bytes:
        """The member's bytes. Raises SampleError."""
        try:
            with open(self.tar, "rb") as file:
                file.seek(self.offset)
                data = file.read(self.size)
        except OSError as error:
            raise SampleError(str(self), f"cannot be read: {error.strerror or error}") from error
        if len(data) != self.size:
            raise SampleError(str(self), "is cut off: the tar is damaged or has changed")
        return data


class Contents(NamedTuple):
    """The regular files of a tar, and the names of its folder entries, both in the tar's order."""

    files: list[Member]
    folders: list[str]


def contents(path: str | Path) -> Contents:
    """The contents of an uncompressed tar. Raises DataError if it is damaged or compressed."""
    path = Path(path)
    files, folders = list[Member](), list[str]()
    try:
        with tarfile.open(path, "r:") as tar:
            for m in tar:
                if m.isreg() and not m.issparse():
                    files.append(Member(path, m.name, m.offset_data, m.size))
                elif m.isdir():
                    folders.append(m.name)
        size = path.stat().st_size
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
    except (tarfile.TarError, ValueError) as error:
        raise DataError(f"{path} is not a plain tar ({error}): if it is compressed, decompress it first") from error
    if files and files[-1].offset + files[-1].size > size:
        raise DataError(f"{path} is cut off in its last member {files[-1].name!r}: download the file again")
    return Contents(files, folders)


def members(path: str | Path) -> list[Member]:
    """The regular files of an uncompressed tar, in its order. Raises DataError like `contents`."""
    return contents(path).files


def parts_of(name: str) -> list[str]:
    """The folders and the file in a member's name, without empty parts, "." and ".."."""
    return [part for part in name.split("/") if part not in ("", ".", "..")]
