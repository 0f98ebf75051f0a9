"""Which files are pictures, by their names alone, and the stamp (size, time) that tells whether one has changed."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatch

from contralto.filenames import explain_missing, is_system_name
from contralto.image.formats import is_picture

IRREGULAR = "is not a regular file"


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
        regular = stat.S_ISREG(status.st_mode)
        return _file(path, os.path.abspath(path), status) if regular else Unusable(path, IRREGULAR)
    except (OSError, ValueError) as error:
        return Unusable(path, explain_missing(path) or _reason(error))


def walk(folder: str, exclude: Sequence[str] = ()) -> tuple[list[File], list[Unusable]]:
    """All pictures in `folder` and below it, in the order of their paths, and what could not be looked at.

    Hidden files and folders, those that systems make for themselves, links to folders and files without a picture's
    suffix are passed over. exclude: patterns as shells have them (*, ?, [abc]) of what else is: a name, or the path
    below `folder`, in which * stands for / too. What is excluded is not looked at, and of a folder nothing below it.
    Names that are not UTF-8 come as surrogate escapes. Raises nothing: an entry that cannot be looked at costs itself,
    and is in the second list.
    """
    files: list[File] = []
    unusable: list[Unusable] = []
    patterns = [pattern.rstrip("/") for pattern in exclude]
    try:
        folders = [(folder, os.path.abspath(folder), "")]
    except (OSError, ValueError) as error:  # the working folder may be gone
        return [], [Unusable(folder, _reason(error))]
    while folders:
        here, absolute, below = folders.pop()
        before, above = os.path.join(here, ""), os.path.join(absolute, "")
        for entry in _entries(here, unusable):
            name = entry.name
            if is_system_name(name) or (patterns and _matches(patterns, name, below + name)):
                continue
            try:
                if entry.is_dir(follow_symlinks=False):
                    folders.append((before + name, above + name, f"{below}{name}/"))
                elif is_picture(name):
                    status = entry.stat()
                    if stat.S_ISREG(status.st_mode):
                        files.append(_file(before + name, above + name, status))
                    elif not stat.S_ISDIR(status.st_mode):
                        unusable.append(Unusable(before + name, IRREGULAR))
            except (OSError, ValueError) as error:
                unusable.append(Unusable(before + name, _reason(error)))
    files.sort(key=lambda file: file.key)
    return files, unusable


def _matches(patterns: Sequence[str], name: str, place: str) -> bool:
    return any(fnmatch(name, pattern) or fnmatch(place, pattern) for pattern in patterns)


def _entries(folder: str, unusable: list[Unusable]) -> list[os.DirEntry[str]]:
    """What is in the folder, as far as it can be read; the folder itself becomes unusable where it cannot."""
    found: list[os.DirEntry[str]] = []
    try:
        with os.scandir(folder) as entries:
            found.extend(entries)
    except (OSError, ValueError) as error:
        unusable.append(Unusable(folder, _reason(error)))
    return found


def _file(path: str, key: str, status: os.stat_result) -> File:
    return File(path, os.fsencode(key), status.st_size, status.st_mtime_ns)


def _reason(error: OSError | ValueError) -> str:
    """The system's own words, without the path that is printed beside them."""
    return (getattr(error, "strerror", None) or str(error)).lower()
