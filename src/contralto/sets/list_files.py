"""Lists in text files: one entry per line, in UTF-8."""

from __future__ import annotations

from pathlib import Path

from contralto.errors import DataError
from contralto.files import text_of

LIST_BYTES = 256 << 20
"""Size limit of a list or table: far above every published one."""


def read_lines(path: Path) -> list[str]:
    """The lines of a list, stripped, without empty ones. Raises DataError."""
    check_size(path, LIST_BYTES, "list")
    return [line for line in map(str.strip, text_of(path, "list").splitlines()) if line]


def check_size(path: Path, limit: int, what: str = "file") -> None:
    """Raises DataError if the file is missing, or larger than any published file of its kind."""
    try:
        size = path.stat().st_size
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
    if size > limit:
        raise DataError(f"{path} has more than {limit >> 20} MiB: it is not the expected {what}")
