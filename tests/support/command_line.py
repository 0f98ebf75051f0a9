"""Helpers for tests of commands: a damaged picture, and the failures that --json prints on stderr."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace


def spoil(folder: Path, name: str = "bad.jpg") -> str:
    """Writes a file that has the name of a picture and is none; returns its path."""
    (folder / name).write_bytes(b"not a picture")
    return str(folder / name)


def errors(result: SimpleNamespace) -> list[dict[str, str]]:
    """The objects on stderr, one per line."""
    return [json.loads(line) for line in result.err.splitlines()]
