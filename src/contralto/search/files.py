"""Which files are pictures, by their names alone, and the stamp (size, time) that tells whether one has changed."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass

from contralto.files import is_system_name, why_no_file
from contralto.image.formats import is_picture


@dataclass(frozen=True)
class File:
    """A regular file. `path` is as given, joined with the rest below it; `key` is the absolute path in bytes."""

    path: str
    key: bytes
    size: int
    mtime_ns: int


@dataclass(frozen=True)
class Unusable:
    """A file or folder that cannot be used, and why."""

    path: str
    reason: str


def look(path: str) -> File | Unusable:
    """One file that was named by the user: any suffix will do, links are followed."""
    try:
        status = os.stat(path)
    except (OSError, ValueError) as error:
        return Unusable(path, why_no_file(path) or _reason(error))
    if not stat.S_ISREG(status.st_mode):
        return Unusable(path, "is not a regular file")
    return File(path, os.fsencode(os.path.abspath(path)), status.st_size, status.st_mtime_ns)


def walk(folder: str) -> tuple[list[File], list[Unusable]]:
    """All pictures in `folder` and below it, in the order of their paths, and what could not be looked at.

    Hidden files and folders, those that systems make for themselves, links to folders and files without a picture's
    suffix are passed over. Names that are not UTF-8 come as surrogate escapes. Raises nothing: an unreadable folder is
    in the second list.
    """
    files: list[File] = []
    unusable: list[Unusable] = []
    folders = [(folder, os.path.abspath(folder))]
    while folders:
        here, absolute = folders.pop()
        before, above = os.path.join(here, ""), os.path.join(absolute, "")
        try:
            with os.scandir(here) as entries:
                seen = [entry for entry in entries if not is_system_name(entry.name)]
        except OSError as error:
            unusable.append(Unusable(here, _reason(error)))
            continue
        for entry in seen:
            path, key = before + entry.name, above + entry.name
            if entry.is_dir(follow_symlinks=False):
                folders.append((path, key))
            elif is_picture(entry.name) and not entry.is_dir():
                found = _file(entry, path, key)
                (files if isinstance(found, File) else unusable).append(found)  # type: ignore[arg-type]
    files.sort(key=lambda file: file.key)
    return files, unusable


def _file(entry: os.DirEntry[str], path: str, key: str) -> File | Unusable:
    try:
        status = entry.stat()
    except OSError as error:
        return Unusable(path, _reason(error))
    if not stat.S_ISREG(status.st_mode):
        return Unusable(path, "is not a regular file")
    return File(path, os.fsencode(key), status.st_size, status.st_mtime_ns)


def _reason(error: OSError | ValueError) -> str:
    """The system's own words, without the path that is printed beside them."""
    return (getattr(error, "strerror", None) or str(error)).lower()
