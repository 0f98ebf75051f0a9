"""Where Contralto keeps what it can make again: the user's cache folder."""

from __future__ import annotations

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
