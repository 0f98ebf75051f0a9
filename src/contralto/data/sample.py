"""A training sample, and the protocol of all readers: samples by index, in an order that `mixture.py` chooses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from PIL import Image

from contralto.errors import DataError, ItemError


class SampleError(ItemError, DataError):
    """One sample cannot be read; `.item` is its key. Other samples are not affected."""


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
    """A sequence of samples; several threads may read it.

    skipped: reason -> number of samples skipped on opening. `source[i]` does not decode the picture. It raises
    SampleError if the sample cannot be read.
    """

    @property
    def name(self) -> str: ...

    @property
    def skipped(self) -> Mapping[str, int]: ...

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Sample: ...
