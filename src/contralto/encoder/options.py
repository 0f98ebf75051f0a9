"""The options that all encoding methods of `Clip` share, and their one check."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeAlias, TypedDict

from contralto import arguments
from contralto.embeddings import Embeddings
from contralto.inputs import Failure

Raise = Literal["raise"]
Skip = Literal["skip"]
OnError = Raise | Skip
Progress: TypeAlias = Callable[[int, int], object] | None
Encoded: TypeAlias = tuple[Embeddings, list[Failure]]
"""Embeddings of the items that worked, and the items that failed."""


class Batching(TypedDict, total=False):
    """The keywords that all overloads share: they do not change the result's type."""

    batch_size: int | None
    progress: Progress


class TextBatching(Batching, total=False):
    """The same for texts."""

    truncate: bool
    overlong: str


def check_options(on_error: str = "raise", batch_size: int | None = None, progress: Progress = None) -> None:
    """Raises ContraltoError for a value that an encoding method cannot take."""
    arguments.one_of(on_error, "on_error", ("raise", "skip"))
    if batch_size is not None:
        arguments.whole(batch_size, "batch_size")
    arguments.function(progress, "progress", "done, total")
