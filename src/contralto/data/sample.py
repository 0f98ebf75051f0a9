"""What every reader gives: samples by index, so that their order is somebody else's choice (see `mixture`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from PIL import Image

from contralto.errors import DataError, ItemError


class SampleError(ItemError, DataError):
    """One sample that cannot be read; `.item` is its key. The others are not affected."""


@dataclass(frozen=True)
class Sample:
    """A picture with all its captions.

    picture: the file's bytes, its path, or a Pillow image. key: names the sample in errors. label: class index.
    """

    picture: bytes | Path | Image.Image
    captions: tuple[str, ...]
    key: str
    label: int | None = None


class Source(Protocol):
    """A sequence of samples; safe to read from several threads.

    skipped: reason -> number of samples left out on opening. `source[i]` raises SampleError for a sample that cannot
    be read; the picture itself is not decoded here.
    """

    @property
    def name(self) -> str: ...

    @property
    def skipped(self) -> Mapping[str, int]: ...

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Sample: ...
