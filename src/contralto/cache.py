"""Where Contralto keeps what it can make again: the user's cache folder."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path


def folder() -> Path:
    """$CONTRALTO_CACHE, else $XDG_CACHE_HOME/contralto, else ~/.cache/contralto. It may be absent, or not writable."""
    if own := os.environ.get("CONTRALTO_CACHE"):
        return Path(own)
    if shared := os.environ.get("XDG_CACHE_HOME"):
        return Path(shared) / "contralto"
    try:
        return Path.home() / ".cache" / "contralto"
    except RuntimeError:  # a user without a home, as containers have
        return Path(os.devnull) / "contralto"  # where nothing can be read or written


def forget(folder: Path, most_files: int, most_bytes: int) -> None:
    """Deletes what of a folder's files exceeds the bounds, the longest unused first: also what killed writers left.

    Raises OSError if the folder cannot be read.
    """
    with os.scandir(folder) as entries:
        states = [(entry.path, entry.stat(follow_symlinks=False)) for entry in entries]
    total = 0
    for count, (path, state) in enumerate(sorted(states, key=lambda one: -one[1].st_mtime_ns), 1):
        total += state.st_size
        if count > most_files or total > most_bytes:
            with contextlib.suppress(OSError):
                os.unlink(path)
