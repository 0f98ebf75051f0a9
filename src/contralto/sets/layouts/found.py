"""Looking for the files that a set is made of. Whatever a stranger's list names stays within the set's folder."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from contralto.errors import DataError, one_line
from contralto.filenames import is_system_name
from contralto.image.formats import is_picture

LIST_BYTES = 256 << 20
"""The longest list or table that is read: far above every published one."""


class Missing(DataError):
    """A file or folder of a published layout that is not there."""


def one_of(root: Path, *names: str) -> Path:
    """The first of these files or folders that is there, by their paths from `root`. Raises Missing."""
    for name in names:
        if (root / name).exists():
            return root / name
    raise Missing(f"{root / names[0]} is not there")


def inside(folder: Path, name: str) -> Path:
    """The path of `name`, as a list gives it, below `folder`. Raises DataError for a name that leads out of it."""
    parts = PurePosixPath(name)
    if parts.is_absolute() or ".." in parts.parts or "\0" in name or "\\" in name or not parts.parts:
        raise DataError(f"{folder}: a list names {one_line(name, 100)!r}, which does not lie below it")
    return folder / parts


def lines(path: Path) -> list[str]:
    """The lines of a list in UTF-8, stripped, without empty ones. Raises DataError."""
    try:
        if path.stat().st_size > LIST_BYTES:
            raise DataError(f"{path} has more than {LIST_BYTES >> 20} MiB: it is not the list that is meant")
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 text") from error
    return [line for line in map(str.strip, text.splitlines()) if line]


def pictures(folder: Path, suffix: str = "") -> list[Path]:
    """The picture files directly in a folder (with this suffix, or a usual one), sorted. Raises DataError."""
    try:
        there = [path for path in folder.iterdir() if not is_system_name(path.name)]
    except OSError as error:
        raise DataError(f"{folder} cannot be listed: {error.strerror or error}") from error
    return sorted(p for p in there if (p.name.endswith(f".{suffix}") if suffix else is_picture(p.name)))


def folders(folder: Path) -> list[str]:
    """The names of the folders directly in a folder, sorted. Raises DataError if it cannot be listed."""
    try:
        return sorted(path.name for path in folder.iterdir() if path.is_dir() and not is_system_name(path.name))
    except OSError as error:
        raise DataError(f"{folder} cannot be listed: {error.strerror or error}") from error
