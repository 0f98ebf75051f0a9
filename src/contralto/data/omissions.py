"""Samples and files that a reader does not use. Every omission is reported: evaluation lists it, training counts it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple


class IgnoredFiles(NamedTuple):
    """The number of files ignored for one reason, and the first of them."""

    number: int
    example: str


@dataclass(eq=False)
class Omissions:
    """failed: samples that cannot be used, key -> why. ignored: reason -> files or folders that are not samples."""

    failed: dict[str, str] = field(default_factory=dict)
    ignored: dict[str, IgnoredFiles] = field(default_factory=dict)

    def fail(self, key: str, reason: str) -> None:
        """Adds a sample that cannot be used. The reason does not repeat the key."""
        self.failed.setdefault(key, reason)

    def ignore(self, reason: str, example: str) -> None:
        """Adds a file or folder that is not a sample. reason: describes such files, in the plural."""
        files = self.ignored.get(reason, IgnoredFiles(0, example))
        self.ignored[reason] = IgnoredFiles(files.number + 1, files.example)

    def add(self, other: Omissions) -> None:
        """Adds the omissions of another reader."""
        self.failed = other.failed | self.failed
        for reason, more in other.ignored.items():
            files = self.ignored.get(reason, IgnoredFiles(0, more.example))
            self.ignored[reason] = IgnoredFiles(files.number + more.number, files.example)

    def counts(self) -> dict[str, int]:
        """reason -> number of samples, files or folders."""
        return Counter(self.failed.values()) + Counter({reason: files.number for reason, files in self.ignored.items()})

    def sentences(self) -> list[str]:
        """The ignored files, one line per reason."""
        return [
            f"{reason}: {number} ({example}{', ...' if number > 1 else ''})"
            for reason, (number, example) in self.ignored.items()
        ]

    def first(self) -> str:
        """The first failed sample in one line, for the error message if no sample remains; else ""."""
        return next((f"{key}: {reason}" for key, reason in self.failed.items()), "")
