"""Finds the files of a published layout. Names from downloaded lists cannot lead out of the data set's folder."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from contralto.errors import DataError, one_line
from contralto.filenames import is_system_name
from contralto.image.formats import is_picture


class MissingPath(DataError):
    """A file or folder of a published layout is missing."""


def first_existing(root: Path, *names: str) -> Path:
    """The first existing path of these names in `root`. Raises MissingPath."""
    for name in names:
        if (root / name).exists():
            return root / name
    raise MissingPath(f"{root / names[0]} is missing")


def path_within(folder: Path, name: str) -> Path:
    """The path of `name`, taken from a list, in `folder`. Raises DataError if the name leads out of the folder."""
    parts = PurePosixPath(name)
    if parts.is_absolute() or ".." in parts.parts or "\0" in name or "\\" in name or not parts.parts:
        raise DataError(f"{folder}: a list names {one_line(name, 100)!r}, which is outside of it")
    return folder / parts


def picture_files(folder: Path, suffix: str = "") -> list[Path]:
    """The picture files directly in a folder, sorted. suffix: only files with it. Raises DataError."""
    try:
        files = [path for path in folder.iterdir() if not is_system_name(path.name)]
    except OSError as error:
        raise DataError(f"{folder} cannot be listed: {error.strerror or error}") from error
    return sorted(p for p in files if (p.name.endswith(f".{suffix}") if suffix else is_picture(p.name)))


def folder_names(folder: Path) -> list[str]:
    """The names of the folders directly in a folder, sorted. Raises DataError."""
    try:
        return sorted(path.name for path in folder.iterdir() if path.is_dir() and not is_system_name(path.name))
    except OSError as error:
        raise DataError(f"{folder} cannot be listed: {error.strerror or error}") from error
