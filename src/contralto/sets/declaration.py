"""Stand-in until the registry is there."""

from __future__ import annotations

from pathlib import Path

from contralto.errors import DataError
from contralto.sets.items import DataSet


class Declaration:
    """A named set."""

    def open(self, data: Path, split: str | None) -> DataSet:
        """Opens it."""
        raise NotImplementedError


def names() -> list[str]:
    """None yet."""
    return []


def declared(name: str) -> Declaration:
    """Raises DataError."""
    raise DataError(f"no set is called {name!r}")
