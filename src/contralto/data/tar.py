"""Tars without unpacking: an index of where each member lies, then reads by offset.

Nothing is ever written, so a member's name can do no harm: it is only a key. Links and devices are passed over.
"""

from __future__ import annotations

import tarfile
from dataclasses import dataclass
from pathlib import Path

from contralto.data.source import SampleError
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


def members(path: str | Path) -> list[Member]:
    """The regular files of an uncompressed tar, in its order. Raises DataError for a damaged or compressed one."""
    path = Path(path)
    try:
        with tarfile.open(path, "r:") as tar:
            found = [Member(path, m.name, m.offset_data, m.size) for m in tar if m.isreg() and not m.issparse()]
        size = path.stat().st_size
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
    except (tarfile.TarError, ValueError) as error:
        raise DataError(f"{path} is not a plain tar ({error}): if it is compressed, decompress it first") from error
    if found and found[-1].offset + found[-1].size > size:
        raise DataError(f"{path} is cut off in its last member {found[-1].name!r}: get the file again")
    return found
