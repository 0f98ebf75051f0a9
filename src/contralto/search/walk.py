"""Find picture files by name, with the size and time that show whether a file has changed."""

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
class PictureFile:
    """A regular file. path: the given path, joined with the rest below it; key: the absolute path in bytes."""

    path: str
    key: bytes
    size: int
    mtime_ns: int


@dataclass(frozen=True)
class UnusableFile:
    """A file or folder that cannot be used, and the reason."""

    path: str
    reason: str


def file_at(path: str) -> PictureFile | UnusableFile:
    """A file that the user named. Any suffix is accepted, and links are followed."""
    try:
        status = os.stat(path)
        regular = stat.S_ISREG(status.st_mode)
        return _file(path, os.path.abspath(path), status) if regular else UnusableFile(path, IRREGULAR)
    except (OSError, ValueError) as error:
        return UnusableFile(path, explain_missing(path) or _reason(error))


def walk(folder: str, exclude: Sequence[str] = ()) -> tuple[list[PictureFile], list[UnusableFile]]:
    """(the pictures in `folder` and its subfolders, sorted by path; the entries that could not be read).

    Skips hidden files and folders, files that systems create, links to folders, and files without a picture's suffix.
    exclude: shell patterns (*, ?, [abc]) of more names to skip, or of paths below `folder`, in which * matches / too;
    an excluded folder is skipped with everything below it. Names that are not UTF-8 contain surrogate escapes. Raises
    nothing: an entry that cannot be read is in the second list.
    """
    files: list[PictureFile] = []
    unusable: list[UnusableFile] = []
    patterns = [pattern.rstrip("/") for pattern in exclude]
    try:
        folders = [(folder, os.path.abspath(folder), "")]
    except (OSError, ValueError) as error:  # the working folder may be deleted
        return [], [UnusableFile(folder, _reason(error))]
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
                        unusable.append(UnusableFile(before + name, IRREGULAR))
            except (OSError, ValueError) as error:
                unusable.append(UnusableFile(before + name, _reason(error)))
    files.sort(key=lambda file: file.key)
    return files, unusable


def _matches(patterns: Sequence[str], name: str, place: str) -> bool:
    return any(fnmatch(name, pattern) or fnmatch(place, pattern) for pattern in patterns)


def _entries(folder: str, unusable: list[UnusableFile]) -> list[os.DirEntry[str]]:
    """The readable entries of a folder. A folder that cannot be read is added to `unusable`."""
    readable: list[os.DirEntry[str]] = []
    try:
        with os.scandir(folder) as entries:
            readable.extend(entries)
    except (OSError, ValueError) as error:
        unusable.append(UnusableFile(folder, _reason(error)))
    return readable


def _file(path: str, key: str, status: os.stat_result) -> PictureFile:
    return PictureFile(path, os.fsencode(key), status.st_size, status.st_mtime_ns)


def _reason(error: OSError | ValueError) -> str:
    """The system's message without the path, which callers print anyway."""
    return (getattr(error, "strerror", None) or str(error)).lower()
