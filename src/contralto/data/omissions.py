"""What a reader leaves out. Nothing is left out silently: measuring tells it, and training counts it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple


class IgnoredFiles(NamedTuple):
    """How many were left out for the same reason, and the first of them."""

    number: int
    example: str


@dataclass(eq=False)
class Omissions:
    """failed: samples that cannot be used, key -> why. ignored: reason -> files or folders that are no samples."""

    failed: dict[str, str] = field(default_factory=dict)
    ignored: dict[str, IgnoredFiles] = field(default_factory=dict)

    def fail(self, key: str, reason: str) -> None:
        """One sample that cannot be used. The reason does not repeat the key."""
        self.failed.setdefault(key, reason)

    def ignore(self, reason: str, example: str) -> None:
        """One file or folder that is no sample. reason: what such files are, in the plural."""
        known = self.ignored.get(reason, IgnoredFiles(0, example))
        self.ignored[reason] = IgnoredFiles(known.number + 1, known.example)

    def take(self, other: Omissions) -> None:
        """Adds what another reader left out."""
        self.failed = other.failed | self.failed
        for reason, kind in other.ignored.items():
            known = self.ignored.get(reason, IgnoredFiles(0, kind.example))
            self.ignored[reason] = IgnoredFiles(known.number + kind.number, known.example)

    def counts(self) -> dict[str, int]:
        """reason -> number of samples, files or folders."""
        return Counter(self.failed.values()) + Counter({reason: kind.number for reason, kind in self.ignored.items()})

    def sentences(self) -> list[str]:
        """What was passed over: a line for each reason."""
        return [
            f"{reason}: {number} ({example}{', ...' if number > 1 else ''})"
            for reason, (number, example) in self.ignored.items()
        ]

    def first(self) -> str:
        """The first failure in one line, for an error where nothing is left; else ""."""
        return next((f"{key}: {reason}" for key, reason in self.failed.items()), "")
