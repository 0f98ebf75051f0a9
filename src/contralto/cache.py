"""Where Contralto keeps what it can make again: the user's cache folder."""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path
from typing import Final

OURS: Final = re.compile(r"\.?[0-9a-f]{32}|seen\.sqlite")  # what we make is named so, and only that is deleted


def folder() -> Path:
    """$CONTRALTO_CACHE, else $XDG_CACHE_HOME/contralto, else ~/.cache/contralto. It may be absent, or not writable.

    A leading ~ is expanded, as no shell does that for a service or an .env file. A relative path is taken from the
    working folder.
    """
    try:
        if own := os.environ.get("CONTRALTO_CACHE"):
            return _expanded(own)
        if shared := os.environ.get("XDG_CACHE_HOME"):
            return _expanded(shared) / "contralto"
        return Path.home() / ".cache" / "contralto"
    except RuntimeError:  # a user without a home, as containers have
        return Path(os.devnull) / "contralto"  # where nothing can be read or written


def _expanded(path: str) -> Path:
    """Raises RuntimeError for ~ of a user without a home, or ~NAME of nobody."""
    return Path(path).expanduser() if path.startswith("~") else Path(path)


def database(folder_name: str, name: str, most_files: int, most_bytes: int) -> Path:
    """The path of an SQLite file that is opened next. Its use is noted; if it is new, room is made for it.

    folder_name: KIND-N, in the cache folder, where N is the number of the files' layout. What is in a lower one cannot
    be read any more, and goes.
    """
    path = folder() / folder_name / name
    if os.path.exists(path):
        with contextlib.suppress(OSError):  # it may be another user's
            os.utime(path)
        return path
    with contextlib.suppress(OSError):
        forget(path.parent, most_files - 1, most_bytes)
    kind, _, number = folder_name.rpartition("-")
    for older in (path.parent.with_name(f"{kind}-{n}") for n in range(1, int(number))):
        with contextlib.suppress(OSError):
            forget(older, 0, 0)
            older.rmdir()
    return path


def forget(folder: Path, most_files: int, most_bytes: int) -> None:
    """Deletes what of our files in a folder exceeds the bounds, the longest unused first: also what killed writers
    left. An SQLite file counts and goes together with its log.

    Raises OSError if the folder cannot be read.
    """
    with os.scandir(folder) as entries:
        ours = [entry for entry in entries if OURS.match(entry.name) and entry.is_file(follow_symlinks=False)]
    files: dict[str, list[tuple[str, os.stat_result]]] = {}
    for entry in ours:
        with contextlib.suppress(OSError):  # another process deleted it
            state = entry.stat(follow_symlinks=False)
            files.setdefault(_stem(entry.name), []).append((entry.path, state))
    total = 0
    newest_first = sorted(files.values(), key=lambda parts: -max(state.st_mtime_ns for _, state in parts))
    for count, parts in enumerate(newest_first, 1):
        total += sum(state.st_size for _, state in parts)
        if count > most_files or total > most_bytes:
            for path, _ in parts:
                with contextlib.suppress(OSError):
                    os.unlink(path)


def _stem(name: str) -> str:
    """X of X.sqlite, X.sqlite-wal, X.sqlite-shm and X.sqlite.damaged; the whole of any other name."""
    return name.partition(".sqlite")[0]
