"""The user's cache folder, for files that Contralto can make again. Its size is bounded."""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path
from typing import Final

CACHE_NAMES: Final = re.compile(r"\.?[0-9a-f]{32}|seen\.sqlite")  # the names of our files; no others are deleted


def folder() -> Path:
    """$CONTRALTO_CACHE, else $XDG_CACHE_HOME/contralto, else ~/.cache/contralto. It may be absent, or not writable.

    A leading ~ is expanded, because no shell does that for a service or an .env file. A relative path starts at the
    working folder.
    """
    try:
        if path := os.environ.get("CONTRALTO_CACHE"):
            return _expanded(path)
        if shared := os.environ.get("XDG_CACHE_HOME"):
            return _expanded(shared) / "contralto"
        return Path.home() / ".cache" / "contralto"
    except RuntimeError:  # a user without a home folder, as in containers
        return Path(os.devnull) / "contralto"  # nothing can be read or written there


def _expanded(path: str) -> Path:
    """Raises RuntimeError for ~ if the user has no home folder, and for ~NAME if there is no such user."""
    return Path(path).expanduser() if path.startswith("~") else Path(path)


def database(folder_name: str, name: str, max_files: int, max_bytes: int) -> Path:
    """The path of an SQLite file to open next. Its modification time becomes now; a new file makes room for itself.

    folder_name: KIND-N, in the cache folder, where N is the version of the file layout. Folders of lower versions
    cannot be read any more and are emptied.
    """
    path = folder() / folder_name / name
    if os.path.exists(path):
        with contextlib.suppress(OSError):  # the file may belong to another user
            os.utime(path)
        return path
    with contextlib.suppress(OSError):
        prune(path.parent, max_files - 1, max_bytes)
    kind, _, number = folder_name.rpartition("-")
    for older in (path.parent.with_name(f"{kind}-{n}") for n in range(1, int(number))):
        with contextlib.suppress(OSError):
            prune(older, 0, 0)
            older.rmdir()
    return path


def prune(folder: Path, max_files: int, max_bytes: int) -> None:
    """Deletes our files in a folder until it is within the bounds, the least recently used first.

    This includes temporary files of killed writers. An SQLite file and its log count as one file.
    Raises OSError if the folder cannot be read.
    """
    with os.scandir(folder) as entries:
        cached = [entry for entry in entries if CACHE_NAMES.match(entry.name) and entry.is_file(follow_symlinks=False)]
    files: dict[str, list[tuple[str, os.stat_result]]] = {}
    for entry in cached:
        with contextlib.suppress(OSError):  # another process deleted it
            state = entry.stat(follow_symlinks=False)
            files.setdefault(_stem(entry.name), []).append((entry.path, state))
    total = 0
    newest_first = sorted(files.values(), key=lambda parts: -max(state.st_mtime_ns for _, state in parts))
    for count, parts in enumerate(newest_first, 1):
        total += sum(state.st_size for _, state in parts)
        if count > max_files or total > max_bytes:
            for path, _ in parts:
                with contextlib.suppress(OSError):
                    os.unlink(path)


def _stem(name: str) -> str:
    """X for X.sqlite, X.sqlite-wal, X.sqlite-shm and X.sqlite.damaged; any other name unchanged."""
    return name.partition(".sqlite")[0]
